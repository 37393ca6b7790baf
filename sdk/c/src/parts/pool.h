/* ------------------------------------------------------------------- pool
 *
 * The buffers of one segment, in private memory of the process that writes it. The
 * buffer that was freed last is handed out first: it is still in the cache. Each lane is
 * always guaranteed one buffer, which no other lane can take, so that none starves. */

struct ur__span {
    uint64_t last; /* the last slot that has bytes in the buffer */
    uint32_t next; /* the lane's next full buffer */
};

struct ur__pool {
    uint32_t *stack;
    struct ur__span *spans;           /* per buffer */
    uint32_t free, guaranteed, total; /* buffers; guaranteed: to lanes that hold none */
};

/* Preconditions: buffers >= lanes. Release: ur__pool_close. */
static inline int ur__pool_open(struct ur__pool *p, uint32_t buffers, uint32_t lanes) {
    p->stack = (uint32_t *)calloc(buffers, sizeof *p->stack);
    p->spans = (struct ur__span *)calloc(buffers, sizeof *p->spans);
    if (p->stack == NULL || p->spans == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < buffers; i++) {
        p->stack[i] = buffers - 1 - i;
    }
    p->free = p->total = buffers;
    p->guaranteed = lanes;
    return 0;
}

static inline void ur__pool_close(struct ur__pool *p) {
    free(p->stack);
    free(p->spans);
    memset(p, 0, sizeof *p);
}

/* Returns a buffer for a lane that holds `held` of them, or UR__NO_BUFFER. */
static inline uint32_t ur__pool_take(struct ur__pool *p, uint32_t held) {
    if (held == 0) {
        p->guaranteed--;
    } else if (p->free <= p->guaranteed) {
        return UR__NO_BUFFER;
    }
    return p->stack[--p->free];
}

/* Takes a buffer back from a lane that now holds `held` of them. */
static inline void ur__pool_give(struct ur__pool *p, uint32_t buffer, uint32_t held) {
    p->stack[p->free++] = buffer;
    if (held == 0) {
        p->guaranteed++;
    }
}
