/* A server that lies: invalid values are refused, checked bytes do not change, no call
 * touches foreign memory, and every call returns. */
#include "../fuzz/fuzz_memory.c"

#include <pthread.h>
#include <signal.h>

static struct heap_server s;
static ur_link *l;

/* Gives the worker a stream with headers and a body of one slot. */
static ur_request give(uint64_t id, uint32_t row, uint32_t lane) {
    ur_request r;
    struct ur__writer *w = heap_stream(&s, id, row, lane);
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    heap_put(w, "body", 4, UR_BODY);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, id, row, lane);
    CHECK(ur_next(l, UR_NOW, &r) == 0);
    return r;
}

static uint8_t *first_slot(uint32_t row) {
    const struct ur_shm_descriptor *d = s.writers[row].ring;
    return s.writers[row].buffers + (size_t)d->buffer * HEAP_SLOT + d->offset;
}

static void a_decoded_head_does_not_change(void) {
    static const char text[] = "POST\0http\0x\0/p\0a\0" "1\0b\0" "2", apart[] = "POST\0http\0x\0/p\0" "1\0" "2\0a\0b";
    l = heap_open(&s);
    ur_request r = give(5, 1, 1);
    ur_header h;
    ur_str v;
    uint64_t names = 0;
    char *to = (char *)malloc(sizeof text), memory[HEAP_FRAME];
    int err;
    struct ur__lane *lane = ur__headers(l, r, &err);
    CHECK(lane != NULL);
    memset(first_slot(1) + UR__HEAD_BYTES + 2, 0x7f, HEAP_SLOT / 2); /* lengths of 127, and beyond the frame */
    CHECK(ur__copy_flat(lane, to) == sizeof text && memcmp(to, text, sizeof text) == 0);
    CHECK(ur__copy_split(lane, to, &names) == sizeof apart && names == 4 && memcmp(to, apart, sizeof apart) == 0);
    CHECK(ur__equals(ur_path(l, r), "/p") && ur_header_at(l, r, 1, &h) == 0 && ur__equals(h.name, "b") &&
          ur__equals(h.value, "2"));
    CHECK(ur_find_header(l, r, "a", &v) == 0 && ur__equals(v, "1") && ur_find_header(l, r, "c", &v) == -ENOENT);
    CHECK(ur_keep_headers(l, r, memory, sizeof memory) == 0 && ur__equals(ur_path(l, r), "/p"));
    free(to);
    heap_close(&s);
}

static void an_invalid_frame_is_an_error(void) {
    l = heap_open(&s);
    ur_request r = give(5, 1, 1);
    ur_header h;
    first_slot(1)[UR__HEAD_BYTES + 2] = 0x7f;
    CHECK(ur_path(l, r).data == NULL && ur_header_count(l, r) == 0 && ur_header_at(l, r, 0, &h) == -EBADMSG);
    CHECK(ur_respond(l, r, 400, NULL, 0, UR_NOW) == 0 && ur_end(l, r, UR_NOW) == 0); /* it can still be answered */
    heap_close(&s);
}

static void the_copy_of_a_large_head_goes_with_its_request(void) {
    enum { LARGE = UR__KEPT_COPY + 1 };
    uint8_t bytes[LARGE] = {0};
    struct ur__lane *lane;
    ur_slot slot;
    l = heap_open(&s);
    for (uint64_t id = 1; id <= 2; id++) {
        ur_request r = give(id, 0, 0);
        lane = &l->lanes[0];
        CHECK(lane->copy_size == 0 && ur_path(l, r).length == 2 && lane->copy_size == UR__SMALL_COPY);
        memset(&slot, 0, sizeof slot);
        slot.data = bytes;
        slot.length = id == 1 ? LARGE : 1;
        CHECK(ur__copy_frame(l, lane, &slot) == 0 && ur_abort(l, r) == 0);
        CHECK(lane->copy_size == (id == 1 ? 0 : UR__SMALL_COPY));
    }
    heap_close(&s);
}

static void slots_of_a_link_that_was_closed_are_not_read(void) {
    for (int i = 0; i < 2; i++) {
        ur_slot slot;
        l = heap_open(&s);
        ur_request r = give(5, 1, 1);
        CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == 0);
        if (i == 0) { /* the stream, and its row, go to another worker */
            ur__store32(&s.box->state, UR__LINK_CLOSED);
        } else {
            ur__store32(&s.box->generation, 78);
        }
        CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == -ECANCELED && ur_reason(l, r) == UR_SERVER_GONE);
        CHECK(ur_path(l, r).data == NULL && ur_next(l, UR_FOREVER, &r) == -ENOTCONN);
        heap_close(&s);
    }
}

/* The server closes the link, and then takes the row back. */
static void requests_of_a_link_that_was_closed_are_not_called_finished(void) {
    l = heap_open(&s);
    ur_request r = give(5, 1, 1);
    l->socket_read_at = INT64_MAX / 2; /* the socket was just looked at */
    ur__store32(&s.box->state, UR__LINK_CLOSED);
    ur__store64(&s.rows[1].stream_id, 6);
    CHECK(ur_cancelled(l, r) == -ECANCELED && ur_reason(l, r) == UR_SERVER_GONE);
    heap_close(&s);
}

static void an_invalid_assignment_ends_the_link(void) {
    static const char *const why[] = {"no stream", "row that is not there", "lane that is not there",
                                      "request has not ended", "more assignments"};
    for (int i = 0; i < 5; i++) {
        l = heap_open(&s);
        ur_request first = give(1, 0, 0), r;
        uint64_t entry = heap_append(&s, i == 0 ? 0 : 2, i == 1 ? HEAP_ROWS : 1, i == 2 ? HEAP_LANES : i == 3 ? 0 : 1);
        if (i == 4) {
            ur__store64(&s.box->inbox_head, UINT64_MAX / 2);
        }
        CHECK(entry == 1 && ur_next(l, UR_FOREVER, &r) == -EPROTO && strstr(ur_error_text(l), why[i]) != NULL);
        CHECK(ur_next(l, UR_NOW, &r) == -ENOTCONN && ur_cancelled(l, first) == -ECANCELED &&
              ur_reason(l, first) == UR_SERVER_GONE);
        CHECK(ur_end(l, first, UR_NOW) == -EINVAL && ur_abort(l, first) == 0);
        heap_close(&s);
    }
}

/* The ring is as full as it can be of streams that were taken back, however many the
 * worker takes. */
static void refill_inbox(void) { s.box->inbox_head = s.words->taken + HEAP_ENTRIES; }

static void streams_that_are_taken_back_without_end_do_not_keep_a_call(void) {
    l = heap_open(&s);
    ur_request r;
    for (uint32_t i = 0; i < HEAP_ENTRIES; i++) {
        struct ur_shm_inbox_entry e = {7, 0, 0, 1, 0, 0};
        s.inbox[i] = e;
    }
    at_each_load = refill_inbox;
    CHECK(ur_next(l, UR_NOW, &r) == -EAGAIN && ur_next(l, 5, &r) == -ETIMEDOUT);
    at_each_load = NULL;
    heap_close(&s);
}

/* Whenever there is no stream another comes, with a head that cannot be decoded. */
static void assign_another(void) {
    static int busy;
    static uint64_t id;
    uint32_t lane = (uint32_t)(id % HEAP_LANES);
    if (busy || s.box->inbox_head != s.words->taken) {
        return;
    }
    busy = 1;
    (void)heap_stream(&s, ++id, lane, lane);
    struct ur_shm_descriptor one_byte = {1, 0, 0, 1, UR_HEADERS, 0};
    s.writers[lane].ring[0] = one_byte;
    ur__store64(&s.rows[lane].published, 1);
    (void)heap_append(&s, id, lane, lane);
    busy = 0;
}

static void a_call_ends_in_time_whatever_the_server_does(void) {
    ur_flat_request t;
    l = heap_open(&s);
    char *text = (char *)malloc(HEAP_SLOT);
    at_each_load = assign_another;
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == -EAGAIN &&
          ur_next_flat(l, 5, &t, text, HEAP_SLOT) == -ETIMEDOUT);
    at_each_load = NULL;
    free(text);
    heap_close(&s);
}

/* Whoever can map the segment can ring its bells. */
static void ring(void) { s.box->bell++; }

static void a_sleeper_that_is_woken_all_the_time_notices_the_death_of_the_server(void) {
    ur_request r;
    ur_slot slot;
    l = heap_open(&s);
    ur_request first = give(1, 0, 0);
    at_each_load = ring;
    CHECK(shutdown(s.socket, SHUT_RDWR) == 0);
    CHECK(ur_tail(l, first, 3, UR_FOREVER, &slot) == -ECANCELED && ur_next(l, UR_FOREVER, &r) == -ENOTCONN);
    at_each_load = NULL;
    heap_close(&s);
}

static void a_server_that_never_stops_sending_does_not_block_a_call(void) {
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE];
    l = heap_open(&s);
    memset(&m, 0, sizeof m);
    m.kind = UR__DRAIN;
    size_t n = ur__encode(&m, packet);
    for (int i = 0; i < UR__MAX_PACKETS + 1; i++) {
        CHECK(send(s.socket, packet, n, MSG_DONTWAIT) == (ssize_t)n);
    }
    ur__read_socket(l);
    CHECK(ur_server_drains(l) && recv(l->socket, packet, sizeof packet, MSG_DONTWAIT) == (ssize_t)n);
    heap_close(&s);
}

/* ---- whatever the server writes */

static uint64_t dice = 88172645463325252u;

static uint64_t draw(uint64_t n) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice % n;
}

/* clang-format off */
/* Exchanges that go well, on lane 0. */
static const uint8_t plain[][RECORD] = {
    {ASSIGN, 0}, {SEND, 0, 0, 40}, {SEND, 0, 2}, {SEND, 0, 3}, {CALL, TAKE, 0, 2}, {CALL, HEAD, 0, 1, 1, 1},
    {CALL, WRITE, 0, 0},
    {CALL, READ, 0, 0}, {CALL, READ, 0, 3}, {CALL, READ, 0, 3}, {CALL, READ, 0, 2, 2}, {CALL, WRITE, 0, 2, 40},
    {CALL, WRITE, 0, 6},
    {CALL, WRITE, 0, 4}, {CALL, FINISH, 0, 0},
};
static const uint8_t websocket[][RECORD] = {
    {ASSIGN, 0, 1}, {CALL, TAKE, 0, 1}, {CALL, HEAD, 0, 1}, {CALL, WRITE, 0, 0}, {SEND, 0, 4, 40},
    {SEND, 0, 6, 3}, {CALL, READ, 0, 3}, {CALL, READ, 0, 3},
    {CALL, WRITE, 0, 3, 0, 2}, {CALL, WRITE, 0, 5}, {CALL, FINISH, 0, 1}, {SEND, 0, 3}, {CALL, READ, 0, 3},
    {CALL, FINISH, 0, 2},
};
static const uint8_t download[][RECORD] = { /* more than the lane's buffers hold, and the server reads */
    {ASSIGN, 0}, {CALL, TAKE, 0, 0}, {CALL, WRITE, 0, 1}, {CALL, WRITE, 0, 0}, {CALL, WRITE, 0, 2, 0, 31},
    {CALL, WRITE, 0, 2, 0, 31}, {CALL, WRITE, 0, 2, 0, 31},
    {CALL, WRITE, 0, 2, 0, 31}, {CALL, WRITE, 0, 2, 0, 31}, {CALL, WRITE, 0, 7}, {CALL, WAIT},
    {SERVER_ENDS, 0, 5}, {CALL, WAIT}, {CALL, WRITE, 0, 2, 0, 31},
    {SERVER_ENDS, 0, 5}, {CALL, FINISH, 0, 0}, {CALL, WAIT, 0, 1},
};
static const uint8_t cancelled[][RECORD] = {
    {ASSIGN, 0, 2}, {CALL, TAKE, 0, 1}, {CALL, READ, 0, 3}, {SERVER_ENDS, 0, 0}, {CALL, WAIT}, {CALL, LOOK, 0},
    {CALL, FINISH, 0, 3},
    {ASSIGN, 0}, {SEND, 0, 7}, {CALL, TAKE, 0, 1}, {CALL, READ, 0, 3}, {CALL, LOOK, 0}, {CALL, FINISH, 0, 3},
    {SERVER_ENDS, 0, 3}, {CALL, TAKE, 0, 0},
};
/* clang-format on */

/* Appends an exchange, on a lane, and now and then something else between its steps. */
static size_t append(uint8_t *script, const uint8_t (*records)[RECORD], size_t count, uint8_t lane, uint64_t one_in) {
    uint8_t *to = script;
    for (size_t i = 0; i < count; i++, to += RECORD) {
        memcpy(to, records[i], RECORD);
        to[to[0] == CALL ? 2 : 1] = lane;
        if (draw(one_in) == 0) {
            to += RECORD;
            for (int k = 0; k < RECORD; k++) {
                to[k] = (uint8_t)draw(draw(2) == 0 ? 8 : 256);
            }
            to[0] = (uint8_t)(draw(4) != 0 ? SCRIBBLE : to[0]);
        }
    }
    return (size_t)(to - script);
}

static void arbitrary_server_writes_cause_an_error_at_most(unsigned scripts) {
    static const struct {
        const uint8_t (*records)[RECORD];
        size_t count;
    } seeds[] = {
        {plain, sizeof plain / RECORD},
        {websocket, sizeof websocket / RECORD},
        {download, sizeof download / RECORD},
        {cancelled, sizeof cancelled / RECORD},
    };
    static uint8_t script[4 * 64 * RECORD];
    for (unsigned i = 0; i < scripts; i++) {
        uint64_t one_in = i < 4 ? UINT64_MAX : 2 + draw(30); /* at first the seeds as they are */
        size_t size = 0;
        for (uint64_t n = 1 + draw(4); n > 0; n--) {
            unsigned which = i < 4 ? i : (unsigned)draw(4);
            size += append(script + size, seeds[which].records, seeds[which].count, (uint8_t)draw(HEAP_LANES), one_in);
        }
        (void)LLVMFuzzerTestOneInput(script, size);
    }
}

#ifndef UR__TSAN /* which would report the intended race: bytes that change while they are read */
static int endless, scribbled;

/* The same, by a thread that writes while it likes: a length, heads, rows and descriptors,
 * or anything before the buffers. */
static void *scribble_endlessly(void *unused) {
    static const uint8_t values[] = {0, 16, 1, 2, 3, 4, 5, 17, 0x7f, 0x80, 0xff, 64, 77};
    uint8_t *box = (uint8_t *)server.box, *rows = (uint8_t *)server.rows,
            *buffers = (uint8_t *)server.header + server.header->buffers_offset;
    uint8_t *from = scribbled == 2 ? rows : box;
    uint64_t state = (uint64_t)scribbled;
    while (__atomic_load_n(&endless, __ATOMIC_RELAXED) != 0) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t which = state >> 40;
        uint8_t *head = buffers + which % HEAP_LANES * HEAP_SLOT,
                value = values[(state >> 33) % (scribbled == 0 ? 2 : sizeof values)];
        uint8_t *at = scribbled == 0   ? head + CHANGING_LENGTH
                      : scribbled == 1 ? head + which / 8 % 64
                                       : from + which % (uint64_t)(buffers - from);
        __atomic_store_n(at, value, __ATOMIC_RELAXED);
    }
    return unused;
}

static void writes_at_any_time_cause_an_error_at_most(int rounds) {
    for (int round = 0; round < rounds; round++) {
        pthread_t thread;
        open_worker();
        scribbled = round % 4;
        for (uint8_t i = 0; i < HEAP_LANES; i++) {
            uint8_t record[RECORD] = {ASSIGN, i, scribbled == 0 ? 2 : i % 3};
            play(record, RECORD);
        }
        endless = 1;
        CHECK(pthread_create(&thread, NULL, scribble_endlessly, NULL) == 0);
        for (int i = 0; i < 400; i++) {
            uint8_t record[RECORD], lane = (uint8_t)(i / 3 % HEAP_LANES);
            uint8_t turn[3][RECORD] = {{ASSIGN, lane, 2}, {CALL, TAKE, 0, 2}, {CALL, FINISH, lane, 3}};
            for (size_t k = 0; k < RECORD; k++) {
                record[k] = (uint8_t)draw(256);
            }
            record[0] = scribbled == 1 && draw(3) == 0 ? ASSIGN : CALL;
            play(scribbled == 0 ? turn[i % 3] : record, RECORD);
        }
        __atomic_store_n(&endless, 0, __ATOMIC_RELAXED);
        CHECK(pthread_join(thread, NULL) == 0);
        heap_close(&server);
    }
}
#endif

int main(int argc, char **argv) {
    unsigned scripts = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
    (void)alarm(argc > 1 ? 0 : 120); /* a call that never returns */
    a_decoded_head_does_not_change();
    an_invalid_frame_is_an_error();
    the_copy_of_a_large_head_goes_with_its_request();
    slots_of_a_link_that_was_closed_are_not_read();
    requests_of_a_link_that_was_closed_are_not_called_finished();
    an_invalid_assignment_ends_the_link();
    streams_that_are_taken_back_without_end_do_not_keep_a_call();
    a_call_ends_in_time_whatever_the_server_does();
    a_sleeper_that_is_woken_all_the_time_notices_the_death_of_the_server();
    a_server_that_never_stops_sending_does_not_block_a_call();
    arbitrary_server_writes_cause_an_error_at_most(scripts);
#ifndef UR__TSAN
    writes_at_any_time_cause_an_error_at_most(80);
#endif
    printf("hostile_test: ok\n");
    return 0;
}
