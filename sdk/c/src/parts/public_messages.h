/* ------- messages */

/* Sends the first n bytes of the writer's reservation as a part of a message. */
static inline void ur__put_part(ur_link *link, struct ur__lane *lane, uint32_t kind, uint32_t n, int final) {
    uint32_t bits = final ? kind | UR__FINAL : kind;
    ur__drop_room(lane);
    ur__writer_commit(&lane->writer, n, bits);
    link->counters.slots_out++;
    link->counters.bytes_out += n;
    lane->message = final ? 0 : kind;
    ur__publish(link, lane);
}

static inline int ur__send_empty(ur_link *link, struct ur__lane *lane, uint32_t kind, int timeout_ms) {
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    int err = ur__put_empty(link, lane, kind | UR__FINAL, timeout_ms);
    if (err == 0) {
        lane->message = 0;
        ur__publish(link, lane);
    }
    return err;
}

UR_INLINE int ur_send(ur_link *link, ur_request r, uint32_t kind, const void *data, size_t size, int final,
                      int timeout_ms, size_t *sent) {
    struct ur__lane *lane;
    size_t done = 0;
    int err = ur__find_message(link, r, kind, &lane);
    if (err == 0) {
        ur__drop_room(lane);
    }
    if (err == 0 && size == 0 && final) {
        err = ur__send_empty(link, lane, kind, timeout_ms);
    }
    while (err == 0 && done < size) {
        uint8_t *room = NULL;
        uint32_t most = 0;
        err = ur__get_some_room(link, lane, size - done, timeout_ms, &room, &most);
        if (err == 0) {
            uint32_t n = (uint32_t)ur__min(size - done, most);
            memcpy(room, (const uint8_t *)data + done, n);
            done += n;
            ur__put_part(link, lane, kind, n, final && done == size);
        }
    }
    if (sent != NULL) {
        *sent = done;
    }
    return err;
}

UR_INLINE int ur_commit_message(ur_link *link, ur_request r, uint32_t kind, size_t n, int final) {
    struct ur__lane *lane;
    int err = ur__find_message(link, r, kind, &lane);
    if (err == 0 && (lane->room == NULL || n > lane->room_size)) {
        err = -EINVAL;
    }
    if (err != 0 || (n == 0 && !final)) {
        return err;
    }
    if (n > 0) {
        ur__put_part(link, lane, kind, (uint32_t)n, final);
        return 0;
    }
    ur__drop_room(lane);
    return ur__send_empty(link, lane, kind, UR_NOW); /* it takes the reserved place */
}

/* Reports whether RFC 6455 section 7.4 and its registry allow a code to be sent. */
static inline int ur__good_code(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* Commits a close slot. */
static inline int ur__put_close(ur_link *link, struct ur__lane *lane, int code, ur_str reason, int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0, n = (uint32_t)reason.length + 2;
    if (code == UR__NO_CODE) {
        return ur__put_empty(link, lane, UR_CLOSE, timeout_ms);
    }
    int err = ur__get_room(link, lane, n, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    room[0] = (uint8_t)(code >> 8);
    room[1] = (uint8_t)code;
    if (reason.length > 0) {
        memcpy(room + 2, reason.data, reason.length);
    }
    ur__writer_commit(&lane->writer, n, UR_CLOSE);
    link->counters.slots_out++;
    return 0;
}

UR_INLINE int ur_send_close(ur_link *link, ur_request r, int code, const char *reason, size_t length, int timeout_ms) {
    struct ur__lane *lane;
    ur_str why = {reason, length};
    int err = ur__find_writable(link, r, &lane);
    if (err == 0 && (!lane->websocket_open || lane->message != 0)) {
        err = -EINVAL;
    }
    if (err != 0) {
        return err;
    }
    if (code == UR__NO_CODE ? length != 0 : !ur__good_code(code) || length > UR__MAX_REASON || !ur__valid_utf8(why)) {
        return -EINVAL;
    }
    ur__drop_room(lane);
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    err = ur__put_close(link, lane, code, why, timeout_ms);
    if (err == 0) {
        lane->closing = 1;
        ur__publish(link, lane);
    }
    return err;
}
