UR_INLINE int ur_ready(ur_link *link, ur_request *r) {
    *r = 0;
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->first_ready == UR__NO_LANE) {
        ur__refresh(link);
    }
    while (link->first_ready != UR__NO_LANE) {
        struct ur__lane *lane = &link->lanes[link->first_ready];
        link->first_ready = lane->next_ready;
        lane->ready = 0;
        if (lane->handle != 0) {
            *r = lane->handle;
            return 0;
        }
    }
    return -EAGAIN;
}

/* The reasons to end a wait that have occurred. */
static inline unsigned ur__pending(const ur_link *l, unsigned reasons) {
    unsigned what = l->state_changed ? (unsigned)UR_WAIT_STATE : 0;
    if ((reasons & UR_WAIT_STREAM) && ur__stream_waits(l)) {
        what |= UR_WAIT_STREAM;
    }
    if ((reasons & UR_WAIT_READY) && l->first_ready != UR__NO_LANE) {
        what |= UR_WAIT_READY;
    }
    return what;
}

UR_INLINE int ur_wait(ur_link *link, unsigned reasons, int timeout_ms, unsigned *what) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    for (;;) {
        if (ur__forked(link)) {
            return -ECHILD;
        }
        ur__refresh(link);
        unsigned pending = ur__pending(link, reasons);
        if (link->dead && !(pending & UR_WAIT_READY)) {
            return -ENOTCONN;
        }
        if (pending != 0) {
            link->state_changed = 0;
            if (what != NULL) {
                *what = pending;
            }
            return 0;
        }
        int err = ur__wait_once(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY), &t);
        if (err != 0) {
            return err;
        }
    }
}

/* Empties the list for ur_ready. */
static inline void ur__clear_ready(ur_link *l) {
    while (l->first_ready != UR__NO_LANE) {
        struct ur__lane *lane = &l->lanes[l->first_ready];
        l->first_ready = lane->next_ready;
        lane->ready = 0;
    }
}

/* Sleeps at the bell, the socket and another descriptor, and returns why it woke, as
 * ur_sleep does. It touches the link only while the caller's lock is held. */
static inline int ur__sleep_unlocked(ur_link *l, int timeout_ms, int also, void *(*leave)(void),
                                     void (*enter)(void *)) {
    struct pollfd fds[3];
    fds[0].fd = l->bell;
    fds[1].fd = l->socket;
    fds[2].fd = also; /* poll ignores -1 */
    fds[0].events = fds[1].events = fds[2].events = POLLIN;
    fds[0].revents = fds[1].revents = fds[2].revents = 0;
    void *kept = leave();
    int n = poll(fds, 3, timeout_ms);
    enter(kept);
    if (n == 0) {
        return -ETIMEDOUT;
    }
    if (fds[0].revents != 0) {
        (void)ur__clear_bell(l);
    }
    if (fds[1].revents != 0) {
        ur__read_socket(l);
    }
    return fds[0].revents != 0 || fds[1].revents != 0 ? 0 : -EINTR;
}

UR_INLINE int ur_sleep(ur_link *link, unsigned reasons, int timeout_ms, int also, void *(*leave)(void),
                       void (*enter)(void *)) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->bell < 0) {
        return -ENOTSUP;
    }
    int err = 0;
    ur__refresh(link);
    unsigned pending = ur__pending(link, reasons);
    if (pending == 0 && !link->dead) {
        if (ur__announce(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY))) {
            err = ur__sleep_unlocked(link, timeout_ms, also, leave, enter);
        }
        ur__clear_asleep(link);
        ur__poll_socket(link);
        ur__refresh(link);
    }
    link->state_changed = 0;
    ur__clear_ready(link);
    return link->dead ? -ENOTCONN : err;
}

UR_INLINE int ur_set_user(ur_link *link, ur_request r, void *user) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        lane->user = user;
    }
    return err;
}

UR_INLINE void *ur_user(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->user : NULL;
}

UR_INLINE int ur_fd(const ur_link *link) { return link->poll >= 0 ? link->poll : -ENOTSUP; }

UR_INLINE int ur_arm(ur_link *link, unsigned reasons) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->poll < 0) {
        return -ENOTSUP;
    }
    ur__refresh(link);
    unsigned pending = ur__pending(link, reasons);
    if (pending != 0) {
        link->state_changed = 0;
        return link->dead && !(pending & UR_WAIT_READY) ? -ENOTCONN : -EAGAIN;
    }
    if (link->dead) {
        return -ENOTCONN;
    }
    if (!ur__announce(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY))) {
        ur__clear_asleep(link);
        return -EAGAIN;
    }
    link->armed = 1;
    return 0;
}

UR_INLINE int ur_disarm(ur_link *link) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->armed) {
        link->armed = 0;
        ur__clear_asleep(link);
        if (!ur__clear_bell(link)) {
            ur__read_socket(link); /* if the link woke us, it was the socket */
        }
    }
    ur__poll_socket(link);
    ur__refresh(link);
    return link->dead ? -ENOTCONN : 0;
}
