/* A server that writes arbitrary bytes into the shared memory, also between any two reads
 * of the SDK. The input is a script: the server's steps, the worker's calls, and the words
 * that change at a given load of the worker. Nothing outside the segments and
 * the caller's own memory is touched, and every call returns. */
#include <stdint.h>

/* Every atomic load of the header is a moment at which the server may write. */
static void meddle(void);
#define __atomic_load_n(word, order) (meddle(), __atomic_load_n(word, order))

#include "../tests/heap_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- the script
 *
 * Records of RECORD bytes: what happens, and its arguments. One that is short goes on
 * with zeros. */

enum { RECORD = 12 };
enum happening { ASSIGN, ASSIGN_ANOTHER, SEND, SCRIBBLE, SERVER_ENDS, CALL };
enum calling { TAKE, TAKE_ANOTHER, HEAD, READ, WRITE, FINISH, LOOK, WAIT };

struct script {
    const uint8_t *at, *end;
};

static uint64_t take(struct script *s, unsigned bytes) {
    uint64_t n = 0;
    for (unsigned i = 0; i < bytes && s->at < s->end; i++) {
        n |= (uint64_t)*s->at++ << (8 * i);
    }
    return n;
}

/* ---- the server */

static struct heap_server server;
static ur_link *worker;
static struct ur__writer *lane_writer[HEAP_LANES]; /* of the request that a lane has */
static uint32_t lane_row[HEAP_LANES];
static uint64_t lane_stream[HEAP_LANES]; /* the last one */
static uint64_t next_stream;

/* A word that changes after the worker has loaded a number of others. */
struct change {
    uint8_t *at;
    uint64_t value;
    uint32_t width, after;
};

enum { CHANGES = 8 };
static struct change changes[CHANGES];
static uint32_t change_count;
static int meddling;
static void (*at_each_load)(void); /* for a test, in place of a script */

static void apply(const struct change *c) { memcpy(c->at, &c->value, c->width); }

static void meddle(void) {
    if (at_each_load != NULL) {
        at_each_load();
    }
    for (uint32_t i = 0; meddling && i < change_count; i++) {
        if (changes[i].after-- == 0) {
            apply(&changes[i]);
            changes[i--] = changes[--change_count];
        }
    }
}

/* Numbers that make a difference. */
static uint64_t number(struct script *s) {
    /* clang-format off */
    static const uint64_t numbers[] = {
        0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 63, 64, 77, 78, 127, 128, 255, 256, 258, 264,
        HEAP_SLOT - 64, HEAP_SLOT - 1, HEAP_SLOT, HEAP_SLOT + 1,
        UINT32_MAX - 1, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX,
    };
    /* clang-format on */
    unsigned which = (unsigned)take(s, 1);
    return which < sizeof numbers / sizeof numbers[0] ? numbers[which]
           : which < 64                               ? next_stream - which % 4
                                                      : take(s, which % 8 + 1);
}

/* Somewhere in memory that a server can write. */
static uint8_t *place(struct script *s, uint32_t width) {
    uint8_t *requests = (uint8_t *)server.header, *responses = worker->responses;
    struct {
        uint8_t *at;
        size_t size;
    } areas[] = {
        {(uint8_t *)server.box, sizeof *server.box},
        {(uint8_t *)server.inbox, HEAP_ENTRIES * sizeof *server.inbox},
        {(uint8_t *)server.notices, 2 * HEAP_ENTRIES * sizeof *server.notices},
        {(uint8_t *)server.positions, HEAP_LANES * sizeof *server.positions},
        {(uint8_t *)server.rows, HEAP_ROWS * sizeof *server.rows},
        {(uint8_t *)server.writers[0].ring, 4 * sizeof *server.writers[0].ring},
        {requests + server.header->descriptors_offset, HEAP_ROWS * HEAP_RING * sizeof(struct ur_shm_descriptor)},
        {requests + server.header->buffers_offset, 64},
        {requests + server.header->buffers_offset, HEAP_BUFFERS * HEAP_SLOT},
        {requests + sizeof *server.header, worker->requests_bytes - sizeof *server.header},
        {responses, worker->responses_bytes},
    };
    unsigned which = (unsigned)take(s, 1) % (sizeof areas / sizeof areas[0]);
    size_t at = (size_t)take(s, 3) % (areas[which].size / width) * width;
    return areas[which].at + at;
}

/* Writes now, or at one of the worker's next loads. */
static void scribble(struct script *s) {
    struct change c;
    c.after = (uint32_t)take(s, 1);
    c.width = 1u << take(s, 1) % 4;
    c.at = place(s, c.width);
    c.value = number(s);
    if (c.after == 0 || change_count == CHANGES) {
        apply(&c);
        return;
    }
    c.after--;
    changes[change_count++] = c;
}

static const char ask_frame[] =
    "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x02\x03GET\x03wss\x01x\x02/p\x01\x16" "sec-websocket-protocol\x04" "chat";
static const char trailers[] = "\x02\x01" "a\x01" "1\x01" "b\x01" "2";

/* A head that fills a slot: its first name has a length of two bytes that could be one, so
 * that a change of the second makes it thousands longer. */
enum { CHANGING_LENGTH = 27 };

static size_t large_frame(uint8_t *to) {
    static const char start[] = "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x01\x03GET\0\0\x02/p\x02\x8a\0nnnnnnnnnn";
    enum { START = sizeof start - 1, VALUE = HEAP_SLOT - START - 6 };
    CHECK(start[CHANGING_LENGTH - 1] == '\x8a' && start[CHANGING_LENGTH] == 0);
    memcpy(to, start, START);
    memset(to + START, 'v', HEAP_SLOT - START);
    to[START] = VALUE % 128 + 128;
    to[START + 1] = VALUE / 128;
    memcpy(to + HEAP_SLOT - 4, "\x01w\x01x", 4);
    return HEAP_SLOT;
}

static void assign(struct script *s) {
    uint32_t lane = (uint32_t)take(s, 1) % HEAP_LANES, row = (lane + (uint32_t)next_stream) % HEAP_ROWS;
    unsigned which = (unsigned)take(s, 1) % 3, how = (unsigned)take(s, 1) % 16;
    int busy = lane_stream[lane] != 0 && server.lanes[lane].let_go != lane_stream[lane];
    if (server.box->inbox_head - server.words->taken >= HEAP_ENTRIES - 1 || (busy && how != 15)) {
        return;
    }
    for (uint32_t i = 0; i < HEAP_LANES; i++) {
        if (lane_row[i] == row) {
            lane_writer[i] = NULL;
        }
    }
    lane_row[lane] = row;
    lane_stream[lane] = next_stream + 1;
    lane_writer[lane] = heap_stream(&server, ++next_stream, row, lane);
    static uint8_t large[HEAP_SLOT];
    size_t size = which == 0 ? HEAP_FRAME : which == 1 ? sizeof ask_frame - 1 : large_frame(large);
    heap_put(lane_writer[lane],
             which == 0   ? heap_frame
             : which == 1 ? ask_frame
                          : (const char *)large,
             size, UR_HEADERS);
    (void)ur__writer_publish(lane_writer[lane]);
    uint64_t entry = heap_append(&server, next_stream, row, lane);
    if (how == 7) {
        (void)heap_revoke(&server, entry);
    }
}

static void send_slot(struct script *s) {
    static const char block[HEAP_SLOT];
    static const uint32_t kinds[] = {UR_BODY,   UR_BODY,  UR_TRAILERS, UR_END, UR_TEXT | UR__FINAL,
                                     UR_BINARY, UR_CLOSE, UR__ABORT};
    uint32_t lane = (uint32_t)take(s, 1) % HEAP_LANES, kind = kinds[take(s, 1) % 8],
             size = (uint32_t)take(s, 2) % HEAP_SLOT + 1, most;
    struct ur__writer *w = lane_writer[lane];
    uint8_t *room;
    if (w == NULL) {
        return;
    }
    if (kind == UR_END || kind == UR__ABORT) {
        (void)ur__writer_commit_empty(w, kind);
    } else if (ur__writer_reserve(w, size, &room, &most) == 0) {
        memcpy(room, kind == UR_TRAILERS ? trailers : block, kind == UR_TRAILERS ? sizeof trailers - 1 : size);
        ur__writer_commit(w, kind == UR_TRAILERS ? sizeof trailers - 1 : size, kind);
    }
    (void)ur__writer_publish(w);
    heap_notify(&server, lane, 0);
}

/* The server reads what there is, cancels, or closes the link. */
static void end_something(struct script *s) {
    uint32_t lane = (uint32_t)take(s, 1) % HEAP_LANES;
    switch (take(s, 1) % 8) {
    case 0: ur__store32(&server.rows[lane_row[lane]].cancel, UR_DEADLINE); break;
    case 1: ur__store32(&server.box->state, UR__LINK_CLOSED); break;
    case 2: ur__store32(&server.box->generation, 78); break;
    case 3: ur__store32(&server.box->state, UR__LINK_DRAINING); break;
    case 4: (void)shutdown(server.socket, SHUT_RDWR); break;
    default: ur__store64(&server.positions[lane].released, ur__load64(&server.lanes[lane].published)); break;
    }
    heap_notify(&server, lane, 0);
}

/* ---- the worker */

static ur_request held[HEAP_LANES];
static uint64_t looked_at;

/* Looks at all the bytes: they have to be there. */
static void look_at(const void *data, size_t length) {
    for (size_t i = 0; i < length; i++) {
        looked_at += ((const uint8_t *)data)[i];
    }
}

static void look_at_slot(const ur_slot *slot) {
    ur_header field;
    ur_str reason;
    size_t at = 0;
    CHECK(slot->length <= HEAP_SLOT && (slot->data != NULL) == (slot->length > 0));
    look_at(slot->data, slot->length);
    for (int n = 0; slot->kind == UR_TRAILERS && ur_trailer(slot, &at, &field) == 0; n++) {
        CHECK(n < HEAP_SLOT && at <= slot->length && field.name.length + field.value.length < slot->length);
        look_at(field.name.data, field.name.length);
        look_at(field.value.data, field.value.length);
    }
    if (slot->kind == UR_CLOSE) {
        (void)ur_close_code(slot, &reason);
        look_at(reason.data, reason.length);
    }
}

static void keep(ur_request r) {
    uint64_t lane = r % UR__MAX_LANES;
    CHECK(lane < HEAP_LANES);
    held[lane] = r;
}

static void take_request(struct script *s) {
    size_t size = ur_slot_size(worker);
    char *text = (char *)malloc(size); /* one byte too many is found */
    uint64_t names = 0;
    ur_request r;
    ur_flat_request t;
    int err = 0;
    switch (take(s, 1) % 3) {
    case 0:
        err = ur_next(worker, UR_NOW, &r);
        t.request = r;
        t.body = NULL;
        t.text_length = t.body_length = 0;
        break;
    case 1: err = ur_next_flat(worker, UR_NOW, &t, text, size); break;
    default: err = ur_next_split(worker, UR_NOW, &t, text, size, &names);
    }
    if (err == 0) {
        CHECK(t.text_length <= size && names <= t.text_length && t.body_length <= HEAP_SLOT);
        look_at(text, t.text_length);
        look_at(t.body, t.body_length);
        keep(t.request);
    }
    free(text);
}

static void read_head(struct script *s, ur_request r) {
    ur_header h;
    ur_str value = ur_path(worker, r);
    look_at(value.data, value.length);
    for (size_t i = 0, n = ur_header_count(worker, r); i < n && i < HEAP_SLOT; i++) {
        if (ur_header_at(worker, r, take(s, 1) % 4 == 3 ? n - 1 - i : i, &h) == 0) {
            look_at(h.name.data, h.name.length);
            look_at(h.value.data, h.value.length);
        }
    }
    if (ur_find_header(worker, r, "b", &value) == 0) {
        look_at(value.data, value.length);
    }
    uint8_t memory[HEAP_SLOT];
    if (take(s, 1) % 4 == 3 && ur_keep_headers(worker, r, memory, sizeof memory) == 0) {
        value = ur_path(worker, r);
        look_at(value.data, value.length);
        (void)ur_abort(worker, r); /* the memory goes */
    }
}

static void read_slots(struct script *s, ur_request r) {
    ur_slot slots[4];
    int count;
    switch (take(s, 1) % 4) {
    case 0:
        count = ur_next_slots(worker, r, slots, 4);
        for (int i = 0; i < count; i++) {
            look_at_slot(&slots[i]);
        }
        break;
    case 1:
        if (ur_tail(worker, r, number(s), UR_NOW, slots) == 0) {
            look_at_slot(slots);
        }
        break;
    case 2: (void)ur_release(worker, r, number(s)); break;
    default:
        if (ur_next_slot(worker, r, UR_NOW, slots) == 0) {
            look_at_slot(slots);
        }
    }
}

static void write_slots(struct script *s, ur_request r) {
    static const char block[2 * HEAP_SLOT];
    ur_header field = {UR_LIT("name"), UR_LIT("value")};
    unsigned what = (unsigned)take(s, 1) % 8;
    size_t size = (size_t)take(s, 2) % sizeof block, done, room_size;
    void *room;
    switch (what) {
    case 0: (void)ur_respond(worker, r, ur_is_websocket(worker, r) ? 101 : 200, &field, 1, UR_NOW); break;
    case 1: (void)ur_interim(worker, r, 103, &field, 1, UR_NOW); break;
    case 2: (void)ur_write(worker, r, block, size, UR_NOW, &done); break;
    case 3: (void)ur_send(worker, r, UR_BINARY, block, size, 1, UR_NOW, &done); break;
    case 4: (void)ur_trailers(worker, r, &field, 1, UR_NOW); break;
    case 5: (void)ur_send_close(worker, r, 1000, "why", 3, UR_NOW); break;
    case 6: (void)ur_flush(worker, r); break;
    default:
        if (ur_reserve(worker, r, UR_NOW, &room, &room_size) == 0) {
            memset(room, 'x', room_size);
            (void)ur_commit(worker, r, room_size);
        }
    }
}

static void end_request(struct script *s, ur_request r) {
    switch (take(s, 1) % 4) {
    case 0: (void)ur_end(worker, r, UR_NOW); break;
    case 1: (void)ur_end_response(worker, r, UR_NOW); break;
    case 2: (void)ur_let_go(worker, r); break;
    default: (void)ur_abort(worker, r);
    }
}

/* One call of the worker, or a few, during which the server meddles. */
static void call(struct script *s) {
    unsigned what = (unsigned)take(s, 1) % 8;
    ur_request r = held[take(s, 1) % HEAP_LANES], other;
    meddling = 1;
    switch (what) {
    case TAKE:
    case TAKE_ANOTHER: take_request(s); break;
    case HEAD: read_head(s, r); break;
    case READ: read_slots(s, r); break;
    case WRITE: write_slots(s, r); break;
    case FINISH: end_request(s, r); break;
    case LOOK:
        (void)ur_cancelled(worker, r);
        (void)ur_reason_text(ur_reason(worker, r));
        break;
    default:
        (void)ur_wait(worker, UR_WAIT_STREAM | UR_WAIT_READY, (int)take(s, 1) % 2, NULL);
        while (ur_ready(worker, &other) == 0) {
            (void)ur_cancelled(worker, other);
        }
    }
    meddling = 0;
}

static void open_worker(void) {
    worker = heap_open(&server);
    memset(held, 0, sizeof held);
    memset(lane_writer, 0, sizeof lane_writer);
    memset(lane_stream, 0, sizeof lane_stream);
    change_count = 0;
    next_stream = 0;
}

static void play(const uint8_t *record, size_t size) {
    struct script s = {record, record + size};
    switch (take(&s, 1) % 8) {
    case ASSIGN:
    case ASSIGN_ANOTHER: assign(&s); break;
    case SEND: send_slot(&s); break;
    case SCRIBBLE: scribble(&s); break;
    case SERVER_ENDS: end_something(&s); break;
    default: call(&s);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    open_worker();
    for (size_t at = 0; at < size; at += RECORD) {
        play(data + at, size - at < RECORD ? size - at : RECORD);
    }
    heap_close(&server);
    return 0;
}
