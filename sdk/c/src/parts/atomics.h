/* ---------------------------------------------------------------- atomics
 *
 * The five. Ownership of memory passes between the processes along edges that have the
 * same labels in Go: a release store (A1) pairs with an acquire load (A2).
 *
 *   A  request slots to us           B  their release, back
 *   C  response slots to the server  D  their release, back
 *   E  assignments to us             F  taken, back   (G: revoked; F and G fenced)
 *   H  notices to us                 I  notices to the server
 *   J  the lane, on accepting        K  the lane, the row, on letting go
 *   L  cancellation                  S  sleep announced; fenced on both sides */

static inline uint8_t ur__load8(const uint8_t *byte) { return __atomic_load_n(byte, __ATOMIC_RELAXED); }
static inline uint32_t ur__load32(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint64_t ur__load64(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void ur__store32(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static inline void ur__store64(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

#if defined(__SANITIZE_THREAD__)
#define UR__TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UR__TSAN
#endif
#endif

/* A full fence: a peer whose store we do not see after it sees our store before it. */
static inline void ur__fence(void) {
#ifdef UR__TSAN
    static __thread uint32_t word; /* TSan does not model fences; one word per thread, so that it orders no threads */
    (void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Copies bytes that another process may change. From here on the compiler has to use the
 * copy, and may not read the original again instead. */
static inline void ur__copy_shared(void *to, const void *from, size_t size) {
    memcpy(to, from, size);
    __asm__ __volatile__("" ::: "memory");
}

/* Orders reads of bytes that may change before the loads that say whether they were ours. */
static inline void ur__after_reads(void) {
#ifdef UR__TSAN
    ur__fence();
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* CLOCK_MONOTONIC, nanoseconds. */
static inline int64_t ur__clock(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t ur__now(void) { return ur__clock(CLOCK_MONOTONIC); }

/* The error of the last system call, as the SDK returns it. */
static inline int ur__errno(void) { return errno > 0 ? -errno : -EIO; }

static inline uint64_t ur__min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t ur__max(uint64_t a, uint64_t b) { return a > b ? a : b; }
