/* Stores why an attach failed, and returns the error. */
static inline int ur__fail_attach(ur_options *o, int err, const char *why, ur_str more) {
    (void)snprintf(o->refusal, sizeof o->refusal, "%s%.*s", why, (int)ur__min(more.length, UR_TEXT_BYTES),
                   more.data == NULL ? "" : more.data);
    return err;
}

/* The error for a server's refusal. */
static inline int ur__refused(ur_options *o, const struct ur__message *m) {
    static const struct {
        const char *code;
        int error;
    } codes[] = {
        {"layout", EPROTONOSUPPORT}, {"denied", EACCES}, {"pool", ENXIO}, {"full", EBUSY}, {"draining", ESHUTDOWN}};
    o->layout_min = (uint32_t)m->layout_min;
    o->layout_max = (uint32_t)m->layout_max;
    (void)ur__fail_attach(o, 0, "", m->message);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (ur__equals(m->code, codes[i].code)) {
            return -codes[i].error;
        }
    }
    return -EINVAL;
}

/* A variable of the environment, or NULL. A program with more rights than the user that
 * started it ignores the environment. */
static inline const char *ur__environment(const char *name) {
    const char *value = getauxval(23 /* AT_SECURE */) != 0 ? NULL : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Reports whether a path is a folder, and no link to one, that belongs to our user and
 * that no other user can write. */
static inline int ur__is_private_folder(const char *folder) {
    struct stat info;
    return lstat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() && (info.st_mode & 022) == 0;
}

/* Stores the path of the socket in a folder. */
static inline int ur__socket_in(char *path, size_t size, const char *folder) {
    int n = snprintf(path, size, "%s/upload-response.sock", folder);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* As ur_default_socket, with other folders in place of /run and /tmp. */
static inline int ur__find_socket(char *path, size_t size, const char *run, const char *tmp) {
    char folder[256];
    struct stat info;
    const char *given = ur__environment("UPLOAD_RESPONSE_SOCKET"), *session = ur__environment("XDG_RUNTIME_DIR");
    if (given != NULL) {
        int n = snprintf(path, size, "%s", given);
        return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
    }
    if (session != NULL && session[0] == '/') {
        return ur__socket_in(path, size, session);
    }
    (void)snprintf(folder, sizeof folder, "%s/user/%u", run, (unsigned)geteuid());
    if (ur__is_private_folder(folder)) {
        return ur__socket_in(path, size, folder);
    }
    if (geteuid() == 0 && ur__is_private_folder(run) && access(run, W_OK) == 0) {
        return ur__socket_in(path, size, run);
    }
    (void)snprintf(folder, sizeof folder, "%s/upload-response-%u", tmp, (unsigned)geteuid());
    int err = ur__socket_in(path, size, folder);
    if (err == 0 && !ur__is_private_folder(folder) && (lstat(folder, &info) == 0 || errno != ENOENT)) {
        return -EACCES;
    }
    return err;
}

/* Returns the user whose server is trusted besides ours and root's. 0: none. */
static inline int ur__trusted_user(const ur_options *o, uint32_t *uid) {
    const char *digits = o->server_uid == 0 ? ur__environment("UPLOAD_RESPONSE_SERVER_UID") : NULL;
    uint64_t n = o->server_uid;
    for (; digits != NULL && *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9' || (n = n * 10 + (uint64_t)(*digits - '0')) > UINT32_MAX) {
            return -EINVAL;
        }
    }
    *uid = (uint32_t)n;
    return 0;
}

/* Reports whether the user of a server is trusted. */
static inline int ur__is_trusted(uint32_t server, uint32_t named) {
    return server == 0 || server == geteuid() || (named != 0 && server == named);
}

/* Checks the user of the server at the other end. */
static inline int ur__check_server(const ur_link *l, ur_options *o, const char *path) {
    struct {
        int32_t pid;
        uint32_t uid, gid;
    } peer; /* struct ucred */
    socklen_t size = sizeof peer;
    uint32_t named = 0;
    if (ur__trusted_user(o, &named) != 0) {
        return ur__fail_attach(o, -EINVAL, "UPLOAD_RESPONSE_SERVER_UID is not the number of a user", ur__text(""));
    }
    if (getsockopt(l->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return ur__fail_attach(o, ur__errno(), "cannot tell whose server it is at ", ur__text(path));
    }
    if (ur__is_trusted(peer.uid, named)) {
        return 0;
    }
    /* clang-format off */
    (void)snprintf(o->refusal, sizeof o->refusal,
                   "the server at %.80s is of user %u, not of ours (%u) or root: "
                   "name it with UPLOAD_RESPONSE_SERVER_UID or server_uid if that is right",
                   path, (unsigned)peer.uid, (unsigned)geteuid());
    /* clang-format on */
    return -EPERM;
}

/* Bounds the next call on a socket by a time of the clock. */
static inline int ur__wait_until(int fd, int64_t deadline) {
    struct timeval t;
    int64_t left = deadline - ur__now();
    if (left <= 0) {
        return -ETIMEDOUT;
    }
    t.tv_sec = (time_t)(left / 1000000000);
    t.tv_usec = (suseconds_t)(left % 1000000000 / 1000 + 1); /* 0 would mean no bound */
    if (t.tv_usec == 1000000) {
        t.tv_usec = 999999;
    }
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) != 0
               ? ur__errno()
               : 0;
}

static inline int64_t ur__deadline(const ur_options *o) { return ur__now() + (int64_t)o->timeout_ms * 1000000; }

static inline int ur__connect(ur_link *l, ur_options *o, const char *path) {
    struct sockaddr_un address;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return ur__fail_attach(o, length == 0 ? -EINVAL : -ENAMETOOLONG, "bad path of the socket", ur__text(""));
    }
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, length);
    int64_t deadline = ur__deadline(o);
    l->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int err = l->socket < 0 ? ur__errno() : ur__wait_until(l->socket, deadline);
    if (err != 0) {
        return ur__fail_attach(o, err, "cannot make a socket", ur__text(""));
    }
    while (connect(l->socket, (const struct sockaddr *)&address, sizeof address) != 0) {
        err = errno == EINTR ? ur__wait_until(l->socket, deadline) : ur__errno();
        if (err != 0) {
            (void)snprintf(o->refusal, sizeof o->refusal, "cannot connect to %s: %s", path, strerror(-err));
            return err;
        }
    }
    return ur__check_server(l, o, path);
}

/* Connects to the socket that the caller names, or to the default one. */
static inline int ur__connect_server(ur_link *l, ur_options *o) {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (o->timeout_ms <= 0) {
        return ur__fail_attach(o, -EINVAL, "timeout_ms is not positive", ur__text(""));
    }
    if (o->socket != NULL && o->socket[0] != '\0') {
        return ur__connect(l, o, o->socket);
    }
    int err = ur_default_socket(path, sizeof path);
    if (err == -EACCES) {
        (void)snprintf(o->refusal, sizeof o->refusal, "%.*s: not a folder that only user %u can write",
                       (int)(strrchr(path, '/') - path), path, (unsigned)geteuid());
        return err;
    }
    return err != 0 ? ur__fail_attach(o, err, "the path of the socket is too long", ur__text(""))
                    : ur__connect(l, o, path);
}
