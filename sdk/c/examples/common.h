/* Shared by the blocking examples: the command line, a clean end on SIGTERM, a link for
 * each thread, and a server that may end and come back. */
#ifndef EXAMPLE_COMMON_H
#define EXAMPLE_COMMON_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <upload_response.h>

struct settings {
    const char *socket, *pool, *file;
    int threads;
    uint32_t lanes;  /* requests that a link serves at once; 1 */
    uint32_t stacks; /* the signal on which stacks are printed; 0: none */
    /* Answers one request, and ends it. */
    void (*serve)(ur_link *link, ur_request r, const struct settings *s);
    /* Serves a link until it is dead, or drained, and returns the error that says which.
     * serve_in_turn, the default, calls serve for one request after the other. */
    int (*serve_link)(ur_link *link, const struct settings *s);
};

/* Set by SIGTERM and SIGINT. */
static atomic_int stopping;

static void stop(int signal) {
    (void)signal;
    stopping = 1;
}

static void stop_on_signals(void) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = stop;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends the process */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGINT, &action, NULL);
}

/* ---- stacks: printed when the server asks a worker that is stuck where it hangs */

enum { PRINT_STACKS = 40, MAX_THREADS = 1024 }; /* a real-time signal, which libraries seldom use */

#ifdef __GLIBC__
#include <execinfo.h>
#include <sys/syscall.h>

/* The threads that serve, as the kernel numbers them: 0 is none, and one that has ended gets no signal. */
static atomic_int serving[MAX_THREADS];

/* The signal comes to some thread, which passes it on to those that serve. */
static void print_stack(int signal, siginfo_t *info, void *context) {
    static const char head[] = "stack of a thread, most recent call first:\n";
    void *frames[64];
    int before = errno;
    (void)context;
    if (info->si_code != SI_TKILL) {
        for (int i = 0; i < MAX_THREADS; i++) {
            if (serving[i] != 0) {
                (void)syscall(SYS_tgkill, getpid(), (int)serving[i], signal);
            }
        }
    } else if (write(STDERR_FILENO, head, sizeof head - 1) > 0) {
        backtrace_symbols_fd(frames, backtrace(frames, 64), STDERR_FILENO);
    }
    errno = before;
}

/* Installs the handler, and returns its signal. */
static uint32_t print_stacks_on_signal(void) {
    struct sigaction action;
    void *frame;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = print_stack;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    (void)backtrace(&frame, 1); /* the first call loads a library, which no handler may do */
    return sigaction(PRINT_STACKS, &action, NULL) == 0 ? (uint32_t)PRINT_STACKS : 0;
}

/* Has the handler reach this thread, which is the i-th. */
static void print_stack_of_thread(int i) { serving[i] = (int)syscall(SYS_gettid); }
#else
static uint32_t print_stacks_on_signal(void) { return 0; }
static void print_stack_of_thread(int i) { (void)i; }
#endif

/* ---- the command line */

static const char *variable(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : otherwise;
}

static int serve_in_turn(ur_link *link, const struct settings *s) {
    int err = 0;
    while (err == 0 || err == -ETIMEDOUT) {
        ur_request r;
        if (stopping) {
            (void)ur_drain(link); /* ur_next says -ESHUTDOWN after the last */
        }
        err = ur_next(link, 100, &r);
        if (err == 0) {
            s->serve(link, r, s);
        }
    }
    return err;
}

/* Returns the number of threads that a text says, or 0. */
static int thread_count(const char *text) {
    char *end;
    long n = strtol(text, &end, 10);
    return *end == '\0' && n > 0 && n <= MAX_THREADS ? (int)n : 0;
}

/* Reads the command line, or ends the process. */
static struct settings read_settings(int argc, char **argv) {
    struct settings s;
    memset(&s, 0, sizeof s);
    s.socket = ""; /* where a server listens by default: see ur_default_socket */
    s.pool = variable("UPLOAD_RESPONSE_POOL", "default");
    s.threads = 1;
    s.lanes = 1;
    s.serve_link = serve_in_turn;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--socket") == 0) {
            s.socket = argv[i + 1];
        } else if (i + 1 < argc && strcmp(argv[i], "--pool") == 0) {
            s.pool = argv[i + 1];
        } else if (i + 1 < argc && strcmp(argv[i], "--file") == 0) {
            s.file = argv[i + 1];
        } else if (i + 1 < argc && strcmp(argv[i], "--threads") == 0 && thread_count(argv[i + 1]) > 0) {
            s.threads = thread_count(argv[i + 1]);
        } else {
            fprintf(stderr, "usage: %s [--socket PATH] [--pool NAME] [--threads N] [--file PATH]\n", argv[0]);
            exit(2);
        }
    }
    return s;
}

static void say_why(ur_link *link, int err) {
    if (err == -ENOTCONN) {
        fprintf(stderr, "link lost: %s\n", ur_error_text(link));
    } else if (err != -ESHUTDOWN) {
        fprintf(stderr, "link lost: error %d\n", -err);
    }
}

/* Attaches, serves, and attaches again, until a signal comes. Returns 0, or the
 * error of an attach that is not temporary. */
static int keep_serving(const struct settings *s) {
    useconds_t pause = 20000;
    while (!stopping) {
        ur_options options;
        ur_link *link;
        ur_options_init(&options);
        options.socket = s->socket;
        options.pool = s->pool;
        options.lanes = s->lanes;
        options.stacks = s->stacks;
        int err = ur_attach(&link, &options);
        if (err == 0) {
            pause = 20000;
            say_why(link, s->serve_link(link, s));
            ur_close(link);
            continue;
        }
        if (!ur_is_temporary(err)) {
            fprintf(stderr, "cannot attach: %s\n", options.refusal);
            return err;
        }
        if (pause == 20000) {
            fprintf(stderr, "waiting for the server: %s\n", options.refusal);
        }
        (void)usleep(pause);
        pause = pause < 500000 ? 2 * pause : 1000000;
    }
    return 0;
}

static void *run_thread(void *settings) {
    static atomic_int threads;
    print_stack_of_thread(threads++);
    return (void *)(intptr_t)keep_serving((const struct settings *)settings);
}

/* Runs a worker with as many threads as asked for, a link each. */
static int run_worker(struct settings *s) {
    const int count = s->threads > 1 ? s->threads : 1;
    pthread_t *threads = (pthread_t *)calloc((size_t)count, sizeof *threads);
    int status = 0;
    stop_on_signals();
    s->stacks = print_stacks_on_signal();
    for (int i = 0; i < count; i++) {
        if (threads == NULL || pthread_create(&threads[i], NULL, run_thread, s) != 0) {
            (void)fprintf(stderr, "cannot start %d threads\n", count);
            return 1; /* the process ends, and its threads with it */
        }
    }
    for (int i = 0; i < count; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        status |= result != NULL;
    }
    free(threads);
    return status;
}

/* Answers with a status and a short text, whatever the state of the request. */
static inline void answer(ur_link *link, ur_request r, int status, const char *type, const char *text) {
    char length[24];
    ur_header headers[2] = {{UR_LIT("content-type"), {type, strlen(type)}}, {UR_LIT("content-length"), {length, 0}}};
    headers[1].value.length = (size_t)snprintf(length, sizeof length, "%zu", strlen(text));
    if (ur_respond(link, r, status, headers, 2, UR_FOREVER) != 0 ||
        ur_write(link, r, text, strlen(text), UR_FOREVER, NULL) != 0 || ur_end(link, r, UR_FOREVER) != 0) {
        (void)ur_abort(link, r);
    }
}

#endif
