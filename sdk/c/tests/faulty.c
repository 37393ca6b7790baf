/* A worker that misbehaves on request, for tests/faults. The path of a
 * request selects the fault; a fault that has to come at a certain point prints "<like
 * this>" and waits there for the signal. It uses the SDK where it can; where the SDK does
 * not let it break the rules of the memory, it writes below the SDK.
 *
 * Variables: UPLOAD_RESPONSE_SOCKET and _POOL, UR_BELL (futex, eventfd), and FAULTY,
 * what to do with /job: the path of another task, or nothing for an echo. With
 * FAULTY_ONCE set it ends with its first link. With the argument
 * "probe" it attaches and tries what the kernel has to refuse. */
#define _GNU_SOURCE 1 /* memmem, fallocate, seals */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <upload_response.h>

static const char *name_of(int err) {
    static char number[16];
    switch (-err) {
    case 0: return "ok";
    case EINVAL: return "EINVAL";
    case EALREADY: return "EALREADY";
    case ECANCELED: return "ECANCELED";
    case ECHILD: return "ECHILD";
    case ENOTCONN: return "ENOTCONN";
    case EPERM: return "EPERM";
    case EACCES: return "EACCES";
    default: (void)snprintf(number, sizeof number, "%d", -err); return number;
    }
}

static void say(const char *what, const char *more) {
    printf("<%s%s>\n", what, more);
    (void)fflush(stdout);
}

static void report(const char *call, int err) {
    char text[64];
    (void)snprintf(text, sizeof text, "%s: ", call);
    say(text, name_of(err));
}

static void must(int err) {
    if (err != 0) {
        report("cannot go on", err);
        abort();
    }
}

struct turn {
    ur_link *link;
    ur_request r;
    char method[16], path[128]; /* without the prefix of the pool */
};

static void respond(struct turn *t, int status, const char *length) {
    ur_header header = {UR_LIT("content-length"), {length, length == NULL ? 0 : strlen(length)}};
    must(ur_respond(t->link, t->r, status, &header, length != NULL, UR_FOREVER));
}

static void put(struct turn *t, const char *text) {
    must(ur_write(t->link, t->r, text, strlen(text), UR_FOREVER, NULL));
}

static void finish(struct turn *t, const char *text) {
    respond(t, 200, NULL);
    put(t, text);
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* Waits until the response is no longer wanted, and says why. */
static void await_cancel(struct turn *t) {
    while (ur_cancelled(t->link, t->r) == 0) {
        (void)ur_wait(t->link, UR_WAIT_READY, UR_FOREVER, NULL);
    }
    say("cancelled: ", ur_reason_text(ur_reason(t->link, t->r)));
}

/* Reads the body up to its end, into text. */
static int read_body(struct turn *t, char *text, size_t size) {
    ur_slot slot;
    size_t at = 0;
    int err;
    text[0] = '\0';
    while ((err = ur_next_slot(t->link, t->r, UR_FOREVER, &slot)) == 0 && slot.kind != UR_END) {
        at += (size_t)snprintf(text + at, size - at, "%.*s", (int)ur__min(slot.length, size - at - 1),
                               (const char *)slot.data);
        err = ur_release(t->link, t->r, slot.number);
    }
    return err;
}

static void echo(struct turn *t) {
    static char body[32768], text[32768 + 64];
    if (read_body(t, body, sizeof body) != 0) {
        (void)ur_abort(t->link, t->r);
        return;
    }
    (void)snprintf(text, sizeof text, "%s by %d: %s", t->method, (int)getpid(), body);
    finish(t, text);
}

static void hold(struct turn *t) {
    static char body[32768];
    (void)read_body(t, body, sizeof body);
    say("holding", "");
    await_cancel(t);
    (void)ur_abort(t->link, t->r);
}

/* Goes on to the next request without a word about this one. */
static void keep(struct turn *t) {
    (void)t;
    say("keeping", "");
}

static void half(struct turn *t) {
    respond(t, 200, strstr(t->path, "declared") ? "20" : NULL);
    put(t, "first half");
    must(ur_flush(t->link, t->r));
    say("halfway", "");
    await_cancel(t);
    report("write", ur_write(t->link, t->r, "late", 4, UR_FOREVER, NULL));
    report("end", ur_end(t->link, t->r, UR_FOREVER));
}

static void await_the_end(void) {
    for (;;) {
        (void)pause();
    }
}

static void unpublished_headers(struct turn *t) {
    respond(t, 200, "6");
    put(t, "secret");
    say("written", "");
    await_the_end();
}

static void unpublished_body(struct turn *t) {
    respond(t, 200, NULL);
    put(t, "published");
    must(ur_flush(t->link, t->r));
    put(t, "secret");
    say("written", "");
    await_the_end();
}

/* Stops itself at the named point, and says what comes of each call after that. */
static void stopped(struct turn *t) {
    void *room;
    size_t size;
    ur_slot slot;
    int headers = strstr(t->path, "headers") != NULL, written = strstr(t->path, "written") != NULL;
    if (headers || written) {
        respond(t, 200, NULL);
        put(t, "early");
    }
    if (headers) {
        must(ur_flush(t->link, t->r));
    }
    say("stops", "");
    (void)raise(SIGSTOP);
    report("tail", ur_tail(t->link, t->r, 3, UR_FOREVER, &slot)); /* beyond the end */
    report("cancelled", ur_cancelled(t->link, t->r));
    if (!headers && !written) {
        report("respond", ur_respond(t->link, t->r, 200, NULL, 0, UR_FOREVER));
    }
    report("reserve", ur_reserve(t->link, t->r, UR_FOREVER, &room, &size));
    report("write", ur_write(t->link, t->r, "late", 4, UR_FOREVER, NULL));
    report("flush", ur_flush(t->link, t->r));
    report("end", ur_end(t->link, t->r, UR_FOREVER));
    say("over", "");
}

/* Reads every slot, releases none, and never lets go. */
static void leak(struct turn *t) {
    ur_slot slot;
    uint64_t n = 1;
    int err;
    while ((err = ur_tail(t->link, t->r, n, UR_FOREVER, &slot)) == 0) {
        n++;
    }
    report("leaked", err);
}

/* Tries what no client may see, and answers with what the SDK says of it. */
static void refusals(struct turn *t) {
    static const int statuses[] = {-1, 0, 99, 100, 101, 199, 1000, 65536 + 200};
    static const ur_header fields[] = {
        {UR_LIT("x-a"), UR_LIT("a\rb")}, {UR_LIT("x-a"), UR_LIT("a\nb")}, {UR_LIT("x-a"), {"a\0b", 3}},
        {UR_LIT("x\ra"), UR_LIT("v")},   {UR_LIT("x\na"), UR_LIT("v")},   {{"x\0a", 3}, UR_LIT("v")},
        {UR_LIT("x a"), UR_LIT("v")},    {UR_LIT("x:a"), UR_LIT("v")},    {UR_LIT(""), UR_LIT("v")}};
    char text[1024];
    size_t at = 0;
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        int err = ur_respond(t->link, t->r, statuses[i], NULL, 0, UR_NOW);
        at += (size_t)snprintf(text + at, sizeof text - at, "status %d: %s\n", statuses[i], name_of(err));
    }
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int err = ur_respond(t->link, t->r, 200, &fields[i], 1, UR_NOW);
        at += (size_t)snprintf(text + at, sizeof text - at, "field %zu: %s\n", i, name_of(err));
    }
    respond(t, 200, NULL);
    at += (size_t)snprintf(text + at, sizeof text - at, "trailer: %s\n",
                           name_of(ur_trailers(t->link, t->r, fields, 1, UR_NOW)));
    put(t, text);
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* Writes an unchecked headers slot, below the SDK. */
static struct ur__lane *put_head(struct turn *t, unsigned status, const ur_header *fields, size_t count) {
    uint8_t frame[512], *room;
    uint32_t size;
    struct ur__lane *lane;
    must(ur__find(t->link, t->r, &lane));
    uint32_t n = (uint32_t)(ur__put_response(frame, lane->stream_id, 1, status, ur__array(fields, count)) - frame);
    must(ur__get_room(t->link, lane, n, UR_FOREVER, &room, &size));
    memcpy(room, frame, n);
    ur__writer_commit(&lane->writer, n, UR_HEADERS);
    lane->headers_sent = 1;
    return lane;
}

/* /raw/STATUS, or /raw/ and the name of a fault in the fields. */
static void raw(struct turn *t) {
    static const struct {
        const char *name;
        ur_header fields[2];
        size_t count;
    } list[] = {{"cr", {{UR_LIT("x-a"), UR_LIT("a\rb")}}, 1},
                {"lf", {{UR_LIT("x-a"), UR_LIT("a\nb")}}, 1},
                {"nul", {{UR_LIT("x-a"), {"a\0b", 3}}}, 1},
                {"name", {{UR_LIT("x\r\na"), UR_LIT("v")}}, 1},
                {"two-lengths", {{UR_LIT("content-length"), UR_LIT("5")}, {UR_LIT("content-length"), UR_LIT("6")}}, 2}};
    const char *what = t->path + strlen("/raw/");
    int found = 0;
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (strcmp(what, list[i].name) == 0) {
            (void)put_head(t, 200, list[i].fields, list[i].count);
            found = 1;
        }
    }
    if (!found) {
        (void)put_head(t, (unsigned)atoi(what), NULL, 0);
    }
    put(t, "12345");
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* /length/N: five bytes and a content-length of N. */
static void length(struct turn *t) {
    respond(t, 200, t->path + strlen("/length/"));
    put(t, "12345");
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* /status/N: five bytes, whatever the status says about that. */
static void status(struct turn *t) {
    respond(t, atoi(t->path + strlen("/status/")), NULL);
    put(t, "12345");
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* /violate/WHAT: breaks a rule of the memory, and sees the link end. */
static void violate(struct turn *t) {
    const char *what = t->path + strlen("/violate/");
    if (strcmp(what, "taken-jumps") == 0) {
        ur__store64(&t->link->words->taken, t->link->inbox.taken + 1000);
        say("violated", "");
        await_cancel(t);
        (void)ur_abort(t->link, t->r);
        return;
    }
    struct ur__lane *lane = put_head(t, 200, NULL, 0);
    struct ur_shm_descriptor *d = &lane->writer.ring[0];
    if (strcmp(what, "published-jumps") == 0) {
        ur__store64(&lane->words->published, UINT64_C(1) << 40);
    } else if (strcmp(what, "length") == 0) {
        d->length = t->link->slot_size + 1;
    } else if (strcmp(what, "offset") == 0) {
        d->offset = UINT32_MAX - 63;
    } else if (strcmp(what, "buffer") == 0) {
        d->buffer = t->link->geometry.buffers;
    } else if (strcmp(what, "number") == 0) {
        d->number = 2;
    } else if (strcmp(what, "kind") == 0) {
        d->kind = 99;
    }
    if (strcmp(what, "published-jumps") != 0) {
        (void)ur__writer_publish(&lane->writer);
    }
    ur__notify(t->link, lane);
    say("violated", "");
    await_cancel(t);
    (void)ur_abort(t->link, t->r);
}

/* Changes the header bytes while the server may look at them. */
static void torn(struct turn *t) {
    static const char sound[] = "aaaaaaaabbbbbbbbccccccccdddddddd",
                      evil[] = "\r\nAB:1\r\n\r\nAC:2\r\n\r\nAD:3\r\n\r\nAE:4\r\n";
    ur_header fields[2] = {{UR_LIT("content-length"), UR_LIT("5")}, {UR_LIT("x-value"), UR_LIT(sound)}};
    struct ur__lane *lane;
    must(ur_respond(t->link, t->r, 200, fields, 2, UR_FOREVER));
    must(ur__find(t->link, t->r, &lane));
    const struct ur_shm_descriptor *d = &lane->writer.ring[0];
    uint8_t *frame = lane->writer.buffers + (size_t)d->buffer * t->link->slot_size + d->offset;
    volatile uint8_t *value = (volatile uint8_t *)memmem(frame, d->length, sound, sizeof sound - 1);
    put(t, "sound");
    (void)ur_flush(t->link, t->r);
    while (ur__counter_load(&lane->writer.released) == 0 && ur_cancelled(t->link, t->r) == 0) {
        for (size_t i = 0; i < sizeof sound - 1; i++) {
            value[i] = (uint8_t)evil[i];
        }
        for (size_t i = 0; i < sizeof sound - 1; i++) {
            value[i] = (uint8_t)sound[i];
        }
    }
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

/* Reports whether this process maps a segment. */
static int maps_segments(void) {
    char line[512];
    int found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        found = found || strstr(line, "upload-response") != NULL;
    }
    if (maps != NULL) {
        (void)fclose(maps);
    }
    return found;
}

static int every_call_says_echild(ur_link *link, ur_request r) {
    void *room;
    size_t size;
    ur_slot slot;
    ur_request other;
    return ur_next(link, UR_NOW, &other) == -ECHILD && ur_ready(link, &other) == -ECHILD &&
           ur_wait(link, UR_WAIT_READY, UR_NOW, NULL) == -ECHILD && ur_drain(link) == -ECHILD &&
           ur_tail(link, r, 1, UR_NOW, &slot) == -ECHILD && ur_next_slot(link, r, UR_NOW, &slot) == -ECHILD &&
           ur_release(link, r, 1) == -ECHILD && ur_respond(link, r, 200, NULL, 0, UR_NOW) == -ECHILD &&
           ur_reserve(link, r, UR_NOW, &room, &size) == -ECHILD && ur_commit(link, r, 0) == -ECHILD &&
           ur_write(link, r, "x", 1, UR_NOW, NULL) == -ECHILD && ur_flush(link, r) == -ECHILD &&
           ur_end(link, r, UR_NOW) == -ECHILD && ur_abort(link, r) == -ECHILD && ur_method(link, r).data == NULL;
}

/* /fork: children that use the link, close it, and leave it; and then the parent
 * goes on. */
static void forked(struct turn *t) {
    char text[64];
    for (int closes = 0; closes < 2; closes++) {
        int how = -1;
        pid_t child = fork();
        if (child == 0) {
            int good = every_call_says_echild(t->link, t->r), none = !maps_segments();
            if (closes) {
                ur_close(t->link);
            }
            _exit(!good + 2 * !none);
        }
        (void)waitpid(child, &how, 0);
        (void)snprintf(text, sizeof text, "child %d: %d", closes, how);
        say(text, "");
    }
    say(maps_segments() ? "parent maps" : "parent does not map", "");
    echo(t);
}

/* /fork-and-stay: a child that outlives us with its copies of the descriptors. */
static void fork_and_stay(struct turn *t) {
    pid_t child = fork();
    if (child == 0) {
        await_the_end();
    }
    printf("<child>%d\n", (int)child);
    (void)fflush(stdout);
    hold(t);
}

/* /exec: what a program that we start has of ours. */
static void executed(struct turn *t) {
    char line[512];
    FILE *out = popen("ls -l /proc/self/fd | grep -- '->'; cat /proc/self/maps", "r");
    respond(t, 200, NULL);
    while (out != NULL && fgets(line, sizeof line, out) != NULL) {
        put(t, line);
    }
    if (out != NULL) {
        (void)pclose(out);
    }
    (void)ur_end(t->link, t->r, UR_FOREVER);
}

static const struct {
    const char *prefix;
    void (*serve)(struct turn *t);
} tasks[] = {{"/echo", echo},
             {"/hold", hold},
             {"/keep", keep},
             {"/half", half},
             {"/unpublished-headers", unpublished_headers},
             {"/unpublished-body", unpublished_body},
             {"/stopped", stopped},
             {"/leak", leak},
             {"/refusals", refusals},
             {"/raw/", raw},
             {"/length/", length},
             {"/status/", status},
             {"/violate/", violate},
             {"/torn", torn},
             {"/fork-and-stay", fork_and_stay},
             {"/fork", forked},
             {"/exec", executed}};

static void serve(ur_link *link, ur_request r) {
    struct turn t;
    ur_str method = ur_method(link, r), path = ur_path(link, r);
    t.link = link;
    t.r = r;
    (void)snprintf(t.method, sizeof t.method, "%.*s", (int)method.length, method.data == NULL ? "" : method.data);
    (void)snprintf(t.path, sizeof t.path, "%.*s", (int)path.length, path.data == NULL ? "" : path.data);
    if (strncmp(t.path, "/c/", 3) == 0) {
        memmove(t.path, t.path + 2, strlen(t.path) - 1);
    }
    const char *instead = getenv("FAULTY");
    if (strcmp(t.path, "/job") == 0) {
        (void)snprintf(t.path, sizeof t.path, "%s", instead != NULL ? instead : "/echo");
    }
    say("took ", t.path);
    for (size_t i = 0; i < sizeof tasks / sizeof tasks[0]; i++) {
        if (strncmp(t.path, tasks[i].prefix, strlen(tasks[i].prefix)) == 0) {
            tasks[i].serve(&t);
            return;
        }
    }
    (void)ur_abort(link, r);
}

/* ------------------------------------------------------------------- probe */

static int result(long rc) { return rc < 0 ? -errno : 0; }

static int map_as(int fd, int protection) {
    void *at = mmap(NULL, 4096, protection, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? -errno : 0;
}

static int reopen(int fd, int flags) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, flags);
    return again < 0 ? -errno : map_as(again, PROT_READ | PROT_WRITE);
}

/* The signal that a write through the SDK's own mapping ends in. */
static void write_through(const uint8_t *requests) {
    int how = 0;
    pid_t child = fork();
    if (child == 0) {
        (void)signal(SIGSEGV, SIG_DFL); /* a sanitizer may handle it */
        *(volatile uint8_t *)(uintptr_t)requests = 1;
        _exit(0);
    }
    (void)waitpid(child, &how, 0);
    say("request segment: write through the mapping: ", WIFSIGNALED(how) ? "killed" : "ok");
}

/* Attaches as far as to have the descriptors, and tries what is not our business. */
static void probe(ur_options *options) {
    static ur_link link;
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE + 1], *requests = NULL;
    int fds[4] = {-1, -1, -1, -1}, count = 0;
    size_t bytes = 0;
    memset(&m, 0, sizeof m);
    must(ur__connect(&link, options, options->socket));
    must(ur__send_hello(&link, options));
    must(ur__read_welcome(&link, options, &m, packet, fds, &count));
    must(ur__map(fds[0], PROT_READ, UR__REQUEST_SEALS, &requests, &bytes));
    report("request segment: map it read-write", map_as(fds[0], PROT_READ | PROT_WRITE));
    report("request segment: map it write-only", map_as(fds[0], PROT_WRITE));
    report("request segment: mprotect", result(mprotect(requests, 4096, PROT_READ | PROT_WRITE)));
    report("request segment: open it again", reopen(fds[0], O_RDWR));
    report("request segment: write", result(pwrite(fds[0], "x", 1, 0)));
    report("request segment: shrink", result(ftruncate(fds[0], 0)));
    report("request segment: grow", result(ftruncate(fds[0], (off_t)bytes * 2)));
    report("request segment: punch a hole",
           result(fallocate(fds[0], FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096)));
    report("request segment: madvise", result(madvise(requests, 4096, MADV_REMOVE)));
    report("response segment: shrink", result(ftruncate(fds[1], 0)));
    report("response segment: grow", result(ftruncate(fds[1], (off_t)1 << 40)));
    report("response segment: seal it", result(fcntl(fds[1], F_ADD_SEALS, F_SEAL_WRITE)));
    (void)madvise(requests, bytes, MADV_DOFORK); /* the SDK keeps it from children */
    write_through(requests);
    say("done", "");
    await_the_end();
}

int main(int argc, char **argv) {
    ur_options options;
    const char *bell = getenv("UR_BELL"), *pool = getenv("UPLOAD_RESPONSE_POOL");
    ur_options_init(&options);
    options.socket = getenv("UPLOAD_RESPONSE_SOCKET");
    options.pool = pool != NULL ? pool : "c";
    options.lanes = 4;
    options.bell = bell != NULL && strcmp(bell, "eventfd") == 0 ? UR_BELL_EVENTFD : UR_BELL_FUTEX;
    if (argc > 1 && strcmp(argv[1], "probe") == 0) {
        probe(&options);
    }
    for (;;) {
        ur_link *link;
        ur_request r;
        int err = ur_attach(&link, &options);
        if (err != 0 && !ur_is_temporary(err)) {
            printf("<refused %d, layouts %u to %u: %s>\n", -err, options.layout_min, options.layout_max,
                   options.refusal);
            return 3;
        }
        if (err != 0) {
            (void)usleep(10000);
            continue;
        }
        say("attached", "");
        while ((err = ur_next(link, UR_FOREVER, &r)) == 0) {
            serve(link, r);
        }
        report("next", err);
        say("link: ", ur_error_text(link));
        ur_close(link);
        if (getenv("FAULTY_ONCE") != NULL) {
            return 0;
        }
    }
}
