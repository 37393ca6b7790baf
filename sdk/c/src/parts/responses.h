/* --------------------------------------------------------------- responses */

/* Hands the committed slots to the server, and notifies it if it waits. */
static inline void ur__publish(ur_link *l, struct ur__lane *lane) {
    if (ur__writer_publish(&lane->writer)) { /* C1 */
        ur__fence();
        if (ur__load32(&lane->position->wants_response) != 0) { /* S2 */
            ur__notify(l, lane);
        }
    }
}

/* Commits the bytes written into the reserved room as a slot, and reports whether there
 * were any. */
static inline int ur__commit_room(ur_link *l, struct ur__lane *lane) {
    uint32_t filled = lane->filled;
    ur__drop_room(lane);
    if (filled == 0) {
        return 0;
    }
    ur__writer_commit(&lane->writer, filled, UR_BODY);
    l->counters.slots_out++;
    l->counters.bytes_out += filled;
    return 1;
}

/* Takes back the buffers of responses that the server has read, in all lanes: also those
 * whose request has ended, or whose writer is not running. */
static inline void ur__reclaim_all(ur_link *l) {
    for (uint32_t i = 0; i < l->lane_count; i++) {
        struct ur__lane *lane = &l->lanes[i];
        if (lane->writer.held == 0) {
            continue;
        }
        (void)ur__reclaim(&lane->writer); /* the lane's own writer finds an error again */
        if (lane->handle == 0 && lane->writer.visible == lane->writer.reclaimed) {
            ur__writer_reset(&lane->writer);
        }
    }
}

/* The release for which a writer without room waits: one that gives a buffer back, and
 * half of the outstanding slots, so that not every slot wakes us while the server always
 * has something to send. */
static inline uint64_t ur__room_at(const struct ur__writer *w) {
    uint64_t useful = w->oldest != UR__NO_BUFFER ? w->pool->spans[w->oldest].last : w->last;
    uint64_t half = w->reclaimed + (w->visible - w->reclaimed + 1) / 2;
    return ur__max(1, ur__min(ur__max(useful, half), w->visible));
}

/* Waits between two attempts to get room. An announcement precedes each check (S1). */
static inline int ur__await_room(ur_link *l, struct ur__lane *lane, struct ur__timeout *t, int *announced) {
    if (*announced) {
        *announced = 0;
        return ur__check_cancelled(l, lane) != 0 ? -ECANCELED : ur__wait_once(l, UR_WAIT_READY, t);
    }
    *announced = 1;
    ur__publish(l, lane); /* the server cannot release slots that it does not see */
    lane->wants_room = 1;
    lane->room_at = ur__room_at(&lane->writer);
    ur__store64(&lane->words->wants_room, lane->room_at); /* S1 */
    ur__fence();
    ur__reclaim_all(l);
    return 0;
}

static inline int ur__room_result(ur_link *l, struct ur__lane *lane, int err) {
    if (err == 0 && lane->wants_room) {
        lane->wants_room = 0;
        ur__store64(&lane->words->wants_room, 0);
    }
    return err == -EPROTO ? ur__protocol_error(l, "released response slots") : err;
}

/* Reserves at least min bytes, waiting for them. */
static inline int ur__get_room(ur_link *l, struct ur__lane *lane, uint32_t min, int timeout_ms, uint8_t **room,
                               uint32_t *size) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    int announced = 0;
    for (;;) {
        int err = ur__room_result(l, lane, ur__writer_reserve(&lane->writer, min, room, size));
        if (err == -EAGAIN) {
            err = ur__await_room(l, lane, &t, &announced);
        } else {
            return err;
        }
        if (err != 0) {
            return err;
        }
    }
}

/* Reserves room for a number of bytes, or for a good part of them. */
static inline int ur__get_some_room(ur_link *l, struct ur__lane *lane, uint64_t bytes, int timeout_ms, uint8_t **room,
                                    uint32_t *size) {
    if (ur__check_cancelled(l, lane) != 0) {
        return -ECANCELED;
    }
    uint32_t enough = (uint32_t)ur__min(bytes, l->slot_size / 4);
    int err = ur__room_result(l, lane, ur__writer_reserve(&lane->writer, enough, room, size));
    return err == -EAGAIN ? ur__get_room(l, lane, 1, timeout_ms, room, size) : err;
}

/* Publishes the full slot and reserves the next. */
static inline int ur__refill(ur_link *l, struct ur__lane *lane, int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0;
    if (ur__commit_room(l, lane)) {
        ur__publish(l, lane);
    }
    int err = ur__get_some_room(l, lane, UINT64_MAX, timeout_ms, &room, &size);
    if (err == 0) {
        lane->room = room;
        lane->room_size = size;
    }
    return err;
}

/* Finds the lane of a request that may be given body bytes, or messages. */
static inline int ur__find_writable(ur_link *l, ur_request r, struct ur__lane **lane) {
    int err = ur__find(l, r, lane);
    if (err == 0 && (!(*lane)->headers_sent || (*lane)->closing)) {
        err = -EINVAL;
    }
    return err;
}

/* The same for body bytes. */
static inline int ur__find_body(ur_link *l, ur_request r, struct ur__lane **lane) {
    int err = ur__find_writable(l, r, lane);
    return err == 0 && (*lane)->websocket_open ? -EINVAL : err;
}

/* The same for a part of a message of a kind. */
static inline int ur__find_message(ur_link *l, ur_request r, uint32_t kind, struct ur__lane **lane) {
    int err = ur__find_writable(l, r, lane);
    if (err == 0 && (!(*lane)->websocket_open || (kind != UR_TEXT && kind != UR_BINARY) ||
                     ((*lane)->message != 0 && (*lane)->message != kind))) {
        err = -EINVAL;
    }
    return err;
}

/* Waits for room for a slot without bytes, and commits it. */
static inline int ur__put_empty(ur_link *l, struct ur__lane *lane, uint32_t kind, int timeout_ms) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    int announced = 0;
    for (;;) {
        int err = ur__room_result(l, lane, ur__writer_commit_empty(&lane->writer, kind));
        if (err == 0) {
            l->counters.slots_out++;
        }
        if (err != -EAGAIN) {
            return err;
        }
        err = ur__await_room(l, lane, &t, &announced);
        if (err != 0) {
            return err;
        }
    }
}
