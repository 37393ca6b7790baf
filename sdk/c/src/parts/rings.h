/* ----------------------------------------------------------- notice rings
 *
 * A ring of lane indices: "look at this lane". A notice is a hint, so a ring may
 * overflow: the reader then looks at every lane. */

/* H1/I1: earlier publications on the lane are visible to the reader after its acquire
 * load of the head (H2/I2). */
static inline void ur__push_notice(uint64_t *head, struct ur_shm_notice *ring, uint64_t mask, uint32_t lane) {
    uint64_t n = ur__load64(head);
    ur__store32(&ring[n & mask].lane, lane);
    ur__store64(head, n + 1);
}

/* The reading end. */
struct ur__notices {
    const uint64_t *head;
    const struct ur_shm_notice *ring;
    uint64_t mask, seen;
};

static inline int ur__notices_empty(const struct ur__notices *r) { return ur__load64(r->head) == r->seen; }

/* ------------------------------------------------------------ assignments */

/* The worker's end of an inbox. */
struct ur__inbox {
    const uint64_t *head;
    const struct ur_shm_inbox_entry *ring;
    uint64_t mask;
    const uint32_t *generation; /* of the mailbox */
    uint32_t attach;            /* the generation while the mailbox is ours */
    uint64_t *word;             /* ours: F1 */
    uint64_t taken;
};

struct ur__assignment {
    uint64_t stream_id;
    uint32_t row, lane;
    int revoked; /* only let go of it, before another is taken */
};

static inline int ur__inbox_empty(const struct ur__inbox *b) { return ur__load64(b->head) == b->taken; }

/* Takes the next assignment. -EAGAIN: there is none. -ENOTCONN: the mailbox
 * belongs to another link by now. -EPROTO: there are more than the ring has entries.
 *
 * E2: after the acquire load of the head the stream's row and first slots are
 * ours to read. F1, full fence, G2 against the server's G1, full fence, F2:
 * the second of the two sees the first, so that no stream is served twice. */
static inline int ur__inbox_take(struct ur__inbox *b, struct ur__assignment *a) {
    uint64_t waiting = ur__load64(b->head) - b->taken; /* E2 */
    if (waiting == 0) {
        return -EAGAIN;
    }
    const struct ur_shm_inbox_entry *e = &b->ring[b->taken & b->mask];
    a->stream_id = ur__load64(&e->stream_id);
    a->row = ur__load32(&e->row);
    a->lane = ur__load32(&e->lane);
    if (ur__load32(b->generation) != b->attach) {
        return -ENOTCONN;
    }
    if (waiting > b->mask + 1) {
        return -EPROTO;
    }
    b->taken++;
    ur__store64(b->word, b->taken); /* F1 */
    ur__fence();
    a->revoked = ur__load32(&e->revoked) != 0; /* G2 */
    return 0;
}
