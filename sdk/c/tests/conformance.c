/* The driver of the conformance suite: a worker that does what each request's script
 * says, and prints what comes of it. tests/conformance/README.md says what a driver
 * has to do; here every request is a state machine, whose steps are tried again when
 * there is news of it, so that one thread serves many of them. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <upload_response.h>

enum { PERIOD = 65521, SCRIPT = 8192, MOST_FIELDS = 9000, TEXT = 128, MOST_GATES = 64, NOTHING = 1 };

struct task {
    ur_request r;
    struct task *next;
    char id[TEXT], script[SCRIPT], verb[TEXT], argument[3][TEXT];
    char *rest;                /* of the script, behind the present step */
    int wait_ms;               /* UR_NOW, or UR_FOREVER after "block" */
    unsigned long long done;   /* of the present step: slots, or bytes */
    unsigned long long offset; /* of the response's pattern */
    ur_slot slot;              /* that "echo" is at; number 0: none */
    ur_header *fields;         /* gathered; the bytes are on the heap, too */
    size_t count;
};

struct worker {
    int number;
    ur_link *link;
    struct task *tasks;
    char gates[MOST_GATES][TEXT]; /* that are open */
    size_t open;
};

static int stopping;
static uint8_t pattern[64 * PERIOD];

static void stop(int signal) {
    (void)signal;
    __atomic_store_n(&stopping, 1, __ATOMIC_RELAXED);
}

static void make_pattern(void) {
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = i < PERIOD ? (uint8_t)((uint32_t)i * UINT32_C(2654435761) >> 24) : pattern[i - PERIOD];
    }
}

static uint32_t adler32(const void *data, size_t n) {
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < n; i++) {
        a = (a + ((const uint8_t *)data)[i]) % PERIOD;
        b = (b + a) % PERIOD;
    }
    return b << 16 | a;
}

/* ------- what is printed: one call a line, so that threads do not mix theirs */

static void say_bytes(const struct task *t, const char *what, ur_str name, ur_str value) {
    char *hex = (char *)calloc(value.length + 1, 2);
    for (size_t i = 0; i < value.length; i++) {
        (void)snprintf(hex + 2 * i, 3, "%02x", (uint8_t)value.data[i]);
    }
    printf("%s %s %.*s %s\n", t->id, what, (int)name.length, name.data, hex);
    free(hex);
}

static void say_slot(const struct task *t, const ur_slot *s) {
    static const char *const kinds[] = {"none", "headers", "body", "trailers", "end"};
    ur_header field;
    size_t at = 0;
    printf("%s slot %llu %s %zu %08x\n", t->id, (unsigned long long)s->number, s->kind <= UR_END ? kinds[s->kind] : "unknown", s->length,
           adler32(s->data, s->length));
    while (s->kind == UR_TRAILERS && ur_trailer(s, &at, &field) == 0) {
        say_bytes(t, "trailer", field.name, field.value);
    }
}

static void say_result(ur_link *link, const struct task *t, int result) {
    static const struct {
        int error;
        const char *word;
    } words[] = {{0, "ok"}, {NOTHING, "nothing"}, {-EINVAL, "refused"}, {-EALREADY, "refused"}, {-EMSGSIZE, "too-large"}, {-ENOENT, "released"}, {-ESTALE, "ended"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (words[i].error == result) {
            printf("%s %s %s\n", t->id, t->verb, words[i].word);
            return;
        }
    }
    printf("%s %s %s %d\n", t->id, t->verb, result == -ECANCELED ? "cancelled" : "error", result == -ECANCELED ? (int)ur_reason(link, t->r) : result);
}

/* ------- scripts */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

/* Makes bytes of text with %xx in it; the result is on the heap. */
static ur_str unescape(const char *text) {
    char *out = (char *)malloc(strlen(text) + 1);
    ur_str s = {out, 0};
    for (; *text != '\0'; text++) {
        if (*text == '%' && hex_digit(text[1]) >= 0 && hex_digit(text[2]) >= 0) {
            out[s.length++] = (char)(hex_digit(text[1]) << 4 | hex_digit(text[2]));
            text += 2;
        } else {
            out[s.length++] = *text;
        }
    }
    return s;
}

static unsigned long long number(const char *text, unsigned long long otherwise) { return *text == '\0' ? otherwise : strtoull(text, NULL, 10); }

/* Takes the next step off the script. Returns 0 if there is none. */
static int next_step(struct task *t) {
    char *end = strchr(t->rest, ';');
    if (*t->rest == '\0') {
        return 0;
    }
    if (end != NULL) {
        *end = '\0';
    }
    memset(t->verb, 0, sizeof t->verb);
    memset(t->argument, 0, sizeof t->argument);
    (void)sscanf(t->rest, " %127s %127s %127s %127s", t->verb, t->argument[0], t->argument[1], t->argument[2]);
    t->rest = end != NULL ? end + 1 : t->rest + strlen(t->rest);
    t->done = 0;
    return 1;
}

static int add_field(struct task *t, ur_str name, ur_str value) {
    if (t->count == MOST_FIELDS) {
        return -ENOBUFS;
    }
    t->fields[t->count].name = name;
    t->fields[t->count++].value = value;
    return 0;
}

/* fields COUNT NAME VALUE: so many, with names and values of that length. */
static int add_fields(struct task *t) {
    size_t name = number(t->argument[1], 1), value = number(t->argument[2], 0);
    for (unsigned long long i = number(t->argument[0], 1); i > 0; i--) {
        ur_str n = {(char *)memset(malloc(name + 1), 'n', name), name}, v = {(char *)memset(malloc(value + 1), 'v', value), value};
        if (add_field(t, n, v) != 0) {
            return -ENOBUFS;
        }
    }
    return 0;
}

static void drop_fields(struct task *t) {
    while (t->count > 0) {
        ur_header *h = &t->fields[--t->count];
        free((void *)(uintptr_t)h->name.data);
        free((void *)(uintptr_t)h->value.data);
    }
}

/* ------- steps: each returns 0 when it is done, -EAGAIN to be tried again when there
 * is news, or what went wrong */

/* read, keep: so many slots, or all. */
static int read_slots(ur_link *link, struct task *t, int release) {
    unsigned long long most = number(t->argument[0], UINT64_MAX);
    for (; t->done < most; t->done++) {
        ur_slot s;
        int err = ur_next_slot(link, t->r, t->wait_ms, &s);
        if (err != 0) {
            return err;
        }
        say_slot(t, &s);
        if (release && (err = ur_release(link, t->r, s.number)) != 0) {
            return err;
        }
        if (s.kind == UR_END) {
            break;
        }
    }
    return 0;
}

static int tail_slot(ur_link *link, struct task *t, int timeout_ms) {
    ur_slot s;
    int err = ur_tail(link, t->r, number(t->argument[0], 0), timeout_ms, &s);
    if (err == 0) {
        say_slot(t, &s);
    }
    return err;
}

static int look_at_slot(ur_link *link, struct task *t) {
    int err = tail_slot(link, t, UR_NOW);
    return err == -EAGAIN ? NOTHING : err;
}

/* Says the whole head, from a copy of it that has outlived its slot. */
static int say_head(ur_link *link, struct task *t) {
    static const ur_str names[] = {UR_LIT("method"), UR_LIT("scheme"), UR_LIT("authority"), UR_LIT("path")};
    size_t size = ur_slot_size(link);
    void *memory = malloc(size);
    int err = ur_keep_headers(link, t->r, memory, size);
    err = err != 0 ? err : ur_release(link, t->r, 1);
    ur_str values[] = {ur_method(link, t->r), ur_scheme(link, t->r), ur_authority(link, t->r), ur_path(link, t->r)};
    for (size_t i = 0; i < 4 && err == 0; i++) {
        say_bytes(t, "head", names[i], values[i]);
    }
    for (size_t i = 0; i < ur_header_count(link, t->r) && err == 0; i++) {
        ur_header h;
        if ((err = ur_header_at(link, t->r, i, &h)) == 0) {
            say_bytes(t, "header", h.name, h.value);
        }
    }
    free(memory); /* "head" is done once, and nothing asks for headers after it */
    return err;
}

/* write SIZE [PIECE]: the pattern, with at most PIECE bytes in a call. */
static int write_pattern(ur_link *link, struct task *t) {
    unsigned long long size = number(t->argument[0], 0), piece = number(t->argument[1], size);
    int err;
    do {
        size_t at = (size_t)(t->offset % PERIOD), n = 0, want = (size_t)(size - t->done), left = (size_t)(piece == 0 ? 0 : piece - t->done % piece);
        want = want < left ? want : left;
        want = want < sizeof pattern - at ? want : sizeof pattern - at;
        err = ur_write(link, t->r, pattern + at, want, t->wait_ms, &n);
        t->done += n;
        t->offset += n;
    } while (err == 0 && t->done < size);
    return err;
}

/* fill SIZE [PIECE]: the same in place. */
static int fill_pattern(ur_link *link, struct task *t) {
    unsigned long long size = number(t->argument[0], 0), piece = number(t->argument[1], UINT64_MAX);
    int err;
    do {
        size_t room_size;
        void *room;
        if ((err = ur_reserve(link, t->r, t->wait_ms, &room, &room_size)) != 0) {
            break;
        }
        size_t at = (size_t)(t->offset % PERIOD), n = (size_t)(size - t->done < piece ? size - t->done : piece);
        n = n < room_size ? n : room_size;
        memcpy(room, pattern + at, n);
        err = ur_commit(link, t->r, n);
        t->done += n;
        t->offset += n;
    } while (err == 0 && t->done < size);
    return err;
}

/* echo [PIECE]: writes what it reads, up to the end, in pieces, and flushes when
 * there is no more to read. */
static int echo(ur_link *link, struct task *t) {
    size_t piece = (size_t)number(t->argument[0], SIZE_MAX);
    int err = 0;
    while (err == 0) {
        if (t->slot.number == 0) {
            err = ur_next_slot(link, t->r, UR_NOW, &t->slot);
            if (err == -EAGAIN) {
                err = ur_flush(link, t->r);
                err = err != 0 ? err : ur_next_slot(link, t->r, t->wait_ms, &t->slot);
            }
            if (err == 0) {
                say_slot(t, &t->slot);
                t->done = 0;
            }
        } else if (t->slot.kind == UR_END) {
            return 0;
        } else if (t->slot.kind == UR_BODY && t->done < t->slot.length) {
            size_t n = 0, left = t->slot.length - (size_t)t->done;
            err = ur_write(link, t->r, (const char *)t->slot.data + t->done, left < piece ? left : piece, t->wait_ms, &n);
            t->done += n;
        } else {
            err = ur_release(link, t->r, t->slot.number);
            t->slot.number = 0;
        }
    }
    return err;
}

static int respond(ur_link *link, struct task *t) {
    int err = ur_respond(link, t->r, (int)number(t->argument[0], 200), t->fields, t->count, t->wait_ms);
    if (err != -EAGAIN) {
        drop_fields(t);
    }
    return err;
}

/* trailers: the gathered fields, and the end. */
static int end_with_trailers(ur_link *link, struct task *t) {
    int err = t->done ? 0 : ur_trailers(link, t->r, t->fields, t->count, t->wait_ms);
    if (err == 0) {
        t->done = 1;
        err = ur_end(link, t->r, t->wait_ms);
    }
    if (err != -EAGAIN) {
        drop_fields(t);
    }
    return err;
}

static int is_open(const struct worker *w, const char *gate) {
    for (size_t i = 0; i < w->open; i++) {
        if (strcmp(w->gates[i], gate) == 0) {
            return 1;
        }
    }
    return 0;
}

static int open_gate(struct worker *w, const char *gate) {
    if (w->open == MOST_GATES) {
        return -ENOBUFS;
    }
    (void)snprintf(w->gates[w->open++], TEXT, "%s", gate);
    return 0;
}

/* 0, or -EAGAIN while a gate is closed or the request is not cancelled. */
static int wait_for(ur_link *link, struct task *t, int gate_open) {
    int err = gate_open ? 0 : ur_cancelled(link, t->r);
    return err == 0 && !gate_open ? -EAGAIN : err;
}

static int try_step(struct worker *w, struct task *t) {
    const char *v = t->verb;
    ur_link *l = w->link;
    if (strcmp(v, "read") == 0 || strcmp(v, "keep") == 0) return read_slots(l, t, *v == 'r');
    if (strcmp(v, "tail") == 0) return tail_slot(l, t, t->wait_ms);
    if (strcmp(v, "look") == 0) return look_at_slot(l, t);
    if (strcmp(v, "release") == 0) return ur_release(l, t->r, number(t->argument[0], 0));
    if (strcmp(v, "head") == 0) return say_head(l, t);
    if (strcmp(v, "echo") == 0) return echo(l, t);
    if (strcmp(v, "field") == 0) return add_field(t, unescape(t->argument[0]), unescape(t->argument[1]));
    if (strcmp(v, "fields") == 0) return add_fields(t);
    if (strcmp(v, "respond") == 0) return respond(l, t);
    if (strcmp(v, "write") == 0) return write_pattern(l, t);
    if (strcmp(v, "fill") == 0) return fill_pattern(l, t);
    if (strcmp(v, "flush") == 0) return ur_flush(l, t->r);
    if (strcmp(v, "trailers") == 0) return end_with_trailers(l, t);
    if (strcmp(v, "end") == 0) return ur_end(l, t->r, t->wait_ms);
    if (strcmp(v, "abort") == 0) return ur_abort(l, t->r);
    if (strcmp(v, "await-cancel") == 0) return wait_for(l, t, 0);
    if (strcmp(v, "hold") == 0) return wait_for(l, t, is_open(w, t->argument[0]));
    if (strcmp(v, "let") == 0) return open_gate(w, t->argument[0]);
    if (strcmp(v, "block") == 0) t->wait_ms = UR_FOREVER;
    return strcmp(v, "block") == 0 ? 0 : -ENOSYS;
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
static void doze(ur_link *link) {
    if (ur_fd(link) < 0) {
        (void)ur_wait(link, UR_WAIT_STREAM | UR_WAIT_NEWS, 50, NULL);
        return;
    }
    if (ur_arm(link, UR_WAIT_STREAM | UR_WAIT_NEWS) == 0) {
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
        while (ur_news(w->link, &r) == 0) {
            go_on(w, (struct task *)ur_user(w->link, r));
        }
        let_through(w);
        if (err == -EAGAIN || w->tasks != NULL) {
            doze(w->link);
        }
    }
    ur_counters c;
    (void)ur_get_counters(w->link, &c);
    printf("- counters %d requests=%llu ended=%llu aborted=%llu active=%llu\n", w->number, (unsigned long long)c.requests, (unsigned long long)c.ended,
           (unsigned long long)c.aborted, (unsigned long long)c.active);
    printf(err == -ESHUTDOWN ? "- drained %d\n" : "- gone %d\n", w->number);
}

static void *attach_and_run(void *argument) {
    struct worker *w = (struct worker *)argument;
    const char *bell = getenv("CONFORMANCE_BELL"), *lanes = getenv("CONFORMANCE_LANES"), *pool = getenv("UPLOAD_RESPONSE_POOL");
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
        } else if (ur_try_again(err)) {
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
