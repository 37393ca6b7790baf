/* ------------------------------------------------------ notices and sleep */

/* Marks the lane of a notice ready, and clears the wants that are fulfilled: while a want
 * is announced, the server believes that we wait. */
static inline void ur__handle_notice(ur_link *l, struct ur__lane *lane) {
    if (lane->handle == 0) {
        return;
    }
    if (lane->wants_slot && ur__counter_load(&lane->reader.published) > lane->reader.seen) {
        lane->wants_slot = 0;
        ur__store32(&lane->words->wants_request, 0);
    }
    if (lane->wants_room && ur__counter_load(&lane->writer.released) >= lane->room_at) {
        lane->wants_room = 0;
        ur__store64(&lane->words->wants_room, 0);
    }
    ur__make_ready(l, lane);
}

/* Reads the notice ring. A full one counts as overwritten: a writer stores the next
 * notice over the oldest one before it moves the head. */
static inline void ur__read_notices(ur_link *l) {
    struct ur__notices *r = &l->notices;
    uint64_t head = ur__load64(r->head), first = r->seen; /* H2 */
    if (head == first) {
        return;
    }
    if (head < first) {
        (void)ur__protocol_error(l, "notices run backwards");
        return;
    }
    r->seen = head;
    for (uint64_t i = first; i != head && head - first <= r->mask; i++) {
        uint32_t lane = ur__load32(&r->ring[i & r->mask].lane);
        if (lane >= l->lane_count) {
            (void)ur__protocol_error(l, "notice of a lane that is not there");
            return;
        }
        ur__handle_notice(l, &l->lanes[lane]);
    }
    if (ur__load64(r->head) - first <= r->mask) {
        return;
    }
    for (uint32_t i = 0; i < l->lane_count; i++) {
        ur__handle_notice(l, &l->lanes[i]);
    }
}

/* The state of the link; closed once the mailbox serves another attach. A server changes
 * the generation first. */
static inline uint32_t ur__state(const ur_link *l) {
    uint32_t state = ur__load32(&l->box->state);
    return ur__load32(&l->box->generation) == l->inbox.attach ? state : (uint32_t)UR__LINK_CLOSED;
}

/* Reads the notices and the state of the link. */
static inline void ur__refresh(ur_link *l) {
    ur_str none = {NULL, 0};
    if (l->dead) {
        return;
    }
    uint32_t state = ur__state(l); /* before the notices: those before the end count */
    if (state != UR__LINK_CLOSED) {
        ur__read_notices(l);
    }
    if (state == l->state) {
        return;
    }
    l->state = state;
    l->state_changed = 1;
    if (state == UR__LINK_CLOSED) {
        ur__read_socket(l); /* it may say why */
        ur__fail_link(l, "the server closed the link", none);
    }
}

/* Reports whether as many requests are in progress as the caller serves at once. */
static inline int ur__at_capacity(const ur_link *l) { return l->counters.active - l->ended_responses >= l->max_active; }

/* Reports whether there is a stream to take. */
static inline int ur__stream_waits(const ur_link *l) { return !ur__at_capacity(l) && !ur__inbox_empty(&l->inbox); }

/* Announces for which reasons the server has to ring our bell, and reports whether we may
 * sleep; if not, there is something to do.
 *
 * S1: announcement, full fence, second look; against the server's publication,
 * full fence, look at the announcement (S2): one of the two sees the other. */
static inline int ur__announce(ur_link *l, unsigned reasons) {
    l->sleeps++;
    l->counters.sleeps++;
    l->bell_count = ur__load32(&l->box->bell);
    if (ur__at_capacity(l)) {
        reasons &= ~(unsigned)UR_WAIT_STREAM;
    }
    ur__store64(&l->words->asleep, l->sleeps << 8 | reasons); /* S1 */
    ur__fence();
    return !((reasons & UR_WAIT_STREAM) && ur__stream_waits(l)) && ur__notices_empty(&l->notices) &&
           ur__state(l) == l->state;
}

static inline void ur__clear_asleep(ur_link *l) { ur__store64(&l->words->asleep, 0); }

/* Sleeps on the futex bell. The kernel compares the count before it sleeps, so that no
 * ring since the load is missed. */
static inline void ur__sleep_futex(ur_link *l, int64_t ns) {
    struct timespec t;
    int64_t slice = ns < UR__SLEEP_SLICE_NS ? ns : UR__SLEEP_SLICE_NS;
    t.tv_sec = slice / 1000000000;
    t.tv_nsec = slice % 1000000000;
    long rc = syscall(SYS_futex, &l->box->bell, 0 /* FUTEX_WAIT, not private */, l->bell_count, &t, NULL, 0);
    if (rc < 0 && errno == ETIMEDOUT) {
        ur__read_socket(l);
    }
}

/* Clears the bell for a level-triggered poller, and reports whether it had rung.
 * The bell is an epoll instance around the server's eventfd. */
static inline int ur__clear_bell(const ur_link *l) {
    struct epoll_event event;
    uint64_t rings;
    int n = epoll_wait(l->bell, &event, 1, 0);
    return n >= 0 ? n : read(l->bell, &rings, sizeof rings) > 0; /* or a bare eventfd */
}

static inline void ur__sleep_eventfd(ur_link *l, int64_t ns) {
    struct pollfd fds[2];
    int64_t ms = ns / 1000000 + 1;
    fds[0].fd = l->bell;
    fds[1].fd = l->socket;
    fds[0].events = fds[1].events = POLLIN;
    if (poll(fds, 2, ms > INT32_MAX ? -1 : (int)ms) <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        (void)ur__clear_bell(l);
    }
    if (fds[1].revents != 0) {
        ur__read_socket(l);
    }
}

/* The time that a call may wait. */
struct ur__timeout {
    int timeout_ms;
    int64_t deadline; /* CLOCK_MONOTONIC, ns; 0: the clock was not read yet */
};

static inline struct ur__timeout ur__timeout_of(int timeout_ms) {
    struct ur__timeout t;
    t.timeout_ms = timeout_ms;
    t.deadline = 0;
    return t;
}

/* The time left, in nanoseconds. Preconditions: it is not UR_NOW. */
static inline int64_t ur__time_left(struct ur__timeout *t, int64_t now) {
    if (t->timeout_ms <= 0) {
        return INT64_MAX;
    }
    t->deadline = t->deadline == 0 ? now + (int64_t)t->timeout_ms * 1000000 : t->deadline;
    return t->deadline - now;
}

/* Waits once, between two checks of a blocking call. -EAGAIN, -ETIMEDOUT: the time is
 * over. */
static inline int ur__wait_once(ur_link *l, unsigned reasons, struct ur__timeout *t) {
    if (t->timeout_ms == UR_NOW) {
        ur__poll_socket(l);
        return -EAGAIN;
    }
    int64_t left = ur__time_left(t, ur__now());
    if (left <= 0) {
        return -ETIMEDOUT;
    }
    if (!l->dead && ur__announce(l, reasons)) {
        if (l->bell >= 0) {
            ur__sleep_eventfd(l, left);
        } else {
            ur__sleep_futex(l, left);
        }
    }
    ur__clear_asleep(l);
    ur__poll_socket(l); /* a caller that is woken all the time never sleeps a whole slice */
    ur__refresh(l);
    return 0;
}
