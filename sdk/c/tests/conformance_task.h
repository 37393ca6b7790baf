/* The state of a request in a driver of the conformance suite, and the lines that it
 * prints. One call prints a whole line, so that threads do not mix theirs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <upload_response.h>

enum { PERIOD = 65521, SCRIPT = 8192, MOST_FIELDS = 9000, TEXT = 128, MOST_GATES = 64, NOTHING = 1 };

struct task {
    ur_request r;
    struct task *next;
    char id[TEXT], script[SCRIPT], verb[TEXT], argument[3][TEXT];
    char *rest;                /* of the script, behind the present step */
    int wait_ms;               /* UR_NOW, or UR_FOREVER after "block" */
    unsigned long long done;   /* of the present step: slots, or bytes */
    unsigned long long offset; /* of the response's pattern */
    ur_slot slot;              /* that "echo" is at; number 0: none */
    ur_header *fields;         /* gathered; the bytes are on the heap, too */
    size_t count;
};

struct worker {
    int number;
    ur_link *link;
    struct task *tasks;
    char gates[MOST_GATES][TEXT]; /* that are open */
    size_t open;
};

static uint8_t pattern[64 * PERIOD], text_pattern[64 * PERIOD];

static void make_pattern(void) {
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = i < PERIOD ? (uint8_t)((uint32_t)i * UINT32_C(2654435761) >> 24) : pattern[i - PERIOD];
        text_pattern[i] = pattern[i] & 0x7f;
    }
}

static uint32_t adler32(const void *data, size_t n) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + ((const uint8_t *)data)[i]) % PERIOD;
        b = (b + a) % PERIOD;
    }
    return b << 16 | a;
}

static void say_bytes(const struct task *t, const char *what, ur_str name, ur_str value) {
    char *hex = (char *)calloc(value.length + 1, 2);
    for (size_t i = 0; i < value.length; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", (uint8_t)value.data[i]);
    }
    printf("%s %s %.*s %s\n", t->id, what, (int)name.length, name.data, hex);
    free(hex);
}

static void say_slot(const struct task *t, const ur_slot *s) {
    static const char *const kinds[] = {"none",  "headers", "body", "trailers", "end",
                                        "abort", "interim", "text", "binary",   "close"};
    ur_header field;
    size_t at = 0;
    printf("%s slot %llu %s %zu %08x%s\n", t->id, (unsigned long long)s->number,
           s->kind <= UR_CLOSE ? kinds[s->kind] : "unknown", s->length, adler32(s->data, s->length),
           s->final ? " final" : "");
    if (s->kind == UR_CLOSE) {
        ur_str code = {NULL, 0}, reason;
        char digits[16];
        code.length = (size_t)snprintf(digits, sizeof digits, "%d", ur_close_code(s, &reason));
        code.data = digits;
        say_bytes(t, "closed", code, reason);
    }
    while (s->kind == UR_TRAILERS && ur_trailer(s, &at, &field) == 0) {
        say_bytes(t, "trailer", field.name, field.value);
    }
}

static void say_result(ur_link *link, const struct task *t, int result) {
    static const struct {
        int error;
        const char *word;
    } words[] = {{0, "ok"},
                 {NOTHING, "nothing"},
                 {-EINVAL, "refused"},
                 {-EALREADY, "refused"},
                 {-EMSGSIZE, "too-large"},
                 {-ENOENT, "released"},
                 {-ESTALE, "ended"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].error == result) {
            printf("%s %s %s\n", t->id, t->verb, words[i].word);
            return;
        }
    }
    printf("%s %s %s %d\n", t->id, t->verb, result == -ECANCELED ? "cancelled" : "error",
           result == -ECANCELED ? (int)ur_reason(link, t->r) : result);
}
