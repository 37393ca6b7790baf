/* ------------------------------------------------------- the ends of a lane */

/* A counter that the peer writes and that belongs to one stream at a time: while
 * owner shows the id of another stream, its value is unowned. */
struct ur__counter {
    const uint64_t *word, *owner; /* owner: the stream for which the word counts */
    uint64_t stream_id, unowned;
};

static inline struct ur__counter ur__counter_for(const uint64_t *word, const uint64_t *owner, uint64_t stream_id,
                                                 uint64_t unowned) {
    struct ur__counter c;
    c.word = word;
    c.owner = owner;
    c.stream_id = stream_id;
    c.unowned = unowned;
    return c;
}

static inline uint64_t ur__counter_load(const struct ur__counter *c) {
    if (ur__load64(c->owner) != c->stream_id) { /* J2 */
        return c->unowned;
    }
    uint64_t n = ur__load64(c->word);
    if (ur__load64(c->owner) != c->stream_id) { /* the peer moved on: n may be the next stream's */
        return c->unowned;
    }
    return n;
}

/* The writing end: reserve, fill, commit, publish. */
struct ur__writer {
    struct ur_shm_descriptor *ring;
    uint64_t mask, limit; /* most outstanding slots */
    uint8_t *buffers;
    uint32_t slot_size;
    struct ur__pool *pool;
    uint64_t *published;         /* ours: C1, and A1 of a server */
    struct ur__counter released; /* the reader's: D2, B2 */

    uint64_t committed;      /* slots committed, published or not */
    uint64_t visible;        /* slots published */
    uint64_t reclaimed;      /* slots whose bytes we have back */
    uint32_t held;           /* buffers */
    uint32_t oldest, newest; /* full ones, a list through the pool's spans */
    uint32_t current;        /* buffer that is being filled */
    uint64_t last;           /* last slot in it */
    uint32_t used;           /* bytes of it that slots cover */
    uint32_t reserved;       /* bytes of it beyond used that are reserved */
};

static inline void ur__writer_give(struct ur__writer *w, uint32_t buffer) { ur__pool_give(w->pool, buffer, --w->held); }

/* Gives all buffers back and starts again. Preconditions: the reader is done with the
 * lane, or dead. */
static inline void ur__writer_reset(struct ur__writer *w) {
    while (w->oldest != UR__NO_BUFFER) {
        uint32_t buffer = w->oldest;
        w->oldest = w->pool->spans[buffer].next;
        ur__writer_give(w, buffer);
    }
    if (w->current != UR__NO_BUFFER) {
        ur__writer_give(w, w->current);
    }
    w->newest = w->current = UR__NO_BUFFER;
    w->committed = w->visible = w->reclaimed = w->last = 0;
    w->used = w->reserved = 0;
}

/* Reuses the present buffer from its start when the reader is done with it. */
static inline void ur__rewind(struct ur__writer *w) {
    if (w->reserved == 0 && w->last <= w->reclaimed) {
        w->used = 0;
    }
}

/* Takes back the bytes of released slots.
 *
 * D2 (B2 of a server): the acquire load of the reader's counter pairs with the
 * reader's release store (D1): the reader no longer looks at those bytes. */
static inline int ur__reclaim(struct ur__writer *w) {
    uint64_t released = ur__counter_load(&w->released);
    if (released == UR_ALL_SLOTS) {
        released = w->visible;
    }
    if (released == w->reclaimed) {
        return 0;
    }
    if (released < w->reclaimed || released > w->visible) {
        return -EPROTO;
    }
    w->reclaimed = released;
    while (w->oldest != UR__NO_BUFFER && w->pool->spans[w->oldest].last <= released) {
        uint32_t buffer = w->oldest;
        w->oldest = w->pool->spans[buffer].next;
        ur__writer_give(w, buffer);
    }
    ur__rewind(w);
    return 0;
}

/* Appends the present buffer to the full ones and takes another. */
static inline int ur__next_buffer(struct ur__writer *w) {
    uint32_t buffer = ur__pool_take(w->pool, w->held);
    if (buffer == UR__NO_BUFFER) {
        return -EAGAIN;
    }
    w->held++;
    if (w->current != UR__NO_BUFFER) {
        struct ur__span *full = &w->pool->spans[w->current];
        full->last = w->last;
        full->next = UR__NO_BUFFER;
        if (w->oldest == UR__NO_BUFFER) {
            w->oldest = w->current;
        } else {
            w->pool->spans[w->newest].next = w->current;
        }
        w->newest = w->current;
    }
    w->current = buffer;
    w->last = w->reclaimed;
    w->used = 0;
    return 0;
}

static inline int ur__writer_full(struct ur__writer *w) {
    int err = ur__reclaim(w);
    if (err != 0) {
        return err;
    }
    return w->committed - w->reclaimed >= w->limit ? -EAGAIN : 0;
}

/* Returns room for the next slot: at least min bytes and up to the rest of the
 * buffer. It continues the present buffer when that has room, so that small slots share
 * one. The room belongs to the caller until the commit or the next reservation; the
 * reader sees none of it before the publication. -EAGAIN: the
 * lane or the pool is full. Preconditions: 1 <= min <= slot size. */
static inline int ur__writer_reserve(struct ur__writer *w, uint32_t min, uint8_t **room, uint32_t *size) {
    w->reserved = 0;
    int err = ur__writer_full(w);
    if (err != 0) {
        return err;
    }
    ur__rewind(w); /* an abandoned reservation may have prevented it */
    if (w->current == UR__NO_BUFFER || w->slot_size - w->used < min) {
        err = ur__next_buffer(w);
        if (err != 0) {
            return err;
        }
    }
    w->reserved = w->slot_size - w->used;
    *room = w->buffers + (size_t)w->current * w->slot_size + w->used;
    *size = w->reserved;
    return 0;
}

static inline void ur__put_descriptor(struct ur__writer *w, uint32_t buffer, uint32_t offset, uint32_t length,
                                      uint32_t kind) {
    struct ur_shm_descriptor *d = &w->ring[w->committed & w->mask];
    w->committed++;
    d->number = w->committed;
    d->buffer = buffer;
    d->offset = offset;
    d->length = length;
    d->kind = kind;
    d->time = (uint64_t)ur__now();
}

/* Makes the first n bytes of the reservation the next slot. Preconditions:
 * 0 < n <= the size of the last reservation. */
static inline void ur__writer_commit(struct ur__writer *w, uint32_t n, uint32_t kind) {
    ur__put_descriptor(w, w->current, w->used, n, kind);
    w->last = w->committed;
    w->used = (uint32_t)ur__min(((uint64_t)w->used + n + UR__ALIGN - 1) / UR__ALIGN * UR__ALIGN, w->slot_size);
    w->reserved = 0;
}

/* Commits a slot without bytes. */
static inline int ur__writer_commit_empty(struct ur__writer *w, uint32_t kind) {
    int err = ur__writer_full(w);
    if (err == 0) {
        ur__put_descriptor(w, UR__NO_BUFFER, 0, 0, kind);
    }
    return err;
}

/* Hands every committed slot to the reader, and reports whether there was one.
 *
 * C1 (A1 of a server): the slots' bytes and descriptors pass to the reader, which
 * sees them after its acquire load of the counter (C2). */
static inline int ur__writer_publish(struct ur__writer *w) {
    if (w->visible == w->committed) {
        return 0;
    }
    w->visible = w->committed;
    ur__store64(w->published, w->committed);
    return 1;
}

/* The reading end: tail a slot, use it, release it. */
struct ur__reader {
    const struct ur_shm_descriptor *ring;
    uint64_t mask, limit;
    const uint8_t *buffers;
    uint32_t slot_size, count;    /* of the buffers */
    struct ur__counter published; /* the writer's: A2, C2 of a server */
    uint64_t *released;           /* ours: B1, D1 of a server */
    uint64_t seen;                /* published slots, checked */
    uint64_t done;                /* slots released */
};

/* Loads the writer's counter.
 *
 * A2 (C2 of a server): after this acquire load the slots up to that number are ours. */
static inline int ur__reader_update(struct ur__reader *r) {
    uint64_t published = ur__counter_load(&r->published);
    if (published < r->seen || (r->done != UR_ALL_SLOTS && published - r->done > r->limit)) {
        return -EPROTO;
    }
    r->seen = published;
    return 0;
}

/* Reports whether slot n of a request lane may have this kind, final bit and length. */
static inline int ur__reader_allows(uint64_t n, uint32_t kind, uint32_t final, uint32_t length) {
    switch (kind) {
    case UR_HEADERS: return n == 1 && length > 0 && final == 0;
    case UR_BODY:
    case UR_TRAILERS: return n > 1 && length > 0 && final == 0;
    case UR_TEXT:
    case UR_BINARY: return n > 1;
    case UR_CLOSE: return n > 1 && final == 0;
    case UR_END: return n > 1 && length == 0 && final == 0;
    case UR__ABORT: return length == 0 && final == 0;
    default: return 0;
    }
}

/* Returns slot n, which is known to be published: a copy of its descriptor, checked
 * before it is used. */
static inline int ur__reader_slot(const struct ur__reader *r, uint64_t n, ur_slot *slot) {
    const struct ur_shm_descriptor *d = &r->ring[(n - 1) & r->mask];
    uint64_t number = ur__load64(&d->number), time = ur__load64(&d->time);
    uint32_t buffer = ur__load32(&d->buffer), offset = ur__load32(&d->offset);
    uint32_t length = ur__load32(&d->length), kind = ur__load32(&d->kind);
    memset(slot, 0, sizeof *slot);
    slot->number = n;
    slot->kind = kind & ~UR__FINAL;
    slot->final = (kind & UR__FINAL) != 0;
    slot->time_ns = (int64_t)time;
    if (number != n || !ur__reader_allows(n, slot->kind, slot->final, length)) {
        return -EPROTO;
    }
    if (length == 0) {
        return 0;
    }
    if (buffer >= r->count || length > r->slot_size || offset > r->slot_size - length) {
        return -EPROTO;
    }
    slot->data = r->buffers + (size_t)buffer * r->slot_size + offset;
    slot->length = length;
    return 0;
}

/* Returns slot n; -EAGAIN until it is published, -ENOENT after its release. */
static inline int ur__reader_tail(struct ur__reader *r, uint64_t n, ur_slot *slot) {
    if (n <= r->done) {
        return n == 0 ? -EINVAL : -ENOENT;
    }
    if (n > r->seen) {
        int err = ur__reader_update(r);
        if (err != 0) {
            return err;
        }
        if (n > r->seen) {
            return -EAGAIN;
        }
    }
    return ur__reader_slot(r, n, slot);
}

/* Gives the slots up to and including n back; the writer may overwrite their bytes
 * immediately.
 *
 * B1 (D1 of a server): our reads of those bytes happen before the writer's reuse,
 * which follows its acquire load of the counter (B2). */
static inline int ur__reader_release(struct ur__reader *r, uint64_t n) {
    if (n > r->seen && n != UR_ALL_SLOTS) {
        return -EINVAL;
    }
    if (n > r->done) {
        r->done = n;
        ur__store64(r->released, n);
    }
    return 0;
}
