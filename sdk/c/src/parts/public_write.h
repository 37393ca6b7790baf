/* ------- writing */

/* Writes the headers of a final or an interim response. */
static inline int ur__put_head(ur_link *link, struct ur__lane *lane, int status, struct ur__list list, uint32_t kind,
                               int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0;
    size_t fields = ur__list_size(list);
    if (fields == 0) {
        return -EINVAL;
    }
    if (fields + 18 > link->slot_size) {
        return -EMSGSIZE;
    }
    int err = ur__get_room(link, lane, (uint32_t)fields + 18, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    (void)ur__put_response(room, lane->stream_id, 1, (unsigned)status, list);
    ur__writer_commit(&lane->writer, (uint32_t)fields + 18, kind);
    link->counters.slots_out++;
    return 0;
}

static inline int ur__interim(ur_link *link, ur_request r, int status, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->headers_sent) {
        return err != 0 ? err : -EALREADY;
    }
    if (status < 102 || status > 199) {
        return -EINVAL;
    }
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    err = ur__put_head(link, lane, status, list, UR__INTERIM, timeout_ms);
    if (err == 0) {
        ur__publish(link, lane);
    }
    return err;
}

UR_INLINE int ur_interim(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms) {
    return ur__interim(link, r, status, ur__array(headers, count), timeout_ms);
}

UR_INLINE int ur_interim_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms) {
    return ur__interim(link, r, status, ur__flat(fields, length), timeout_ms);
}

static inline int ur__final_status(int status) { return status >= 200 && status <= 999; }

static inline int ur__respond(ur_link *link, ur_request r, int status, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->headers_sent) {
        return err != 0 ? err : -EALREADY;
    }
    int open = status == 101 && ur_is_websocket(link, r);
    if (!open && !ur__final_status(status)) {
        return -EINVAL;
    }
    err = ur__put_head(link, lane, status, list, UR_HEADERS, timeout_ms);
    if (err != 0) {
        return err;
    }
    lane->headers_sent = 1;
    if (open) {
        lane->websocket_open = 1;
        ur__publish(link, lane); /* both sides wait for it */
    }
    return 0;
}

UR_INLINE int ur_respond(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms) {
    return ur__respond(link, r, status, ur__array(headers, count), timeout_ms);
}

UR_INLINE int ur_respond_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms) {
    return ur__respond(link, r, status, ur__flat(fields, length), timeout_ms);
}

UR_INLINE int ur_check_flat(int status, const char *fields, size_t length) {
    return !ur__final_status(status) || ur__list_size(ur__flat(fields, length)) == 0 ? -EINVAL : 0;
}

UR_INLINE int ur_reserve(ur_link *link, ur_request r, int timeout_ms, void **room, size_t *size) {
    struct ur__lane *lane;
    int err = ur__find_writable(link, r, &lane);
    *room = NULL;
    *size = 0;
    if (err == 0 && lane->filled == lane->room_size) {
        err = ur__refill(link, lane, timeout_ms);
    }
    if (err == 0) {
        *room = lane->room + lane->filled;
        *size = lane->room_size - lane->filled;
    }
    return err;
}

UR_INLINE int ur_commit(ur_link *link, ur_request r, size_t n) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && (lane->websocket_open || n > lane->room_size - lane->filled)) {
        err = -EINVAL;
    }
    if (err == 0) {
        lane->filled += (uint32_t)n;
    }
    return err;
}

UR_INLINE int ur_write(ur_link *link, ur_request r, const void *data, size_t size, int timeout_ms, size_t *written) {
    struct ur__lane *lane;
    size_t done = 0;
    int err = ur__find_body(link, r, &lane);
    while (err == 0 && done < size) {
        if (lane->filled == lane->room_size) {
            err = ur__refill(link, lane, timeout_ms);
            continue;
        }
        size_t n = (size_t)ur__min(size - done, lane->room_size - lane->filled);
        memcpy(lane->room + lane->filled, (const uint8_t *)data + done, n);
        lane->filled += (uint32_t)n;
        done += n;
    }
    if (written != NULL) {
        *written = done;
    }
    return err;
}

UR_INLINE int ur_flush(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    (void)ur__commit_room(link, lane);
    ur__publish(link, lane);
    return ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0;
}

static inline int ur__trailers(ur_link *link, ur_request r, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    uint8_t *room = NULL;
    uint32_t size = 0;
    int err = ur__find_body(link, r, &lane);
    if (err != 0 || list.count == 0) {
        return err;
    }
    size_t bytes = ur__list_size(list);
    if (bytes == 0 || bytes > link->slot_size) {
        return bytes == 0 ? -EINVAL : -EMSGSIZE;
    }
    (void)ur__commit_room(link, lane);
    err = ur__get_room(link, lane, (uint32_t)bytes, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    (void)ur__put_list(room, list);
    ur__writer_commit(&lane->writer, (uint32_t)bytes, UR_TRAILERS);
    link->counters.slots_out++;
    lane->closing = 1;
    return 0;
}

UR_INLINE int ur_trailers(ur_link *link, ur_request r, const ur_header *fields, size_t count, int timeout_ms) {
    return ur__trailers(link, r, ur__array(fields, count), timeout_ms);
}

UR_INLINE int ur_trailers_flat(ur_link *link, ur_request r, const char *fields, size_t length, int timeout_ms) {
    return ur__trailers(link, r, ur__flat(fields, length), timeout_ms);
}
