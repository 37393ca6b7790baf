/* Many requests at once on one thread: a plain epoll loop that echoes bodies. A
 * request that cannot continue now does so when ur_ready() names it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <upload_response.h>

/* The state of an echo. */
struct echo {
    int begun;
    ur_slot slot;   /* the slot being written; number 0: none */
    size_t written; /* bytes of it */
};

static int begin(ur_link *link, ur_request r) {
    ur_header headers[2] = {{UR_LIT("content-type"), UR_LIT("application/octet-stream")},
                            {UR_LIT("content-length"), UR_LIT("")}};
    (void)ur_find_header(link, r, "content-type", &headers[0].value);
    size_t count = ur_find_header(link, r, "content-length", &headers[1].value) == 0 ? 2 : 1;
    return ur_respond(link, r, 200, headers, count, UR_NOW);
}

/* Writes the rest of the present slot, and releases it. */
static int write_slot(ur_link *link, ur_request r, struct echo *e) {
    size_t n = 0;
    int err = 0;
    if (e->slot.kind == UR_BODY) {
        err = ur_write(link, r, (const char *)e->slot.data + e->written, e->slot.length - e->written, UR_NOW, &n);
    }
    e->written += n;
    if (err != 0) {
        return err;
    }
    err = ur_release(link, r, e->slot.number);
    e->slot.number = 0;
    e->written = 0;
    return err;
}

/* Continues until it would have to wait: then it returns -EAGAIN. */
static int advance(ur_link *link, ur_request r, struct echo *e) {
    int err = 0;
    if (!e->begun && (err = begin(link, r)) == 0) {
        e->begun = 1;
    }
    while (err == 0) {
        if (e->slot.number != 0 && e->slot.kind == UR_END) {
            return ur_end(link, r, UR_NOW);
        }
        if (e->slot.number != 0) {
            err = write_slot(link, r, e);
        } else {
            err = ur_next_slot(link, r, UR_NOW, &e->slot);
        }
    }
    if (err == -EAGAIN) {
        (void)ur_flush(link, r); /* send everything before we wait */
    }
    return err;
}

static void step(ur_link *link, ur_request r) {
    struct echo *e = (struct echo *)ur_user(link, r);
    int err = advance(link, r, e);
    if (err == -EAGAIN) {
        return;
    }
    if (err != 0) {
        (void)ur_abort(link, r); /* harmless if it has ended */
    }
    free(e);
}

static void start(ur_link *link, ur_request r) {
    struct echo *e = (struct echo *)calloc(1, sizeof *e);
    if (e == NULL || ur_set_user(link, r, e) != 0) {
        (void)ur_abort(link, r);
        free(e);
        return;
    }
    step(link, r);
}

static int watch(int poll, int fd) {
    struct epoll_event event;
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    event.data.fd = fd;
    return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
}

/* Serves until the link is dead or, after a signal, drained. */
static int serve_link(ur_link *link, int poll, int signals) {
    struct signalfd_siginfo signal;
    struct epoll_event events[4];
    int stopping = 0, err = 0;
    ur_counters counters;
    ur_request r;
    (void)watch(poll, ur_fd(link));
    for (;;) {
        if (ur_arm(link, UR_WAIT_STREAM | UR_WAIT_READY) == 0) {
            (void)epoll_wait(poll, events, 4, -1); /* the loop may watch other descriptors, too */
        }
        (void)ur_disarm(link);
        if (read(signals, &signal, sizeof signal) > 0) {
            stopping = 1;
            (void)ur_drain(link);
        }
        while ((err = ur_next(link, UR_NOW, &r)) == 0) {
            start(link, r);
        }
        while (ur_ready(link, &r) == 0) {
            step(link, r);
        }
        (void)ur_get_counters(link, &counters);
        if (counters.active == 0 && err != -EAGAIN) {
            return stopping; /* -ESHUTDOWN: drained; or the link is dead */
        }
    }
}

static const char *setting(int argc, char **argv, const char *flag, const char *name, const char *otherwise) {
    const char *value = getenv(name);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], flag) == 0) {
            return argv[i + 1];
        }
    }
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

/* Makes a descriptor of SIGTERM and SIGINT. */
static int open_signals(void) {
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int main(int argc, char **argv) {
    ur_options options;
    struct signalfd_siginfo signal;
    int signals = open_signals(), poll = epoll_create1(EPOLL_CLOEXEC), stopping = 0;
    useconds_t pause = 20000;
    ur_options_init(&options);
    options.socket = setting(argc, argv, "--socket", "UPLOAD_RESPONSE_SOCKET", "");
    options.pool = setting(argc, argv, "--pool", "UPLOAD_RESPONSE_POOL", "default");
    options.lanes = 64;
    options.bell = UR_BELL_EVENTFD;
    if (signals < 0 || poll < 0 || watch(poll, signals) != 0) {
        return 1;
    }
    while (!stopping) {
        ur_link *link;
        int err = ur_attach(&link, &options);
        if (err == 0) {
            pause = 20000;
            stopping = serve_link(link, poll, signals);
            ur_close(link); /* the descriptor leaves the epoll set by itself */
            continue;
        }
        if (!ur_is_temporary(err)) {
            fprintf(stderr, "cannot attach: %s\n", options.refusal);
            return 1;
        }
        (void)usleep(pause);
        pause = pause < 500000 ? 2 * pause : 1000000;
        stopping = read(signals, &signal, sizeof signal) > 0;
    }
    return 0;
}
