/* Micro-benchmarks of the parts - a lane, the pool, the wake-up, the codec - over memory
 * of one process, like shm/bench_test.go and proto/bench_test.go in Go. The output has the
 * format of `go test -bench`, so that benchstat can compare two runs. The argument is the
 * number of measurements of each, 5 by default. */
#define HEAP_SLOT_BYTES (64 << 10)
#include "../tests/heap_link.h"

/* The bytes read are used. */
static volatile uint64_t sink;

/* Keeps the compiler from removing writes to memory. */
static inline void used(const void *memory) { __asm__ volatile("" : : "r"(memory) : "memory"); }

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One benchmark: run repeats it n times, with `bytes` bytes each. */
struct benchmark {
    const char *name;
    void (*run)(long n, size_t bytes);
    size_t bytes;
};

/* How long a measurement takes at least, in seconds. */
static const double period = 0.2;

static void measure(const struct benchmark *b) {
    double took = 0;
    long n = 1;
    for (;; n *= took < period / 100 ? 10 : 2) {
        double begun = now();
        b->run(n, b->bytes);
        took = now() - begun;
        if (took >= period) {
            break;
        }
    }
    printf("Benchmark%s\t%10ld\t%12.2f ns/op", b->name, n, took / (double)n * 1e9);
    if (b->bytes > 0) {
        printf("\t%10.2f MB/s", (double)b->bytes * (double)n / took / 1e6);
    }
    printf("\n");
    (void)fflush(stdout);
}

/* Reads every byte, eight at a time. */
static uint64_t sum(const void *bytes, size_t size) {
    const uint8_t *at = (const uint8_t *)bytes;
    uint64_t total = 0, word;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        total += word;
    }
    return total;
}

static struct heap_server server;
static uint8_t content[HEAP_SLOT_BYTES];

/* Gives the worker a stream with its headers. */
static ur_request give(struct ur__writer *w, uint64_t id) {
    ur_request r;
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&server, id, 0, 0);
    CHECK(ur_next(server.link, UR_NOW, &r) == 0);
    return r;
}

/* A slot goes once through the lane: reserved, filled, committed, published, tailed,
 * read, released. */
static void slot_through_a_lane(long n, size_t bytes) {
    ur_link *l = heap_open(&server);
    struct ur__writer *w = heap_stream(&server, 1, 0, 0);
    ur_request r = give(w, 1);
    ur_slot slot;
    for (long i = 0; i < n; i++) {
        CHECK(ur__reclaim(w) == 0);
        heap_put(w, content, bytes, UR_BODY);
        (void)ur__writer_publish(w);
        CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0);
        sink += sum(slot.data, slot.length);
        (void)ur_release(l, r, slot.number);
    }
    heap_close(&server);
}

/* The limit: the same bytes without a lane. */
static void copy_of_a_slot(long n, size_t bytes) {
    static uint8_t space[HEAP_SLOT_BYTES];
    for (long i = 0; i < n; i++) {
        memcpy(space, content, bytes);
        used(space);
        sink += sum(space, bytes);
    }
}

static void take_from_the_pool(long n, size_t bytes) {
    struct ur__pool p;
    (void)bytes;
    CHECK(ur__pool_open(&p, 64, 1) == 0);
    for (long i = 0; i < n; i++) {
        uint32_t buffer = ur__pool_take(&p, 0);
        used(&p);
        ur__pool_give(&p, buffer, 1);
    }
    ur__pool_close(&p);
}

static void notice(long n, size_t bytes) {
    ur_link *l = heap_open(&server);
    ur_request r = give(heap_stream(&server, 1, 0, 0), 1), news;
    (void)bytes;
    for (long i = 0; i < n; i++) {
        heap_notify(&server, 0, UR_WAIT_READY);
        CHECK(ur_ready(l, &news) == 0 && news == r && ur_ready(l, &news) == -EAGAIN);
    }
    heap_close(&server);
}

/* A stream is assigned, taken, accepted and released. */
static void assignment(long n, size_t bytes) {
    ur_link *l = heap_open(&server);
    (void)bytes;
    for (long i = 1; i <= n; i++) {
        ur_request r = give(heap_stream(&server, (uint64_t)i, 0, 0), (uint64_t)i);
        CHECK(ur_abort(l, r) == 0);
        ur__store64(&server.positions[0].released, UR_ALL_SLOTS);
    }
    heap_close(&server);
}

#define FIELD(name, value) {UR_LIT(name), UR_LIT(value)}

/* What a browser sends for an upload. */
static const ur_header request_fields[] = {
    FIELD("host", "media.example.com:8443"),
    FIELD("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
    FIELD("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    FIELD("accept-language", "en-GB,en;q=0.5"),
    FIELD("accept-encoding", "gzip, deflate, br, zstd"),
    FIELD("content-type", "video/mp4"),
    FIELD("content-length", "73400320"),
    FIELD("authorization", "Bearer eyJhbGciOiJFZERTQSJ9.c3ViamVjdA.c2lnbmF0dXJl"),
    FIELD("x-request-id", "6f1d2c3b-4a59-4687-9786-a5b4c3d2e1f0"),
    FIELD("cookie", "session=1f2e3d4c5b6a79880796a5b4c3d2e1f0; theme=dark"),
};

static const ur_header response_fields[] = {
    FIELD("content-type", "application/json; charset=utf-8"),
    FIELD("content-length", "1482"),
    FIELD("cache-control", "private, max-age=0, must-revalidate"),
    FIELD("etag", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
    FIELD("vary", "accept-encoding"),
};

enum {
    REQUEST_FIELDS = sizeof request_fields / sizeof *request_fields,
    RESPONSE_FIELDS = sizeof response_fields / sizeof *response_fields
};

/* Makes the frame of a request, as the server does. */
static size_t request_frame(uint8_t *frame) {
    static const ur_str pieces[] = {UR_LIT("POST"), UR_LIT("https"), UR_LIT("media.example.com:8443"),
                                    UR_LIT("/v1/upload/transcode?profile=h264-1080p&session=0a1b2c3d4e5f")};
    static const char head[] = "HPKS\x01\x01\x01\x02\x03\x04\x05\x06\x07\x08\x01\x02";
    uint8_t *to = frame;
    memcpy(to, head, sizeof head - 1);
    to += sizeof head - 1;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        to = ur__put_string(to, pieces[i]);
    }
    to = ur__put_varint(to, REQUEST_FIELDS);
    for (size_t i = 0; i < REQUEST_FIELDS; i++) {
        to = ur__put_string(ur__put_string(to, request_fields[i].name), request_fields[i].value);
    }
    return (size_t)(to - frame);
}

static uint8_t frame[4096];

static void parse_a_request(long n, size_t bytes) {
    struct ur__head h;
    for (long i = 0; i < n; i++) {
        CHECK(ur__parse_request(&h, frame, bytes) == UR__OK);
        sink += h.count;
    }
}

static void append_a_response(long n, size_t bytes) {
    static uint8_t space[4096];
    struct ur__list list = ur__array(response_fields, RESPONSE_FIELDS);
    for (long i = 0; i < n; i++) {
        CHECK(18 + ur__list_size(list) == bytes);
        CHECK(ur__put_response(space, 7, 2, 200, list) == space + bytes);
        sink += space[bytes - 1];
    }
}

int main(int argc, char **argv) {
    size_t request = request_frame(frame), response = 18 + ur__list_size(ur__array(response_fields, RESPONSE_FIELDS));
    const struct benchmark list[] = {
        {"Slot/lane/64B", slot_through_a_lane, 64},
        {"Slot/copy/64B", copy_of_a_slot, 64},
        {"Slot/lane/4096B", slot_through_a_lane, 4096},
        {"Slot/copy/4096B", copy_of_a_slot, 4096},
        {"Slot/lane/65536B", slot_through_a_lane, 65536},
        {"Slot/copy/65536B", copy_of_a_slot, 65536},
        {"Pool", take_from_the_pool, 0},
        {"Notice", notice, 0},
        {"Assignment", assignment, 0},
        {"ParseRequest", parse_a_request, request},
        {"AppendResponse", append_a_response, response},
    };
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 5;
    memset(content, 1, sizeof content);
    printf("pkg: upload_response.h %s\n", UR_VERSION);
    for (long round = 0; round < count; round++) {
        for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
            measure(&list[i]);
        }
    }
    return 0;
}
