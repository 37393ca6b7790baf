/* The worker of the end-to-end tests: many echoes in flight on one link, driven by
 * ur_wait(), and a page for each test. It prints a line for each event, "<path> <event>". Variables: UPLOAD_RESPONSE_SOCKET and _POOL,
 * UR_BELL (futex, eventfd), UR_LANES. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upload_response.h>

static volatile sig_atomic_t stopping;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

struct work {
    char path[64];
    int begun;
    ur_slot slot;
    size_t written;
};

static void say(const char *path, const char *what) {
    printf("%s %s\n", path, what);
    (void)fflush(stdout);
}

/* Says how a request ended that did not end well, and aborts it. */
static void give_up(ur_link *link, ur_request r, const char *path, int err) {
    char text[96];
    (void)snprintf(text, sizeof text, "error %d: %s", -err, ur_reason_text(ur_reason(link, r)));
    say(path, text);
    (void)ur_abort(link, r);
}

static int finish(ur_link *link, ur_request r, const char *text) {
    ur_header type = {UR_LIT("Content-Type"), UR_LIT("text/plain")};
    int err = ur_respond(link, r, 200, &type, 1, UR_FOREVER);
    err = err != 0 ? err : ur_write(link, r, text, strlen(text), UR_FOREVER, NULL);
    return err != 0 ? err : ur_end(link, r, UR_FOREVER);
}

/* /headers: answers with the whole head, as text. */
static int page_headers(ur_link *link, ur_request r) {
    static char frame[65536], text[262144];
    ur_header h;
    ur_str method, scheme, authority, path;
    int err = ur_keep_headers(link, r, frame, sizeof frame);
    if (err != 0 || (err = ur_release(link, r, 1)) != 0) {
        return err;
    }
    method = ur_method(link, r);
    scheme = ur_scheme(link, r);
    authority = ur_authority(link, r);
    path = ur_path(link, r);
    size_t at = (size_t)snprintf(text, sizeof text, "HTTP %d\n%.*s %.*s\n%.*s %.*s\n", ur_http_version(link, r),
                                 (int)method.length, method.data, (int)path.length, path.data, (int)scheme.length,
                                 scheme.data, (int)authority.length, authority.data);
    for (size_t i = 0; i < ur_header_count(link, r) && err == 0; i++) {
        err = ur_header_at(link, r, i, &h);
        at += (size_t)snprintf(text + at, sizeof text - at, "%.*s: %.*s\n", (int)h.name.length, h.name.data,
                               (int)h.value.length, h.value.data);
    }
    return err != 0 ? err : finish(link, r, text);
}

/* /endless: writes until the response is no longer wanted. */
static int page_endless(ur_link *link, ur_request r) {
    static const char block[100000] = {'x'};
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    while (err == 0) {
        err = ur_write(link, r, block, sizeof block, UR_FOREVER, NULL);
    }
    return err;
}

/* /read: reads the body with blocking calls and answers with its length. */
static int page_read(ur_link *link, ur_request r, const char *path) {
    unsigned long long bytes = 0;
    char text[64];
    ur_slot slot;
    int err = ur_tail(link, r, 1, UR_NOW, &slot);
    say(path, "reads");
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        bytes += slot.kind == UR_BODY ? slot.length : 0;
        err = ur_release(link, r, slot.number);
    }
    (void)snprintf(text, sizeof text, "%llu\n", bytes);
    return err != 0 ? err : finish(link, r, text);
}

/* /early: answers before it reads, and then throws the upload away. */
static int page_early(ur_link *link, ur_request r) {
    ur_slot slot;
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    err = err != 0 ? err : ur_write(link, r, "early\n", 6, UR_FOREVER, NULL);
    err = err != 0 ? err : ur_flush(link, r);
    err = err != 0 ? err : ur_release(link, r, UR_ALL_SLOTS);
    if (err == 0 && ur_next_slot(link, r, UR_NOW, &slot) != -ENOENT) {
        return -EDOM;
    }
    return err != 0 ? err : ur_end(link, r, UR_FOREVER);
}

/* /trailers: answers with the trailers that came, as trailers. */
static int page_trailers(ur_link *link, ur_request r) {
    ur_slot slot;
    ur_header field, back[8];
    size_t at = 0, count = 0;
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    err = err != 0 ? err : ur_write(link, r, "body\n", 5, UR_FOREVER, NULL);
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind == UR_BODY) {
        err = ur_release(link, r, slot.number);
    }
    while (err == 0 && slot.kind == UR_TRAILERS && count < 8 && ur_trailer(&slot, &at, &field) == 0) {
        back[count++] = field;
    }
    err = err != 0 ? err : ur_trailers(link, r, back, count, UR_FOREVER);
    return err != 0 ? err : ur_end(link, r, UR_FOREVER);
}

/* /misuse: does what it should not, and checks that it is told. */
static int page_misuse(ur_link *link, ur_request r) {
    ur_header bad = {UR_LIT("x"), UR_LIT("a\r\nb")}, worse = {UR_LIT(""), UR_LIT("")};
    void *room;
    size_t size;
    ur_slot slot;
    if (ur_write(link, r, "x", 1, UR_NOW, NULL) != -EINVAL || ur_end(link, r, UR_NOW) != -EINVAL ||
        ur_reserve(link, r, UR_NOW, &room, &size) != -EINVAL || ur_trailers(link, r, NULL, 0, UR_NOW) != -EINVAL) {
        return -1001;
    }
    if (ur_respond(link, r, 200, &bad, 1, UR_NOW) != -EINVAL ||
        ur_respond(link, r, 200, &worse, 1, UR_NOW) != -EINVAL ||
        ur_respond(link, r, 199, NULL, 0, UR_NOW) != -EINVAL || ur_respond(link, r, 1000, NULL, 0, UR_NOW) != -EINVAL) {
        return -1002;
    }
    if (ur_release(link, r, 1000) != -EINVAL || ur_tail(link, r, 0, UR_NOW, &slot) != -EINVAL ||
        ur_commit(link, r, 1) != -EINVAL) {
        return -1003;
    }
    if (ur_cancelled(link, r + 1) != -ESTALE || ur_end(link, 0, UR_NOW) != -ESTALE || ur_ready(link, &r) == -ECHILD) {
        return -1004;
    }
    return 0;
}

/* /after: uses a request after its end. */
static int page_after(ur_link *link, ur_request r, const char *path) {
    ur_slot slot;
    int err = finish(link, r, "after\n");
    if (err == 0 && ur_tail(link, r, 1, UR_NOW, &slot) == -ESTALE && ur_flush(link, r) == -ESTALE &&
        ur_end(link, r, UR_NOW) == -ESTALE && ur_abort(link, r) == -ESTALE && ur_method(link, r).data == NULL &&
        ur_reason(link, r) == UR_NOT_CANCELLED) {
        say(path, "stale");
    }
    return err;
}

/* /fork: a child tries to use the link. */
static int page_fork(ur_link *link, ur_request r) {
    pid_t child = fork();
    if (child == 0) {
        ur_slot slot;
        ur_request other;
        int good = ur_tail(link, r, 1, UR_NOW, &slot) == -ECHILD && ur_next(link, UR_NOW, &other) == -ECHILD &&
                   ur_end(link, r, UR_NOW) == -ECHILD && ur_wait(link, UR_WAIT_READY, UR_NOW, NULL) == -ECHILD &&
                   ur_drain(link) == -ECHILD && ur_method(link, r).data == NULL;
        ur_close(link);
        _exit(good ? 0 : 1);
    }
    int status = -1;
    (void)waitpid(child, &status, 0);
    return finish(link, r, status == 0 ? "child refused\n" : "child not refused\n");
}

/* Serves the pages that block. Returns 0 if path is not one. */
static int serve_page(ur_link *link, ur_request r, const char *path) {
    int err;
    if (strcmp(path, "/hello") == 0) {
        err = finish(link, r, "hello world\n");
    } else if (strcmp(path, "/headers") == 0) {
        err = page_headers(link, r);
    } else if (strcmp(path, "/endless") == 0) {
        err = page_endless(link, r);
    } else if (strncmp(path, "/read", 5) == 0) {
        err = page_read(link, r, path);
    } else if (strcmp(path, "/early") == 0) {
        err = page_early(link, r);
    } else if (strcmp(path, "/trailers") == 0) {
        err = page_trailers(link, r);
    } else if (strcmp(path, "/abort") == 0) {
        err = -EIO;
    } else if (strcmp(path, "/abort-late") == 0) {
        err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
        err = err != 0 ? err : ur_write(link, r, "part", 4, UR_FOREVER, NULL);
        err = err != 0 ? err : ur_flush(link, r);
        err = err != 0 ? err : -EIO;
    } else if (strcmp(path, "/misuse") == 0) {
        err = page_misuse(link, r);
        err = err != 0 ? err : finish(link, r, "told\n");
    } else if (strcmp(path, "/after") == 0) {
        err = page_after(link, r, path);
    } else if (strcmp(path, "/fork") == 0) {
        err = page_fork(link, r);
    } else {
        return 0;
    }
    if (err != 0) {
        give_up(link, r, path, err);
    }
    return 1;
}

static int advance(ur_link *link, ur_request r, struct work *w) {
    int err = 0;
    if (!w->begun && (err = ur_respond(link, r, 200, NULL, 0, UR_NOW)) == 0) {
        w->begun = 1;
    }
    while (err == 0) {
        if (w->slot.number == 0) {
            err = ur_next_slot(link, r, UR_NOW, &w->slot);
            continue;
        }
        if (w->slot.kind == UR_END) {
            return ur_end(link, r, UR_NOW);
        }
        if (w->slot.kind == UR_BODY) {
            size_t n = 0;
            err = ur_write(link, r, (const char *)w->slot.data + w->written, w->slot.length - w->written, UR_NOW, &n);
            w->written += n;
        }
        if (err == 0) {
            err = ur_release(link, r, w->slot.number);
            w->slot.number = 0;
            w->written = 0;
        }
    }
    if (err == -EAGAIN) {
        (void)ur_flush(link, r);
    }
    return err;
}

static void step(ur_link *link, ur_request r) {
    struct work *w = (struct work *)ur_user(link, r);
    int err = advance(link, r, w);
    if (err == -EAGAIN) {
        return;
    }
    if (err != 0) {
        give_up(link, r, w->path, err);
    }
    free(w);
}

static void start(ur_link *link, ur_request r) {
    struct work *w = (struct work *)calloc(1, sizeof *w);
    ur_str path = ur_path(link, r);
    (void)snprintf(w->path, sizeof w->path, "%.*s", (int)path.length, path.data);
    if (serve_page(link, r, w->path)) {
        free(w);
        return;
    }
    (void)ur_set_user(link, r, w);
    step(link, r);
}

static void serve(ur_link *link) {
    ur_counters c;
    ur_request r;
    int err = 0;
    for (;;) {
        if (stopping) {
            (void)ur_drain(link);
        }
        while ((err = ur_next(link, UR_NOW, &r)) == 0) {
            start(link, r);
        }
        while (ur_ready(link, &r) == 0) {
            step(link, r);
        }
        (void)ur_get_counters(link, &c);
        if (c.active == 0 && err != -EAGAIN) {
            break;
        }
        (void)ur_wait(link, UR_WAIT_STREAM | UR_WAIT_READY, 50, NULL);
    }
    say("link", err == -ESHUTDOWN ? "drained" : ur_error_text(link));
}

int main(void) {
    struct sigaction action;
    ur_options options;
    const char *bell = getenv("UR_BELL"), *lanes = getenv("UR_LANES"), *pool = getenv("UPLOAD_RESPONSE_POOL");
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
    ur_options_init(&options);
    options.socket = getenv("UPLOAD_RESPONSE_SOCKET");
    options.pool = pool != NULL ? pool : "default";
    options.lanes = lanes != NULL ? (uint32_t)atoi(lanes) : 64;
    options.bell = bell != NULL && strcmp(bell, "eventfd") == 0 ? UR_BELL_EVENTFD : UR_BELL_FUTEX;
    while (!stopping) {
        ur_link *link;
        int err = ur_attach(&link, &options);
        if (err == 0) {
            serve(link);
            ur_close(link);
        } else if (ur_is_temporary(err)) {
            (void)usleep(20000);
        } else {
            printf("refused %d: %s\n", -err, options.refusal);
            return 3;
        }
    }
    return 0;
}
