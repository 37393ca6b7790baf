/* Memory that ends at an inaccessible page: a read or write of one byte too many crashes. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define CHECK(claim) \
    do { \
        if (!(claim)) { \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim); \
            exit(1); \
        } \
    } while (0)

enum { GUARD_BYTES = 1 << 20, GUARD_PAGE = 1 << 16 };

/* Returns size bytes that end at the guard. Each call moves the same memory. */
static inline unsigned char *guarded(size_t size) {
    static unsigned char *start;
    if (start == NULL) {
        start = (unsigned char *)mmap(NULL, GUARD_BYTES + GUARD_PAGE, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(start != MAP_FAILED && mprotect(start + GUARD_BYTES, GUARD_PAGE, PROT_NONE) == 0);
    }
    CHECK(size <= GUARD_BYTES);
    return start + GUARD_BYTES - size;
}

/* Returns a copy of bytes that ends at the guard. */
static inline unsigned char *guarded_copy(const void *bytes, size_t size) {
    unsigned char *copy = guarded(size);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

#endif
