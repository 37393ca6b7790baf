/* A worker in C that misbehaves: what its paths do is in main_test.go. */
#include <semaphore.h>

#include "../../../sdk/c/examples/common.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

/* Sends what it reads, while it reads. */
static void echo(ur_link *link, ur_request r) {
    ur_slot slot;
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    while (err == 0 && (err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        if (slot.kind == UR_BODY) {
            err = ur_write(link, r, slot.data, slot.length, UR_FOREVER, NULL);
        }
        (void)ur_release(link, r, slot.number);
    }
    if (err != 0 || ur_end(link, r, UR_FOREVER) != 0) {
        (void)ur_abort(link, r);
    }
}

/* Sends a byte at a time, slowly. */
static void drip(ur_link *link, ur_request r) {
    int err = ur_respond(link, r, 200, NULL, 0, UR_FOREVER);
    for (int i = 0; i < 20 && err == 0; i++) {
        err = ur_write(link, r, "x", 1, UR_FOREVER, NULL);
        err = err == 0 ? ur_flush(link, r) : err;
        (void)usleep(100000);
    }
    if (err != 0 || ur_end(link, r, UR_FOREVER) != 0) {
        (void)ur_abort(link, r);
    }
}

/* Reads a slot at a time, slowly, and answers with the number of bytes. */
static void sip(ur_link *link, ur_request r) {
    ur_slot slot;
    unsigned long long bytes = 0;
    char text[32];
    int err;
    while ((err = ur_next_slot(link, r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        bytes += slot.length;
        (void)usleep(100000);
        (void)ur_release(link, r, slot.number);
    }
    (void)snprintf(text, sizeof text, "%llu", bytes);
    answer(link, r, err == 0 ? 200 : 400, "text/plain", text);
}

static void eat(void) {
    enum { BYTES = 96 << 20 };
    char *p = malloc(BYTES);
    if (p != NULL) {
        memset(p, 1, BYTES);
    }
    __asm__ volatile("" : : "r"(p) : "memory"); /* it is lost on purpose, and not optimized away */
}

/* Waits for what only this thread could do. */
static void deadlock(void) {
    sem_t s;
    if (sem_init(&s, 0, 0) == 0) {
        while (sem_wait(&s) != 0) {
        }
    }
}

static int is(ur_str path, const char *name) {
    size_t n = strlen(name);
    return path.length >= n && memcmp(path.data, name, n) == 0 && (path.length == n || path.data[n] == '?');
}

static void serve(ur_link *link, ur_request r, const struct settings *s) {
    ur_str path = ur_path(link, r);
    (void)s;
    if (is(path, "/echo")) {
        echo(link, r);
        return;
    }
    if (is(path, "/slow")) {
        drip(link, r);
        return;
    }
    if (is(path, "/slow-read")) {
        sip(link, r);
        return;
    }
    if (is(path, "/hang")) {
        (void)pthread_mutex_lock(&mutex);
        (void)pthread_mutex_lock(&mutex);
    } else if (is(path, "/sleep")) {
        for (;;) {
            (void)pause();
        }
    } else if (is(path, "/spin")) {
        for (volatile int i = 0;; i++) {
        }
    } else if (is(path, "/deadlock")) {
        deadlock();
    } else if (is(path, "/eat")) {
        eat();
    } else if (is(path, "/exit")) {
        _exit(3);
    } else if (is(path, "/abort")) {
        abort();
    }
    answer(link, r, 200, "text/plain", "ok\n");
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    const char *marker = getenv("DIES_WHILE");
    if (marker != NULL && access(marker, F_OK) == 0) {
        fprintf(stderr, "dies at its start\n");
        return 1;
    }
    s.serve = serve;
    return run_worker(&s) != 0;
}
