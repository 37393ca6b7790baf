/* ---------------------------------------------------------- control socket */

static inline void ur__send_message(const ur_link *l, enum ur__message_kind kind, const char *reason) {
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE];
    memset(&m, 0, sizeof m);
    m.kind = kind;
    m.reason = ur__text(reason);
    size_t n = ur__encode(&m, packet);
    (void)!send(l->socket, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Reads the server's messages. The end of the connection reveals its death. A server that
 * never stops sending does not keep us here. */
static inline void ur__read_socket(ur_link *l) {
    uint8_t packet[UR__MAX_MESSAGE + 1];
    struct ur__message m;
    ur_str none = {NULL, 0};
    l->socket_read_at = ur__clock(CLOCK_MONOTONIC_COARSE);
    for (int i = 0; i < UR__MAX_PACKETS && !l->dead; i++) {
        ssize_t n = recv(l->socket, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            ur__fail_link(l, "the server is gone", none);
            return;
        }
        if (ur__decode(&m, packet, (size_t)n) != UR__MESSAGE_OK) {
            m.kind = UR__NO_MESSAGE;
        }
        switch (m.kind) {
        case UR__DRAIN: /* the server finishes the running requests, and so do we */
            l->server_drains = l->state_changed = 1;
            break;
        case UR__BYE: ur__fail_link(l, "the server said goodbye: ", m.reason); break;
        case UR__REFUSAL: ur__fail_link(l, "the server closed the link: ", m.message); break;
        default: ur__fail_link(l, "unexpected message from the server", none);
        }
    }
}

/* Reads the socket from time to time, for callers that never sleep. */
static inline void ur__poll_socket(ur_link *l) {
    if (!l->dead && ur__clock(CLOCK_MONOTONIC_COARSE) - l->socket_read_at > UR__SOCKET_CHECK_NS) {
        ur__read_socket(l);
    }
}
