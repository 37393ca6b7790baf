/* ------------------------------------------------------- the public functions */

UR_INLINE void ur_options_init(ur_options *options) {
    memset(options, 0, sizeof *options);
    options->socket = "";
    options->pool = "default";
    options->name = "";
    options->sdk = "c";
    options->sdk_version = UR_VERSION;
    options->lanes = 16;
    options->timeout_ms = 10000;
}

UR_INLINE int ur_attach(ur_link **link, ur_options *options) {
    *link = NULL;
    options->refusal[0] = '\0';
    options->layout_min = options->layout_max = 0;
    ur_link *l = (ur_link *)calloc(1, sizeof *l);
    if (l == NULL) {
        return ur__fail_attach(options, -ENOMEM, "out of memory", ur__text(""));
    }
    l->socket = l->server_bell = l->bell = l->poll = -1;
    l->pid = getpid();
    l->guard = ur__make_guard();
    int err = ur__connect_server(l, options);
    if (err == 0) {
        err = ur__handshake(l, options);
    }
    if (err != 0) {
        ur__free_link(l);
        return err;
    }
    *link = l;
    return 0;
}

UR_INLINE int ur_default_socket(char *path, size_t size) { return ur__find_socket(path, size, "/run", "/tmp"); }

UR_INLINE int ur_is_temporary(int error) {
    switch (error) {
    case -ENOENT: /* no socket yet */
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -EPIPE:
    case -EAGAIN: /* too many are connecting */
    case -ETIMEDOUT:
    case -EBUSY:
    case -ESHUTDOWN: return 1;
    default: return 0;
    }
}

UR_INLINE void ur_close(ur_link *link) {
    if (link == NULL) {
        return;
    }
    if (!ur__forked(link) && !link->dead) {
        ur__send_message(link, UR__BYE, "closed");
    }
    ur__free_link(link);
}

UR_INLINE int ur_drain(ur_link *link) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->dead) {
        return -ENOTCONN;
    }
    if (!link->drain_sent) {
        link->drain_sent = 1;
        ur__send_message(link, UR__DRAIN, "");
    }
    return 0;
}

UR_INLINE int ur_server_drains(const ur_link *link) { return link->server_drains; }

UR_INLINE const char *ur_error_text(const ur_link *link) { return link->why; }

UR_INLINE size_t ur_slot_size(const ur_link *link) { return link->slot_size; }

UR_INLINE void ur_server(const ur_link *link, uint32_t *pid, const char **name, uint64_t *instance) {
    if (pid != NULL) {
        *pid = link->server_pid;
    }
    if (name != NULL) {
        *name = link->server;
    }
    if (instance != NULL) {
        *instance = link->instance;
    }
}

UR_INLINE uint64_t ur_response_timeout_ms(const ur_link *link) { return link->response_timeout_ms; }

UR_INLINE int ur_get_counters(const ur_link *link, ur_counters *counters) {
    *counters = link->counters;
    counters->buffers = link->pool.total;
    counters->buffers_free = link->pool.free;
    return ur__forked(link) ? -ECHILD : 0;
}

UR_INLINE void ur_get_memory(const ur_link *link, ur_memory *memory) {
    memory->requests = link->requests;
    memory->requests_size = link->requests_bytes;
    memory->responses = link->responses;
    memory->responses_size = link->responses_bytes;
}
