/* ------- ending */

/* Commits the end slot, waiting for room. -EAGAIN, -ETIMEDOUT: not yet; after any other
 * error the response is lost. */
static inline int ur__put_end(ur_link *link, struct ur__lane *lane, int timeout_ms) {
    (void)ur__commit_room(link, lane);
    int err = ur__put_empty(link, lane, UR_END, timeout_ms);
    link->counters.ended += err == 0;
    return err;
}

/* Reports whether a response may end now: it has begun, and no message is incomplete. */
static inline int ur__may_end(const struct ur__lane *lane) {
    return lane->headers_sent && !lane->response_ended && lane->message == 0;
}

UR_INLINE int ur_end(ur_link *link, ur_request r, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    if (!ur__may_end(lane)) {
        return -EINVAL;
    }
    err = ur__put_end(link, lane, timeout_ms);
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    int cancelled = ur__finish(link, lane);
    return err != 0 ? err : cancelled;
}

UR_INLINE int ur_close_websocket(ur_link *link, ur_request r, int code, const char *reason, size_t length,
                                 int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    if (!lane->websocket_open || lane->response_ended) {
        return -EINVAL;
    }
    if (!lane->closing) { /* the close may be committed while its end found no room */
        err = ur_send_close(link, r, code, reason, length, timeout_ms);
    }
    if (err == -EINVAL || err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    return ur_end(link, r, timeout_ms);
}

/* Commits an abort slot. Without room for it, letting go has the same meaning. */
static inline void ur__put_abort(ur_link *link, struct ur__lane *lane) {
    if (!lane->response_ended) {
        (void)ur__writer_commit_empty(&lane->writer, UR__ABORT);
        link->counters.aborted++;
    }
}

UR_INLINE int ur_abort(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        ur__put_abort(link, lane);
        (void)ur__finish(link, lane);
    }
    return err;
}

/* The response has ended; the request has not. */
static inline void ur__response_over(ur_link *link, struct ur__lane *lane) {
    lane->headers_sent = lane->closing = lane->response_ended = 1;
    link->ended_responses++;
    ur__publish(link, lane);
}

UR_INLINE int ur_end_response(ur_link *link, ur_request r, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->response_ended) {
        return err;
    }
    if (!ur__may_end(lane)) {
        return -EINVAL;
    }
    err = ur__put_end(link, lane, timeout_ms);
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    int cancelled =
        ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0; /* before the server sees the end and says "finished" */
    ur__response_over(link, lane);
    return err != 0 ? err : cancelled;
}

UR_INLINE int ur_abort_response(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && !lane->response_ended) {
        ur__put_abort(link, lane);
        ur__response_over(link, lane);
    }
    return err;
}

UR_INLINE int ur_let_go(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && !lane->response_ended) {
        err = -EINVAL;
    }
    if (err == 0) {
        (void)ur__finish(link, lane);
    }
    return err;
}

UR_INLINE int ur_respond_whole(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                               const void *body, size_t size, int timeout_ms, size_t *written) {
    size_t done = 0;
    int err = ur__final_status(status) ? ur_respond_flat(link, r, status, fields, length, timeout_ms) : -EINVAL;
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        err = -EBUSY; /* only interim responses can leave no room for the first slot of a lane */
    }
    if (err == -ECANCELED || err == -EPROTO) {
        (void)ur_abort(link, r);
    }
    if (err == 0) {
        err = ur_write(link, r, body, size, timeout_ms, &done);
        if (err != 0 && err != -EAGAIN && err != -ETIMEDOUT) {
            (void)ur_abort(link, r);
        }
    }
    if (err == 0) {
        err = ur_end(link, r, timeout_ms);
    }
    if (written != NULL) {
        *written = done;
    }
    return err;
}

UR_INLINE int ur_respond_whole_flat(ur_link *link, ur_request r, int status, const char *fields, int length,
                                    const void *body, int size) {
    struct ur__lane *lane;
    size_t written = 0;
    if (length < 0 || size < 0) {
        return -EINVAL;
    }
    int err = ur_respond_whole(link, r, status, fields, (size_t)length, body, (size_t)size, UR_NOW, &written);
    if (err == -EAGAIN && ur__find(link, r, &lane) == 0) {
        lane->unsent = (size_t)size - written;
    }
    return err;
}

UR_INLINE size_t ur_unsent(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->unsent : 0;
}

#ifdef __cplusplus
}
#endif
#endif /* UR_IMPLEMENTED */
