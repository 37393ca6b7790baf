static inline int ur__send_hello(const ur_link *l, ur_options *o) {
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE];
    memset(&m, 0, sizeof m);
    m.kind = UR__HELLO;
    m.layout_min = UR__LAYOUT_MIN;
    m.layout_max = UR__LAYOUT_MAX;
    m.pool = ur__text(o->pool);
    m.name = ur__text(o->name);
    m.pid = (uint64_t)getpid();
    m.sdk = ur__text(o->sdk);
    m.sdk_version = ur__text(o->sdk_version);
    m.lanes = o->lanes;
    m.bell = ur__text(o->bell == UR_BELL_EVENTFD ? "eventfd" : "futex");
    m.stacks = o->stacks;
    size_t n = ur__encode(&m, packet);
    if (n == 0) {
        return ur__fail_attach(o, -EINVAL, "the names in the options are not UTF-8 or too long", ur__text(""));
    }
    if (send(l->socket, packet, n, MSG_NOSIGNAL) < 0) {
        return ur__fail_attach(o, ur__errno(), "cannot say hello", ur__text(""));
    }
    return 0;
}

/* Receives one packet and its descriptors. EAGAIN: not in time. */
static inline ssize_t ur__receive(int fd, int64_t deadline, uint8_t *packet, size_t size, int *fds, int most,
                                  int *count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec part;
    struct msghdr message;
    ssize_t n;
    memset(&message, 0, sizeof message);
    part.iov_base = packet;
    part.iov_len = size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    *count = 0;
    do {
        if (ur__wait_until(fd, deadline) != 0) {
            errno = EAGAIN;
            return -1;
        }
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t received = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (*count < most) {
                fds[(*count)++] = one;
            } else {
                (void)close(one);
            }
        }
    }
    return n;
}

/* Reads the answer to our hello. The caller owns the descriptors. */
static inline int ur__read_welcome(ur_link *l, ur_options *o, struct ur__message *m, uint8_t *packet, int *fds,
                                   int *count) {
    ssize_t n = ur__receive(l->socket, ur__deadline(o), packet, UR__MAX_MESSAGE + 1, fds, 4, count);
    if (n <= 0) {
        int err = n == 0 ? -ECONNRESET : errno == EAGAIN || errno == EWOULDBLOCK ? -ETIMEDOUT : ur__errno();
        return ur__fail_attach(o, err, "no answer from the server", ur__text(""));
    }
    if (ur__decode(m, packet, (size_t)n) != UR__MESSAGE_OK) {
        return ur__fail_attach(o, -EPROTO, "the server's answer cannot be decoded", ur__text(""));
    }
    if (m->kind == UR__REFUSAL) {
        return ur__refused(o, m);
    }
    if (m->kind != UR__WELCOME || *count != (o->bell == UR_BELL_EVENTFD ? 4 : 3)) {
        return ur__fail_attach(o, -EPROTO, "the server answered with something else than a welcome", ur__text(""));
    }
    return 0;
}

/* Checks the headers of the segments. */
static inline int ur__check_segments(ur_link *l, ur_options *o, const struct ur__message *m) {
    const struct ur_shm_header *h = &l->header;
    uint64_t hash = ur__layout_hash();
    if (l->requests == NULL || l->responses == NULL) {
        return -EIO; /* impossible; tells a static analyser so */
    }
    ur__copy_shared(&l->header, l->requests, sizeof l->header); /* read once; the copy is checked and used */
    if (m->layout < UR__LAYOUT_MIN || m->layout > UR__LAYOUT_MAX || h->magic != UR__MAGIC || h->layout != m->layout ||
        h->layout_hash != hash || m->layout_hash != hash) {
        return ur__fail_attach(o, -EPROTO, "server and SDK do not agree on the layout of the memory", ur__text(""));
    }
    if (!ur__header_fits(h, l->requests_bytes) || m->link >= h->links) {
        return ur__fail_attach(o, -EPROTO, "the header of the request segment makes no sense", ur__text(""));
    }
    l->box =
        (const struct ur_shm_mailbox *)(const void *)(l->requests + h->mailboxes_offset + m->link * h->mailbox_stride);
    ur__copy_shared(&l->geometry, l->box, sizeof l->geometry);
    ur__after_reads(); /* the generation is read after the bytes that it covers */
    if (ur__load32(&l->box->generation) != m->link_generation ||
        !ur__mailbox_fits(h, &l->geometry, l->responses_bytes)) {
        return ur__fail_attach(o, -EPROTO, "the mailbox of the link makes no sense", ur__text(""));
    }
    return 0;
}

/* Sets up one lane. Preconditions: the segments were checked. */
static inline void ur__open_lane(ur_link *l, uint32_t i) {
    const struct ur_shm_header *h = &l->header;
    struct ur__lane *lane = &l->lanes[i];
    struct ur__writer *w = &lane->writer;
    lane->words = (struct ur_shm_lane *)(void *)(l->responses + l->geometry.lanes_offset) + i;
    lane->position = (const struct ur_shm_position *)(const void *)((const uint8_t *)l->box + ur__positions_at(h)) + i;

    w->ring = (struct ur_shm_descriptor *)(void *)(l->responses + l->geometry.descriptors_offset) +
              (size_t)i * l->geometry.ring;
    w->mask = l->geometry.ring - 1;
    w->limit = ur__min(h->slot_limit, l->geometry.ring);
    w->buffers = l->responses + l->geometry.buffers_offset;
    w->slot_size = h->slot_size;
    w->pool = &l->pool;
    w->published = &lane->words->published;
    w->oldest = w->newest = w->current = UR__NO_BUFFER;

    lane->reader.mask = h->ring - 1;
    lane->reader.limit = ur__min(h->slot_limit, h->ring);
    lane->reader.buffers = l->requests + h->buffers_offset;
    lane->reader.slot_size = h->slot_size;
    lane->reader.count = h->buffers;
    lane->reader.released = &lane->words->released;
}

/* Sets up the link. Preconditions: the segments were checked. */
static inline int ur__open_link(ur_link *l, const ur_options *o, const struct ur__message *m) {
    const struct ur_shm_header *h = &l->header;
    const uint8_t *rings = (const uint8_t *)(l->box + 1);
    l->words = (struct ur_shm_link *)(void *)l->responses;
    l->slot_size = h->slot_size;
    l->lane_count = l->geometry.lanes;
    l->max_active = o->lanes;
    l->outbox = (struct ur_shm_notice *)(void *)(l->words + 1);
    l->outbox_mask = l->geometry.outbox_entries - 1;
    l->inbox.head = &l->box->inbox_head;
    l->inbox.ring = (const struct ur_shm_inbox_entry *)(const void *)rings;
    l->inbox.mask = h->inbox_entries - 1;
    l->inbox.generation = &l->box->generation;
    l->inbox.attach = (uint32_t)m->link_generation;
    l->inbox.word = &l->words->taken;
    l->notices.head = &l->box->notice_head;
    l->notices.ring = (const struct ur_shm_notice *)(const void *)(rings + (size_t)h->inbox_entries *
                                                                               sizeof(struct ur_shm_inbox_entry));
    l->notices.mask = h->notice_entries - 1;
    l->first_ready = l->last_ready = UR__NO_LANE;
    l->state = UR__LINK_OPEN;
    l->server_pid = (uint32_t)m->server_pid;
    l->instance = m->instance;
    l->response_timeout_ms = m->response_timeout_ms;
    (void)snprintf(l->server, sizeof l->server, "%.*s", (int)ur__min(m->server.length, UR_TEXT_BYTES), m->server.data);

    l->lanes = (struct ur__lane *)calloc(l->lane_count, sizeof *l->lanes);
    if (l->lanes == NULL || ur__pool_open(&l->pool, l->geometry.buffers, l->lane_count) != 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < l->lane_count; i++) {
        ur__open_lane(l, i);
    }
    return 0;
}

/* Creates the one descriptor that an event loop watches. */
static inline int ur__open_poll(ur_link *l) {
    struct epoll_event event;
    l->poll = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    if (l->poll < 0 || fcntl(l->bell, F_SETFL, O_NONBLOCK) != 0 || /* for a bare eventfd */
        epoll_ctl(l->poll, EPOLL_CTL_ADD, l->bell, &event) != 0 ||
        epoll_ctl(l->poll, EPOLL_CTL_ADD, l->socket, &event) != 0) {
        return ur__errno();
    }
    return 0;
}

/* Seals that a segment must have: no process can resize it, and only the server can write
 * the requests. */
#define UR__SEALS (2 | 4)                  /* F_SEAL_SHRINK | F_SEAL_GROW */
#define UR__REQUEST_SEALS (UR__SEALS | 16) /* and F_SEAL_FUTURE_WRITE */

/* Reports whether a descriptor is like an eventfd or an epoll instance, which have no type
 * of file: a write to a pipe or a socket may raise SIGPIPE, one to a file SIGXFSZ. */
static inline int ur__is_bell(int fd) {
    struct stat info;
    return fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == 0;
}

/* Checks the bells that the server handed out; only event loops have one of their own. */
static inline int ur__check_bells(const ur_link *l, ur_options *o) {
    if (!ur__is_bell(l->server_bell) || (l->bell >= 0 && !ur__is_bell(l->bell))) {
        return ur__fail_attach(o, -EPROTO, "the server handed out something else than bells", ur__text(""));
    }
    int flags = fcntl(l->server_bell, F_GETFL);
    return flags < 0 || fcntl(l->server_bell, F_SETFL, flags | O_NONBLOCK) != 0 ? ur__errno() : 0;
}

static inline int ur__handshake(ur_link *l, ur_options *o) {
    uint8_t packet[UR__MAX_MESSAGE + 1];
    struct ur__message m;
    int fds[4] = {-1, -1, -1, -1}, count = 0;
    uint8_t *requests = NULL;
    memset(&m, 0, sizeof m);
    int err = ur__send_hello(l, o);
    if (err == 0) {
        err = ur__read_welcome(l, o, &m, packet, fds, &count);
    }
    l->server_bell = fds[2];
    l->bell = fds[3];
    if (err == 0) {
        err = ur__check_bells(l, o);
    }
    if (err == 0) {
        err = ur__map(fds[0], PROT_READ, UR__REQUEST_SEALS, &requests, &l->requests_bytes);
        l->requests = requests;
    }
    if (err == 0) {
        err = ur__map(fds[1], PROT_READ | PROT_WRITE, UR__SEALS, &l->responses, &l->responses_bytes);
    }
    ur__close_fd(fds[0]);
    ur__close_fd(fds[1]);
    if (err == 0) {
        err = ur__check_segments(l, o, &m);
    }
    if (err == 0) {
        err = ur__open_link(l, o, &m);
    }
    if (err == 0 && l->bell >= 0) {
        err = ur__open_poll(l);
    }
    if (err != 0 && o->refusal[0] == '\0') {
        (void)ur__fail_attach(o, err, "cannot map the shared memory", ur__text(""));
    }
    return err;
}
