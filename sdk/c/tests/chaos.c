/* The C worker of the chaos test: many requests in flight on one link, each of them
 * a small state machine that continues when it is ready. The Go worker of that test does
 * the same (tests/chaos/worker_role_test.go). Variables: UPLOAD_RESPONSE_SOCKET and
 * _POOL, UR_BELL (futex, eventfd).
 *
 *     /echo      the body, as it comes in
 *     /digest    SHA-256 and length of the body
 *     /pattern   ?size= bytes of the pattern ?seed=
 *     /early     the same, and the body is not wanted
 *
 * With &declare=1 the response has a Content-Length. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <upload_response.h>

#include "../examples/sha256.h"

static volatile sig_atomic_t stopping;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

struct work {
    int (*advance)(ur_link *link, ur_request r, struct work *w);
    int begun, answered, declare;
    ur_slot slot;   /* being written; number 0: none */
    size_t written; /* bytes of it, or of the text */
    struct sha256 hash;
    char text[96];
    uint64_t seed, size, at; /* of the pattern */
};

/* Word k of the pattern, as in tests/chaos/pattern_test.go. */
static uint64_t pattern_word(uint64_t seed, uint64_t k) {
    uint64_t z = seed + (k + 1) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void fill_pattern(uint8_t *to, uint64_t seed, uint64_t at, size_t n) {
    for (size_t i = 0; i < n; i++) {
        to[i] = (uint8_t)(pattern_word(seed, (at + i) / 8) >> (at + i) % 8 * 8);
    }
}

static int begin(ur_link *link, ur_request r, struct work *w, uint64_t length) {
    char digits[24];
    ur_header header = {UR_LIT("content-length"), {digits, 0}};
    if (w->begun) {
        return 0;
    }
    header.value.length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, length);
    int err = ur_respond(link, r, 200, &header, w->declare ? 1 : 0, UR_NOW);
    w->begun = err == 0;
    return err;
}

static int echo(ur_link *link, ur_request r, struct work *w) {
    ur_str length = {NULL, 0};
    char digits[24] = "";
    w->declare = w->declare && (w->begun || ur_find_header(link, r, "content-length", &length) == 0);
    (void)snprintf(digits, sizeof digits, "%.*s", (int)length.length, length.data == NULL ? "" : length.data);
    int err = begin(link, r, w, strtoull(digits, NULL, 10));
    while (err == 0) {
        size_t n = 0;
        if (w->slot.number == 0) {
            err = ur_next_slot(link, r, UR_NOW, &w->slot);
            continue;
        }
        if (w->slot.kind == UR_END) {
            return ur_end(link, r, UR_NOW);
        }
        err = ur_write(link, r, (const char *)w->slot.data + w->written, w->slot.length - w->written, UR_NOW, &n);
        w->written += n;
        if (err == 0) {
            err = ur_release(link, r, w->slot.number);
            w->slot.number = 0;
            w->written = 0;
        }
    }
    return err;
}

static int digest(ur_link *link, ur_request r, struct work *w) {
    char hex[65];
    int err = 0;
    while (!w->answered) {
        err = ur_next_slot(link, r, UR_NOW, &w->slot);
        if (err != 0) {
            return err;
        }
        if (w->slot.kind == UR_END) {
            unsigned long long bytes = w->hash.bytes;
            sha256_end(&w->hash, hex);
            (void)snprintf(w->text, sizeof w->text, "%s %llu\n", hex, bytes);
            w->answered = 1;
            break;
        }
        sha256_add(&w->hash, w->slot.data, w->slot.length);
        (void)ur_release(link, r, w->slot.number);
    }
    err = begin(link, r, w, strlen(w->text));
    while (err == 0 && w->written < strlen(w->text)) {
        size_t n = 0;
        err = ur_write(link, r, w->text + w->written, strlen(w->text) - w->written, UR_NOW, &n);
        w->written += n;
    }
    return err != 0 ? err : ur_end(link, r, UR_NOW);
}

static int pattern(ur_link *link, ur_request r, struct work *w) {
    int err = begin(link, r, w, w->size);
    while (err == 0 && w->at < w->size) {
        void *room;
        size_t n;
        err = ur_reserve(link, r, UR_NOW, &room, &n);
        if (err == 0) {
            n = n < w->size - w->at ? n : (size_t)(w->size - w->at);
            fill_pattern((uint8_t *)room, w->seed, w->at, n);
            err = ur_commit(link, r, n);
            w->at += n;
        }
    }
    return err != 0 ? err : ur_end(link, r, UR_NOW);
}

static int early(ur_link *link, ur_request r, struct work *w) {
    int err = begin(link, r, w, w->size);
    if (err == 0 && !w->answered) {
        err = ur_release(link, r, UR_ALL_SLOTS);
        w->answered = 1;
    }
    return err != 0 ? err : pattern(link, r, w);
}

static uint64_t number(const char *path, const char *name) {
    const char *at = strstr(path, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void step(ur_link *link, ur_request r) {
    struct work *w = (struct work *)ur_user(link, r);
    int err = w->advance(link, r, w);
    if (err == -EAGAIN) {
        (void)ur_flush(link, r);
        return;
    }
    if (err != 0) {
        (void)ur_abort(link, r); /* harmless if it has ended */
    }
    free(w);
}

static void start(ur_link *link, ur_request r) {
    struct work *w = (struct work *)calloc(1, sizeof *w);
    char path[256];
    ur_str p = ur_path(link, r);
    if (w == NULL) {
        (void)ur_abort(link, r);
        return;
    }
    (void)snprintf(path, sizeof path, "%.*s", (int)p.length, p.data == NULL ? "" : p.data);
    w->advance = strstr(path, "/echo")     ? echo
                 : strstr(path, "/digest") ? digest
                 : strstr(path, "/early")  ? early
                                           : pattern;
    w->declare = number(path, "declare=") != 0;
    w->seed = number(path, "seed=");
    w->size = number(path, "size=");
    sha256_init(&w->hash);
    (void)ur_set_user(link, r, w);
    step(link, r);
}

/* Serves until the link is dead, or drained. */
static void serve(ur_link *link) {
    ur_counters c;
    ur_request r;
    int err;
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
        (void)ur_wait(link, UR_WAIT_STREAM | UR_WAIT_READY, 100, NULL);
    }
    if (err != -ESHUTDOWN) {
        printf("link lost: %s\n", ur_error_text(link));
        (void)fflush(stdout);
    }
}

int main(void) {
    struct sigaction action;
    ur_options options;
    const char *bell = getenv("UR_BELL"), *pool = getenv("UPLOAD_RESPONSE_POOL");
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    (void)sigaction(SIGTERM, &action, NULL);
    ur_options_init(&options);
    options.socket = getenv("UPLOAD_RESPONSE_SOCKET");
    options.pool = pool != NULL ? pool : "default";
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
