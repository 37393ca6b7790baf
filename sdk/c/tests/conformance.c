/* The driver of the conformance suite: a worker that runs the script of each request and
 * prints the results. tests/conformance/README.md describes drivers. Here every request
 * is a state machine that retries its step when it is ready, so that one thread serves
 * many of them. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "conformance_steps.h"

static int stopping;

static void stop(int signal) {
    (void)signal;
    __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
}

/* Ends what the script has left open, and the task. */
static void finish(struct worker *w, struct task *t) {
    struct task **at = &w->tasks;
    (void)ur_abort(w->link, t->r); /* -ESTALE, if it has ended */
    printf("%s over\n", t->id);
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
    drop_fields(t);
    free(t->fields);
    free(t);
}

/* Goes on with a script until a step has to wait. */
static void go_on(struct worker *w, struct task *t) {
    int result = 0;
    do {
        if (t->verb[0] != '\0') {
            if ((result = try_step(w, t)) == -EAGAIN) {
                return;
            }
            say_result(w->link, t, result);
        }
    } while (result != -ECANCELED && next_step(t));
    finish(w, t);
}

static void copy_header(ur_link *link, ur_request r, const char *name, char *to, size_t size) {
    ur_str value = {"", 0};
    (void)ur_find_header(link, r, name, &value);
    (void)snprintf(to, size, "%.*s", (int)value.length, value.data);
}

static void begin(struct worker *w, ur_request r) {
    struct task *t = (struct task *)calloc(1, sizeof *t);
    t->r = r;
    t->fields = (ur_header *)calloc(MOST_FIELDS, sizeof *t->fields);
    t->rest = t->script;
    t->wait_ms = UR_NOW;
    copy_header(w->link, r, "x-id", t->id, sizeof t->id);
    copy_header(w->link, r, "x-script", t->script, sizeof t->script);
    t->next = w->tasks;
    w->tasks = t;
    (void)ur_set_user(w->link, r, t);
    printf("%s begin %d\n", t->id, w->number);
    go_on(w, t);
}

/* Wakes those that are held at a gate. */
static void let_through(struct worker *w) {
    struct task *next;
    for (struct task *t = w->tasks; t != NULL; t = next) {
        next = t->next;
        if (strcmp(t->verb, "hold") == 0 && is_open(w, t->argument[0])) {
            go_on(w, t);
        }
    }
}

/* Sleeps until there is something to do, or it is time to look at stopping. */
static void sleep_until_ready(ur_link *link) {
    if (ur_fd(link) < 0) {
        (void)ur_wait(link, UR_WAIT_STREAM | UR_WAIT_READY, 50, NULL);
        return;
    }
    if (ur_arm(link, UR_WAIT_STREAM | UR_WAIT_READY) == 0) {
        struct pollfd p = {ur_fd(link), POLLIN, 0};
        (void)poll(&p, 1, 50);
    }
    (void)ur_disarm(link);
}

/* Serves a link until it is drained or dead. */
static void run(struct worker *w) {
    int err = 0, drains = 0;
    ur_request r;
    while (err == 0 || err == -EAGAIN || w->tasks != NULL) {
        if (!drains && __atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
            drains = ur_drain(w->link) == 0;
            printf("- draining %d\n", w->number);
        }
        while ((err = ur_next(w->link, UR_NOW, &r)) == 0) {
            begin(w, r);
        }
        while (ur_ready(w->link, &r) == 0) {
            go_on(w, (struct task *)ur_user(w->link, r));
        }
        let_through(w);
        if (err == -EAGAIN || w->tasks != NULL) {
            sleep_until_ready(w->link);
        }
    }
    ur_counters c;
    (void)ur_get_counters(w->link, &c);
    printf("- counters %d requests=%llu ended=%llu aborted=%llu active=%llu\n", w->number,
           (unsigned long long)c.requests, (unsigned long long)c.ended, (unsigned long long)c.aborted,
           (unsigned long long)c.active);
    printf(err == -ESHUTDOWN ? "- drained %d\n" : "- gone %d\n", w->number);
}

static void *attach_and_run(void *argument) {
    struct worker *w = (struct worker *)argument;
    const char *bell = getenv("CONFORMANCE_BELL"), *lanes = getenv("CONFORMANCE_LANES"),
               *pool = getenv("UPLOAD_RESPONSE_POOL");
    ur_options options;
    ur_options_init(&options);
    options.socket = getenv("UPLOAD_RESPONSE_SOCKET");
    options.pool = pool != NULL ? pool : "default";
    options.lanes = (uint32_t)number(lanes != NULL ? lanes : "", 64);
    options.bell = bell != NULL && strcmp(bell, "eventfd") == 0 ? UR_BELL_EVENTFD : UR_BELL_FUTEX;
    while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
        int err = ur_attach(&w->link, &options);
        if (err == 0) {
            w->open = 0;
            printf("- attached %d\n", w->number);
            run(w);
            ur_close(w->link);
        } else if (ur_is_temporary(err)) {
            (void)usleep(10000);
        } else {
            printf("- refused %s\n", options.refusal);
            exit(3);
        }
    }
    return NULL;
}

int main(void) {
    const char *links = getenv("CONFORMANCE_LINKS");
    size_t count = (size_t)number(links != NULL ? links : "", 1);
    struct worker *workers = (struct worker *)calloc(count, sizeof *workers);
    pthread_t *threads = (pthread_t *)calloc(count, sizeof *threads);
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    (void)sigaction(SIGTERM, &action, NULL);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    make_pattern();
    for (size_t i = 0; i < count; i++) {
        workers[i].number = (int)i;
        (void)pthread_create(&threads[i], NULL, attach_and_run, &workers[i]);
    }
    for (size_t i = 0; i < count; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    free(threads);
    free(workers);
    return 0;
}
