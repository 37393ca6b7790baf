static inline int ur__next(ur_link *link, struct ur__timeout *t, ur_request *r) {
    *r = 0;
    for (;;) {
        if (ur__forked(link)) {
            return -ECHILD;
        }
        ur__refresh(link); /* the state is read before the inbox: nothing follows the last stream */
        if (link->dead) {
            return -ENOTCONN;
        }
        if (ur__at_capacity(link)) {
            return t->timeout_ms == UR_NOW ? -EAGAIN : -EBUSY; /* only the caller can end one of them */
        }
        int err = ur__take_assignment(link, r);
        if (err == -EAGAIN && link->state == UR__LINK_DRAINING) {
            return -ESHUTDOWN;
        }
        if (err == -EAGAIN) {
            err = ur__wait_once(link, UR_WAIT_STREAM, t);
        } else {
            return err;
        }
        if (err != 0) {
            return err;
        }
    }
}

UR_INLINE int ur_next(ur_link *link, int timeout_ms, ur_request *r) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    return ur__next(link, &t, r);
}

static inline char *ur__put_text(char *to, ur_str s) {
    if (s.length > 0) {
        memcpy(to, s.data, s.length);
    }
    to[s.length] = '\0';
    return to + s.length + 1;
}

/* Copies the parts of a head that precede the headers. */
static inline char *ur__put_target(char *to, const struct ur__head *h) {
    to = ur__put_text(to, h->method);
    to = ur__put_text(to, h->scheme);
    to = ur__put_text(to, h->authority);
    return ur__put_text(to, h->path);
}

/* Copies the head and returns its length. It is no longer than its frame, in which a
 * length precedes each string, in place of the NUL, and 16 bytes come first.
 * Preconditions: the head was decoded. */
static inline size_t ur__copy_flat(const struct ur__lane *lane, char *text) {
    const struct ur__head *h = &lane->head;
    struct ur__cursor c = ur__cursor_at(lane->frame, h->length);
    char *to = ur__put_target(text, h);
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        to = ur__put_text(to, ur__string(&c));
        to = ur__put_text(to, ur__string(&c));
    }
    return (size_t)(to - text);
}

/* The same, with the names last. Returns their length in *names. */
static inline size_t ur__copy_split(const struct ur__lane *lane, char *text, uint64_t *names) {
    const struct ur__head *h = &lane->head;
    struct ur__cursor c = ur__cursor_at(lane->frame, h->length);
    char *to = ur__put_target(text, h);
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        (void)ur__string(&c);
        to = ur__put_text(to, ur__string(&c));
    }
    const char *values_end = to;
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        to = ur__put_text(to, ur__string(&c));
        (void)ur__string(&c);
    }
    *names = (uint64_t)(to - values_end);
    return (size_t)(to - text);
}

static inline void ur__count_slot(ur_link *l, struct ur__lane *lane, const ur_slot *slot) {
    if (slot->number > lane->tailed) {
        lane->tailed = slot->number;
        l->counters.slots_in++;
        l->counters.bytes_in += slot->length;
    }
}

/* Returns the body if it has arrived in one slot at most. */
static inline void ur__find_whole_body(ur_link *l, struct ur__lane *lane, ur_flat_request *t) {
    ur_slot body, end;
    int err = ur__try_tail(l, lane, 2, &body);
    end = body;
    if (err == 0 && body.kind == UR_BODY) {
        err = ur__try_tail(l, lane, 3, &end);
    }
    if (err != 0 || end.kind != UR_END) {
        return;
    }
    t->whole = 1;
    t->body = body.data;
    t->body_length = body.length;
    ur__count_slot(l, lane, &body);
    ur__count_slot(l, lane, &end);
}

/* Between two attempts to take a request: a caller that never waits gives up after as many
 * as there are lanes, one with a deadline at the latest then. */
static inline int ur__check_attempts(const ur_link *l, struct ur__timeout *t, uint32_t passed) {
    if (t->timeout_ms == UR_NOW) {
        return passed > l->lane_count ? -EAGAIN : 0;
    }
    return ur__time_left(t, ur__now()) <= 0 ? -ETIMEDOUT : 0;
}

/* Takes a request with its text: flat if names is NULL, else split. */
static inline int ur__next_with_text(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                                     uint64_t *names) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    ur_request r;
    memset(taken, 0, sizeof *taken);
    if (size < link->slot_size) {
        return -EINVAL;
    }
    for (uint32_t passed = 0;; passed++) {
        int err = passed > 0 ? ur__check_attempts(link, &t, passed) : 0;
        if (err == 0) {
            err = ur__next(link, &t, &r);
        }
        if (err != 0) {
            return err;
        }
        struct ur__lane *lane = ur__headers(link, r, &err);
        if (lane == NULL) {
            (void)ur_abort(link, r);
            continue;
        }
        taken->request = r;
        taken->stream_id = lane->stream_id;
        taken->text_length = names == NULL ? ur__copy_flat(lane, text) : ur__copy_split(lane, text, names);
        taken->header_count = lane->head.count;
        taken->http_version = lane->head.version;
        ur__find_whole_body(link, lane, taken);
        return 0;
    }
}

UR_INLINE int ur_next_flat(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size) {
    return ur__next_with_text(link, timeout_ms, taken, text, size, NULL);
}

UR_INLINE int ur_next_split(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                            uint64_t *names) {
    *names = 0;
    return ur__next_with_text(link, timeout_ms, taken, text, size, names);
}
