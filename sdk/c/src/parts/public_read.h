/* ------- reading */

UR_INLINE ur_str ur_method(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.method : none;
}

UR_INLINE ur_str ur_scheme(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.scheme : none;
}

UR_INLINE ur_str ur_authority(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.authority : none;
}

UR_INLINE ur_str ur_path(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.path : none;
}

UR_INLINE int ur_http_version(ur_link *link, ur_request r) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.version : 0;
}

UR_INLINE int ur_is_websocket(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return 0;
    }
    (void)ur__headers(link, r, &err);
    return lane->wants_websocket;
}

UR_INLINE uint64_t ur_stream_id(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->stream_id : 0;
}

UR_INLINE size_t ur_header_count(ur_link *link, ur_request r) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.count : 0;
}

UR_INLINE int ur_header_at(ur_link *link, ur_request r, size_t i, ur_header *header) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    memset(header, 0, sizeof *header);
    if (lane == NULL) {
        return err;
    }
    if (i >= lane->head.count) {
        return -ENOENT;
    }
    if (i < lane->field) {
        lane->field = 0;
        lane->field_at = lane->head.fields_at;
    }
    struct ur__cursor c = ur__cursor_at(lane->frame, lane->head.length);
    c.at = lane->field_at;
    for (; lane->field <= i; lane->field++) {
        header->name = ur__string(&c);
        header->value = ur__string(&c);
    }
    lane->field_at = c.at;
    return c.fault == UR__OK ? 0 : -EBADMSG;
}

static inline int ur__same_name(ur_str name, const char *other) {
    size_t i = 0;
    for (; i < name.length && other[i] != '\0'; i++) {
        if (ur__lower((uint8_t)name.data[i]) != ur__lower((uint8_t)other[i])) {
            return 0;
        }
    }
    return i == name.length && other[i] == '\0';
}

UR_INLINE ur_str ur_client_address(ur_link *link, ur_request r) {
    ur_header first;
    ur_str none = {NULL, 0};
    int err = ur_header_at(link, r, 0, &first);
    return err == 0 && ur__same_name(first.name, "upload-response-client") ? first.value : none;
}

UR_INLINE int ur_find_header(ur_link *link, ur_request r, const char *name, ur_str *value) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    if (lane == NULL) {
        return err;
    }
    struct ur__cursor c = ur__cursor_at(lane->frame, lane->head.length);
    c.at = lane->head.fields_at;
    for (size_t i = 0; i < lane->head.count; i++) {
        ur_str found = ur__string(&c), its = ur__string(&c);
        if (ur__same_name(found, name)) {
            *value = its;
            return c.fault == UR__OK ? 0 : -EBADMSG;
        }
    }
    return -ENOENT;
}

UR_INLINE int ur_keep_headers(ur_link *link, ur_request r, void *memory, size_t size) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    if (lane == NULL) {
        return err;
    }
    if (size < lane->head.length) {
        return -ENOSPC;
    }
    size_t length = lane->head.length;
    memmove(memory, lane->frame, length);
    if (ur__parse_request(&lane->head, memory, length) != UR__OK) {
        lane->head_state = UR__HEAD_GONE;
        return -EBADMSG;
    }
    lane->head_state = UR__HEAD_KEPT;
    lane->frame = (const uint8_t *)memory;
    lane->field = 0;
    lane->field_at = lane->head.fields_at;
    return 0;
}

UR_INLINE int ur_tail(ur_link *link, ur_request r, uint64_t n, int timeout_ms, ur_slot *slot) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    memset(slot, 0, sizeof *slot);
    while (err == 0) {
        err = ur__tail_or_announce(link, lane, n, slot);
        if (err == 0) {
            break;
        }
        if (err == -EAGAIN) {
            err = ur__wait_once(link, UR_WAIT_READY, &t);
        }
    }
    if (err == 0) {
        ur__count_slot(link, lane, slot);
    }
    return err;
}

UR_INLINE int ur_next_slot(ur_link *link, ur_request r, int timeout_ms, ur_slot *slot) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        err = ur_tail(link, r, lane->next_slot, timeout_ms, slot);
    }
    if (err == 0) {
        lane->next_slot++;
    }
    return err;
}

UR_INLINE int ur_next_slots(ur_link *link, ur_request r, ur_slot *slots, int most) {
    struct ur__lane *lane;
    ur_slot next;
    int err = most >= 1 ? ur_next_slot(link, r, UR_NOW, &slots[0]) : -EINVAL;
    if (err != 0 || slots[0].kind != UR_BODY || ur__find(link, r, &lane) != 0) {
        return err != 0 ? err : 1;
    }
    int count = 1;
    while (count < most && ur__try_tail(link, lane, lane->next_slot, &next) == 0 && next.kind == UR_BODY) {
        slots[count++] = next;
        lane->next_slot++;
        ur__count_slot(link, lane, &next);
    }
    return count;
}

UR_INLINE int ur_release(ur_link *link, ur_request r, uint64_t n) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        err = ur__reader_release(&lane->reader, n); /* B1 */
    }
    if (err != 0) {
        return err;
    }
    if (n >= 1 && lane->head_state != UR__HEAD_KEPT) {
        lane->head_state = UR__HEAD_GONE;
    }
    ur__fence();
    uint64_t want = ur__load64(&lane->row->wants_room);
    if (want != 0 && n >= want) { /* S2 */
        ur__notify(link, lane);
    }
    return 0;
}

UR_INLINE int ur_trailer(const ur_slot *slot, size_t *at, ur_header *field) {
    struct ur__cursor c = ur__cursor_at(slot->data, slot->length);
    c.at = *at;
    if (slot->kind != UR_TRAILERS || *at > slot->length) {
        return -EINVAL;
    }
    if (*at == 0) {
        (void)ur__field_count(&c);
    }
    if (c.fault == UR__OK && c.at == slot->length) {
        return -ENOENT;
    }
    *field = ur__field(&c);
    *at = c.at;
    return c.fault == UR__OK ? 0 : -EBADMSG;
}

UR_INLINE int ur_close_code(const ur_slot *slot, ur_str *reason) {
    ur_str rest = {NULL, 0};
    int code = UR__NO_CODE;
    if (slot->kind != UR_CLOSE) {
        return -EINVAL;
    }
    if (slot->length >= 2) {
        const uint8_t *bytes = (const uint8_t *)slot->data;
        code = bytes[0] << 8 | bytes[1];
        rest.data = (const char *)bytes + 2;
        rest.length = slot->length - 2;
    }
    if (reason != NULL) {
        *reason = rest;
    }
    return code;
}

UR_INLINE int ur_cancelled(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    ur__poll_socket(link);
    return ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0;
}

UR_INLINE uint32_t ur_reason(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        return ur__check_cancelled(link, lane);
    }
    lane = &link->lanes[r % UR__MAX_LANES % link->lane_count];
    return err == -ESTALE && r != 0 && lane->ended == r ? lane->reason : (uint32_t)UR_NOT_CANCELLED;
}

UR_INLINE const char *ur_reason_text(uint32_t reason) {
    static const char *const texts[] = {"none",
                                        "client gone",
                                        "deadline passed",
                                        "invalid response",
                                        "server shut down",
                                        "client too slow",
                                        "request body too large",
                                        "exchange finished",
                                        "server gone"};
    return reason < sizeof texts / sizeof texts[0] ? texts[reason] : "unknown";
}
