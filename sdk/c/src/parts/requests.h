/* ---------------------------------------------------------------- requests */

/* J1: the reset counters pass to the server, which counts them as zero until it
 * sees the stream's id (J2). */
static inline void ur__accept(ur_link *l, struct ur__lane *lane, const struct ur__assignment *a) {
    const struct ur_shm_header *h = &l->header;
    const struct ur_shm_row *rows = (const struct ur_shm_row *)(const void *)(l->requests + h->rows_offset);
    struct ur__reader *in = &lane->reader;
    lane->row = &rows[a->row];
    lane->stream_id = a->stream_id;
    ur__writer_reset(&lane->writer); /* the server is done with the lane's last response */
    lane->writer.released =
        ur__counter_for(&lane->position->released, &lane->position->stream_id, a->stream_id, UR_ALL_SLOTS);
    in->ring = (const struct ur_shm_descriptor *)(const void *)(l->requests + h->descriptors_offset) +
               (size_t)a->row * (size_t)(in->mask + 1);
    in->published = ur__counter_for(&lane->row->published, &lane->row->stream_id, a->stream_id, 0);
    in->seen = in->done = 0;

    lane->handle = ++l->accepted * UR__MAX_LANES + ur__index(l, lane);
    lane->ended = 0;
    lane->user = NULL;
    lane->reason = 0;
    lane->headers_sent = lane->closing = lane->response_ended = lane->wants_websocket = lane->websocket_open =
        lane->wants_slot = lane->wants_room = 0;
    lane->message = 0;
    lane->unsent = 0;
    lane->head_state = UR__HEAD_UNSEEN;
    lane->next_slot = 2;
    lane->tailed = 0;
    ur__drop_room(lane);

    ur__store64(&lane->words->published, 0);
    ur__store64(&lane->words->released, 0);
    ur__store64(&lane->words->wants_room, 0);
    ur__store32(&lane->words->wants_request, 0);
    ur__store64(&lane->words->stream_id, a->stream_id); /* J1 */
    l->counters.requests++;
    l->counters.active++;
}

/* K1: the row, the request slots and the lane pass to the server, which reuses
 * them after it sees this (K2). */
static inline void ur__let_go(ur_link *l, struct ur__lane *lane, uint64_t stream_id) {
    ur__store64(&lane->words->let_go, stream_id); /* K1 */
    ur__notify(l, lane);
}

/* Returns why an assignment is invalid, or NULL. */
static inline const char *ur__bad_assignment(const ur_link *l, const struct ur__assignment *a) {
    if (a->stream_id == 0) {
        return "an assignment of no stream";
    }
    if (a->row >= l->header.rows) {
        return "an assignment of a row that is not there";
    }
    if (a->lane >= l->lane_count) {
        return "an assignment to a lane that is not there";
    }
    return l->lanes[a->lane].handle != 0 ? "an assignment to a lane whose request has not ended" : NULL;
}

/* Takes the next stream that the server has not revoked. It passes over at most one ring
 * of revoked ones, so that it returns whatever the server does. */
static inline int ur__take_assignment(ur_link *l, ur_request *r) {
    struct ur__assignment a;
    for (uint64_t n = 0; n <= l->inbox.mask; n++) {
        int err = ur__inbox_take(&l->inbox, &a);
        if (err != 0) {
            return err == -EPROTO ? ur__protocol_error(l, "more assignments than the inbox has entries") : err;
        }
        const char *wrong = ur__bad_assignment(l, &a);
        if (wrong != NULL) {
            return ur__protocol_error(l, wrong);
        }
        if (!a.revoked) {
            ur__accept(l, &l->lanes[a.lane], &a);
            *r = l->lanes[a.lane].handle;
            return 0;
        }
        l->counters.passed_over++;
        ur__let_go(l, &l->lanes[a.lane], a.stream_id);
    }
    return -EAGAIN;
}

/* Frees the copy of a large head. */
static inline void ur__drop_copy(struct ur__lane *lane) {
    if (lane->copy_size > UR__KEPT_COPY) {
        free(lane->copy);
        lane->copy = NULL;
        lane->copy_size = 0;
    }
}

/* Publishes the committed slots and ends the request. A response that has ended can no
 * longer be cancelled. */
static inline int ur__finish(ur_link *l, struct ur__lane *lane) {
    uint32_t why = lane->response_ended ? lane->reason : ur__check_cancelled(l, lane);
    (void)ur__writer_publish(&lane->writer); /* C1 */
    lane->ended = lane->handle;
    lane->handle = 0;
    l->ended_responses -= lane->response_ended;
    l->counters.active--;
    ur__drop_copy(lane);
    ur__let_go(l, lane, lane->stream_id); /* notifies the server, too */
    return why != 0 ? -ECANCELED : 0;
}

/* Reports whether bytes read before belong to the request: row and slots pass to others
 * when we let go, and when the server closes the link, which it announces first. */
static inline int ur__still_ours(const ur_link *l, const struct ur__lane *lane) {
    return ur__load64(&lane->row->stream_id) == lane->stream_id && ur__state(l) != UR__LINK_CLOSED;
}

/* Looks for slot n. */
static inline int ur__try_tail(ur_link *l, struct ur__lane *lane, uint64_t n, ur_slot *slot) {
    int err = ur__reader_tail(&lane->reader, n, slot);
    if (err == -ENOENT || err == -EINVAL) {
        return err;
    }
    int ours = ur__still_ours(l, lane);
    if (err == 0 && ours && slot->kind != UR__ABORT) {
        return 0;
    }
    if (err == 0 && ours && lane->reason == 0) {
        lane->reason = UR_CLIENT_GONE;
    }
    if (!ours) {
        ur__refresh(l); /* finds out whether the link is closed */
    }
    if (ur__check_cancelled(l, lane) != 0) {
        return -ECANCELED;
    }
    return err == -EAGAIN ? err : ur__protocol_error(l, "request slot");
}

/* Returns slot n; if it does not exist yet, asks the server to notify us. S1: the
 * announcement comes before the last check. */
static inline int ur__tail_or_announce(ur_link *l, struct ur__lane *lane, uint64_t n, ur_slot *slot) {
    int err = ur__try_tail(l, lane, n, slot);
    if (err == -EAGAIN && !lane->wants_slot) {
        lane->wants_slot = 1;
        ur__store32(&lane->words->wants_request, 1); /* S1 */
        ur__fence();
        if (ur__load64(&lane->row->wants_room) != 0) { /* S2: the server may wait until we want more */
            ur__notify(l, lane);
        }
        err = ur__try_tail(l, lane, n, slot);
    }
    if (err == 0 && lane->wants_slot) {
        lane->wants_slot = 0;
        ur__store32(&lane->words->wants_request, 0);
    }
    return err;
}

/* Copies slot 1 into private memory, where checked bytes cannot change. */
static inline int ur__copy_frame(ur_link *l, struct ur__lane *lane, const ur_slot *slot) {
    if (slot->length > lane->copy_size) {
        size_t size = (size_t)ur__max(slot->length, UR__SMALL_COPY);
        free(lane->copy);
        lane->copy_size = 0;
        lane->copy = (uint8_t *)malloc(size);
        if (lane->copy == NULL) {
            return -ENOMEM;
        }
        lane->copy_size = size;
    }
    ur__copy_shared(lane->copy, slot->data, slot->length);
    ur__after_reads();
    if (ur__still_ours(l, lane)) {
        return 0;
    }
    ur__refresh(l);
    return ur__check_cancelled(l, lane) != 0 ? -ECANCELED : -EBADMSG;
}

/* Decodes slot 1. Returns NULL when it can no longer be read, or not at all. */
static inline struct ur__lane *ur__headers(ur_link *l, ur_request r, int *err) {
    struct ur__lane *lane;
    ur_slot slot;
    *err = ur__find(l, r, &lane);
    if (*err != 0) {
        return NULL;
    }
    if (lane->head_state == UR__HEAD_UNSEEN) {
        *err = ur__try_tail(l, lane, 1, &slot);
        if (*err == 0) {
            *err = ur__copy_frame(l, lane, &slot);
        }
        if (*err == 0 && ur__parse_request(&lane->head, lane->copy, slot.length) != UR__OK) {
            *err = -EBADMSG;
        }
        if (*err != 0) {
            return NULL;
        }
        lane->head_state = UR__HEAD_IN_SLOT;
        lane->wants_websocket = ur__equals(lane->head.scheme, "ws") || ur__equals(lane->head.scheme, "wss");
        lane->frame = lane->copy;
        lane->field = 0;
        lane->field_at = lane->head.fields_at;
    }
    *err = lane->head_state == UR__HEAD_GONE ? -ENOENT : 0;
    return *err == 0 ? lane : NULL;
}
