/* The memory protocol step by step, on one thread: how each end reacts to the other. */
#include "heap_link.h"

static struct heap_server s;
static ur_link *l;

static void open_link(void) { l = heap_open(&s); }
static void close_link(void) { heap_close(&s); }

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

static void the_pool_keeps_one_buffer_for_each_lane(void) {
    struct ur__pool p;
    uint32_t got[8];
    CHECK(ur__pool_open(&p, 8, 3) == 0);
    for (uint32_t i = 0; i < 6; i++) {
        got[i] = ur__pool_take(&p, i);
        CHECK(got[i] != UR__NO_BUFFER);
    }
    CHECK(ur__pool_take(&p, 6) == UR__NO_BUFFER); /* two are owed */
    got[6] = ur__pool_take(&p, 0);
    got[7] = ur__pool_take(&p, 0);
    CHECK(got[6] != UR__NO_BUFFER && got[7] != UR__NO_BUFFER && p.free == 0);
    ur__pool_give(&p, got[3], 5);
    ur__pool_give(&p, got[1], 4);
    CHECK(ur__pool_take(&p, 4) == got[1]); /* freed last, used first */
    ur__pool_close(&p);
}

static void slots_share_a_buffer_and_a_read_one_is_used_again(void) {
    open_link();
    struct ur__writer *w = heap_stream(&s, 9, 0, 0);
    uint64_t released = 0, gate = 9;
    w->released = ur__counter_for(&released, &gate, 9, 0);
    for (int i = 0; i < 3; i++) {
        heap_put(w, "x", 1, UR_BODY);
    }
    CHECK(w->held == 1 && w->used == 3 * UR__ALIGN);
    (void)ur__writer_publish(w);
    released = 3;
    CHECK(ur__reclaim(w) == 0 && w->used == 0 && w->held == 1);
    for (int i = 0; i < 3; i++) {
        static const char block[HEAP_SLOT];
        heap_put(w, block, sizeof block, UR_BODY);
    }
    CHECK(w->held == 3);
    (void)ur__writer_publish(w);
    released = 5;
    CHECK(ur__reclaim(w) == 0 && w->held == 1);
    released = 4; /* backwards */
    CHECK(ur__reclaim(w) == -EPROTO);
    released = 7; /* more than there is */
    CHECK(ur__reclaim(w) == -EPROTO);
    released = UR_ALL_SLOTS;
    CHECK(ur__reclaim(w) == 0 && w->reclaimed == 6);
    gate = 10; /* the peer has moved on */
    w->released.unowned = UR_ALL_SLOTS;
    heap_put(w, "x", 1, UR_BODY);
    (void)ur__writer_publish(w);
    CHECK(ur__reclaim(w) == 0 && w->reclaimed == 7);
    close_link();
}

static void a_lane_takes_no_more_than_its_limit(void) {
    open_link();
    ur_request r = give(1, 0, 0);
    size_t n;
    CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0);
    for (int i = 1; i < HEAP_RING; i++) {
        CHECK(ur_write(l, r, "x", 1, UR_NOW, &n) == 0 && n == 1 && ur_flush(l, r) == 0);
    }
    CHECK(ur_write(l, r, "x", 1, UR_NOW, &n) == -EAGAIN && n == 0);
    CHECK(ur_end(l, r, UR_NOW) == -EAGAIN && ur_end(l, r, 5) == -ETIMEDOUT);
    CHECK(ur__load64(&s.lanes[0].wants_room) == HEAP_RING);
    ur__store64(&s.positions[0].released, 1);
    CHECK(ur_end(l, r, UR_NOW) == 0 && ur_end(l, r, UR_NOW) == -ESTALE);
    CHECK(ur__load64(&s.lanes[0].let_go) == 1 && ur__load64(&s.lanes[0].published) == HEAP_RING + 1);
    close_link();
}

/* One response takes all spare buffers; the next stream still has its own. */
static void a_greedy_response_starves_nobody(void) {
    static const char block[HEAP_BUFFERS / 2 * HEAP_SLOT];
    open_link();
    ur_request greedy = give(1, 0, 0);
    size_t n;
    CHECK(ur_respond(l, greedy, 200, NULL, 0, UR_NOW) == 0);
    CHECK(ur_write(l, greedy, block, sizeof block, UR_NOW, &n) == -EAGAIN);
    CHECK(l->lanes[0].writer.held == HEAP_BUFFERS / 2 - HEAP_LANES + 1);
    for (uint32_t i = 1; i < HEAP_LANES; i++) {
        ur_request r = give(1 + i, i, i);
        CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 && ur_write(l, r, "x", 1, UR_NOW, NULL) == 0 &&
              ur_end(l, r, UR_NOW) == 0);
    }
    ur__store64(&s.positions[0].released, 1000); /* nonsense */
    CHECK(ur_write(l, greedy, block, sizeof block, UR_NOW, &n) == -EPROTO);
    CHECK(ur_cancelled(l, greedy) == -ECANCELED && ur_reason(l, greedy) == UR_SERVER_GONE &&
          ur_error_text(l)[0] != '\0');
    CHECK(ur_abort(l, greedy) == 0 && ur_next(l, UR_NOW, &greedy) == -ENOTCONN);
    close_link();
}

static void a_revoked_stream_is_passed_over(void) {
    open_link();
    ur_request r;
    ur_counters c;
    (void)heap_stream(&s, 5, 0, 2);
    uint64_t entry = heap_append(&s, 5, 0, 2);
    CHECK(heap_revoke(&s, entry) == 1);
    CHECK(ur_next(l, UR_NOW, &r) == -EAGAIN);
    CHECK(ur__load64(&s.lanes[2].let_go) == 5 && ur__load64(&s.lanes[2].stream_id) == 0);
    CHECK(heap_revoke(&s, entry) == 0);
    CHECK(ur_get_counters(l, &c) == 0 && c.passed_over == 1 && c.requests == 0 && c.active == 0);
    close_link();
}

static void no_more_requests_are_taken_than_the_link_has_lanes(void) {
    open_link();
    ur_request first = give(1, 0, 0), second;
    unsigned what;
    l->max_active = 1;
    (void)heap_stream(&s, 2, 1, 1);
    (void)heap_append(&s, 2, 1, 1);
    CHECK(ur_next(l, UR_NOW, &second) == -EAGAIN && ur_next(l, UR_FOREVER, &second) == -EBUSY);
    CHECK(ur_wait(l, UR_WAIT_STREAM, 1, &what) == -ETIMEDOUT);
    CHECK(ur_abort(l, first) == 0);
    CHECK(ur_wait(l, UR_WAIT_STREAM, UR_NOW, &what) == 0 && what == UR_WAIT_STREAM);
    CHECK(ur_next(l, UR_FOREVER, &second) == 0 && ur_stream_id(l, second) == 2 && ur_abort(l, second) == 0);
    close_link();
}

static void headers_are_readable_until_their_release(void) {
    open_link();
    ur_request r = give(5, 1, 1);
    char memory[HEAP_FRAME];
    ur_header h;
    ur_str v;
    ur_slot slot;
    CHECK(ur__equals(ur_method(l, r), "POST") && ur__equals(ur_path(l, r), "/p") &&
          ur__equals(ur_scheme(l, r), "http") && ur__equals(ur_authority(l, r), "x"));
    CHECK(ur_http_version(l, r) == 1 && ur_stream_id(l, r) == 5 && ur_header_count(l, r) == 2);
    CHECK(ur_header_at(l, r, 1, &h) == 0 && ur__equals(h.name, "b") && ur_header_at(l, r, 0, &h) == 0 &&
          ur__equals(h.value, "1"));
    CHECK(ur_header_at(l, r, 2, &h) == -ENOENT && ur_find_header(l, r, "B", &v) == 0 && ur__equals(v, "2") &&
          ur_find_header(l, r, "c", &v) == -ENOENT);
    CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == 0 && slot.kind == UR_BODY && slot.length == 4 &&
          memcmp(slot.data, "body", 4) == 0);
    CHECK(ur_keep_headers(l, r, memory, HEAP_FRAME - 1) == -ENOSPC &&
          ur_keep_headers(l, r, memory, sizeof memory) == 0);
    CHECK(ur_release(l, r, 2) == 0 && ur_tail(l, r, 2, UR_NOW, &slot) == -ENOENT);
    CHECK(ur__equals(ur_path(l, r), "/p") && ur_find_header(l, r, "a", &v) == 0 && v.data > memory &&
          v.data < memory + sizeof memory);
    ur_request other = give(6, 2, 2);
    CHECK(ur__equals(ur_path(l, other), "/p") && ur_release(l, other, 1) == 0 && ur_path(l, other).data == NULL &&
          ur_header_count(l, other) == 0);
    close_link();
}

static void the_client_address_is_that_of_the_first_header(void) {
    static const char target[] = "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x01\x03GET\x04http\x01x\x02/p\x02";
    static const char client[] = "\x16upload-response-client\x11" "203.0.113.7:40001", other[] = "\x01" "a\x01" "1";
    enum { TARGET = sizeof target - 1, CLIENT = sizeof client - 1, OTHER = sizeof other - 1 };
    char frame[TARGET + CLIENT + OTHER];
    memcpy(frame, target, TARGET);
    for (int said = 0; said < 2; said++) {
        open_link();
        memcpy(frame + TARGET + (said ? 0 : OTHER), client, CLIENT);
        memcpy(frame + TARGET + (said ? CLIENT : 0), other, OTHER);
        struct ur__writer *w = heap_stream(&s, 5, 1, 2);
        ur_request r;
        heap_put(w, frame, sizeof frame, UR_HEADERS);
        (void)ur__writer_publish(w);
        (void)heap_append(&s, 5, 1, 2);
        CHECK(ur_next(l, UR_NOW, &r) == 0);
        CHECK(said ? ur__equals(ur_client_address(l, r), "203.0.113.7:40001") : ur_client_address(l, r).data == NULL);
        CHECK(ur_release(l, r, 1) == 0 && ur_client_address(l, r).data == NULL && ur_abort(l, r) == 0 &&
              ur_client_address(l, r).data == NULL);
        close_link();
    }
}

static void a_ready_request_is_named_once_and_its_wants_are_cleared(void) {
    open_link();
    ur_request r = give(5, 1, 1), told;
    ur_slot slot;
    unsigned what;
    CHECK(ur_tail(l, r, 3, UR_NOW, &slot) == -EAGAIN && ur__load32(&s.lanes[1].wants_request) == 1);
    CHECK(ur_ready(l, &told) == -EAGAIN && ur_wait(l, UR_WAIT_READY, UR_NOW, &what) == -EAGAIN);
    heap_put(&s.writers[1], "more", 4, UR_BODY);
    (void)ur__writer_publish(&s.writers[1]);
    heap_notify(&s, 1, UR_WAIT_READY);
    heap_notify(&s, 1, UR_WAIT_READY);
    CHECK(ur_wait(l, UR_WAIT_READY, UR_FOREVER, &what) == 0 && what == UR_WAIT_READY);
    CHECK(ur__load32(&s.lanes[1].wants_request) == 0);
    CHECK(ur_ready(l, &told) == 0 && told == r && ur_ready(l, &told) == -EAGAIN);
    CHECK(ur_tail(l, r, 3, UR_NOW, &slot) == 0 && slot.length == 4);
    for (uint32_t i = 0; i < 100; i++) { /* more than the ring holds */
        heap_notify(&s, 1, UR_WAIT_READY);
    }
    CHECK(ur_ready(l, &told) == 0 && told == r && ur_ready(l, &told) == -EAGAIN);
    ur__store32(&s.rows[1].cancel, UR_DEADLINE);
    heap_notify(&s, 1, 0);
    CHECK(ur_wait(l, 0, 0, &what) == -EAGAIN && ur_ready(l, &told) == 0 && ur_cancelled(l, told) == -ECANCELED &&
          ur_reason(l, told) == UR_DEADLINE);
    CHECK(ur_tail(l, r, 3, UR_NOW, &slot) == 0); /* existing slots can still be read */
    CHECK(ur_tail(l, r, 4, UR_FOREVER, &slot) == -ECANCELED && ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 &&
          ur_end(l, r, UR_NOW) == -ECANCELED);
    close_link();
}

static void a_violation_by_the_server_ends_the_link(void) {
    for (int i = 0; i < 10; i++) {
        open_link();
        ur_request r = give(5, 1, 1);
        ur_slot slot;
        struct ur_shm_descriptor *d = s.writers[1].ring + 1;
        switch (i) {
        case 0: d->length = HEAP_SLOT + 1; break;
        case 1: d->offset = HEAP_SLOT - 3; break;
        case 2: d->buffer = HEAP_BUFFERS; break;
        case 3: d->kind = UR_HEADERS; break;
        case 4: d->kind = UR_CLOSE + 1; break;
        case 8: d->kind = UR_BODY | UR__FINAL; break;
        case 9: d->kind = UR__INTERIM; break;
        case 5: d->number = 3; break;
        case 6: d->length = 0; break;
        default: ur__store64(&s.rows[1].published, HEAP_RING + 1);
        }
        CHECK(ur_tail(l, r, i == 7 ? 3 : 2, UR_NOW, &slot) == -EPROTO && ur_tail(l, r, 4, UR_NOW, &slot) == -ECANCELED);
        CHECK(ur_reason(l, r) == UR_SERVER_GONE);
        close_link();
    }
}

static void a_row_of_another_stream_is_not_read(void) {
    open_link();
    ur_request r = give(5, 1, 1);
    ur_slot slot;
    CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == 0);
    ur__store64(&s.rows[1].stream_id, 6);
    CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == -ECANCELED && ur_reason(l, r) == UR_FINISHED);
    close_link();
}

static void the_end_of_the_server_is_noticed(void) {
    ur_request r, other;
    unsigned what;
    open_link(); /* killed */
    r = give(5, 1, 1);
    CHECK(shutdown(s.socket, SHUT_RDWR) == 0);
    CHECK(ur_next(l, UR_FOREVER, &other) == -ENOTCONN && ur_cancelled(l, r) == -ECANCELED &&
          ur_reason(l, r) == UR_SERVER_GONE);
    CHECK(ur_wait(l, UR_WAIT_READY, UR_FOREVER, &what) == 0 && ur_ready(l, &other) == 0 && other == r);
    CHECK(ur_abort(l, r) == 0 && ur_drain(l) == -ENOTCONN);
    close_link();
    open_link(); /* closed the link */
    ur__store32(&s.box->state, UR__LINK_CLOSED);
    CHECK(ur_next(l, UR_FOREVER, &r) == -ENOTCONN);
    close_link();
    open_link(); /* has given the mailbox to another */
    (void)heap_stream(&s, 8, 0, 0);
    ur__store32(&s.box->generation, 78);
    (void)heap_append(&s, 8, 0, 0);
    CHECK(ur_next(l, UR_FOREVER, &r) == -ENOTCONN && ur__load64(&s.words->taken) == 0);
    close_link();
}

static void a_drained_link_says_when_nothing_more_comes(void) {
    open_link();
    ur_request r;
    uint8_t packet[UR__MAX_MESSAGE];
    struct ur__message m;
    CHECK(ur_drain(l) == 0 && ur_drain(l) == 0);
    ssize_t n = recv(s.socket, packet, sizeof packet, 0);
    CHECK(n > 0 && ur__decode(&m, packet, (size_t)n) == UR__MESSAGE_OK && m.kind == UR__DRAIN);
    CHECK(ur_next(l, UR_NOW, &r) == -EAGAIN);
    struct ur__writer *w = heap_stream(&s, 3, 0, 0);
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, 3, 0, 0);
    ur__store32(&s.box->state, UR__LINK_DRAINING);
    CHECK(ur_next(l, UR_NOW, &r) == 0 && ur_abort(l, r) == 0 && ur_next(l, UR_FOREVER, &r) == -ESHUTDOWN);
    close_link();
}

static void a_header_that_does_not_fit_is_refused(void) {
    open_link();
    ur_request r = give(5, 1, 1);
    static char big[HEAP_SLOT];
    ur_header h = {UR_LIT("x"), {big, HEAP_SLOT - 18 - 5}}; /* count, name, length of the value: 5 bytes */
    memset(big, 'v', sizeof big);
    h.value.length++;
    CHECK(ur_respond(l, r, 200, &h, 1, UR_NOW) == -EMSGSIZE);
    h.value.length--;
    CHECK(ur_respond(l, r, 200, &h, 1, UR_NOW) == 0 && ur_respond(l, r, 200, &h, 1, UR_NOW) == -EALREADY);
    CHECK(ur_trailers(l, r, &h, 1, UR_NOW) == 0 && ur_write(l, r, "x", 1, UR_NOW, NULL) == -EINVAL &&
          ur_end(l, r, UR_NOW) == 0);
    close_link();
}

static void geometry_that_does_not_fit_is_refused(void) {
    open_link();
    struct ur_shm_header h = *s.header;
    struct ur_shm_mailbox b = *s.box;
    size_t bytes = h.segment_bytes;
    CHECK(ur__header_fits(&h, bytes) && !ur__header_fits(&h, bytes - 1) && ur__mailbox_fits(&h, &b, b.response_bytes));
    h.rows = UINT32_MAX;
    CHECK(!ur__header_fits(&h, bytes));
    h = *s.header;
    h.ring = 24;
    CHECK(!ur__header_fits(&h, bytes));
    h = *s.header;
    h.buffers_offset = h.descriptors_offset;
    CHECK(!ur__header_fits(&h, bytes));
    h = *s.header;
    h.rows_offset = UINT64_MAX - 63;
    CHECK(!ur__header_fits(&h, bytes));
    h = *s.header;
    b.buffers = b.lanes - 1;
    CHECK(!ur__mailbox_fits(&h, &b, b.response_bytes));
    b = *s.box;
    b.lanes = HEAP_ENTRIES + 1;
    CHECK(!ur__mailbox_fits(&h, &b, b.response_bytes));
    b = *s.box;
    b.descriptors_offset++;
    CHECK(!ur__mailbox_fits(&h, &b, b.response_bytes));
    close_link();
}

int main(void) {
    the_pool_keeps_one_buffer_for_each_lane();
    slots_share_a_buffer_and_a_read_one_is_used_again();
    a_lane_takes_no_more_than_its_limit();
    a_greedy_response_starves_nobody();
    a_revoked_stream_is_passed_over();
    no_more_requests_are_taken_than_the_link_has_lanes();
    headers_are_readable_until_their_release();
    the_client_address_is_that_of_the_first_header();
    a_ready_request_is_named_once_and_its_wants_are_cleared();
    a_violation_by_the_server_ends_the_link();
    a_row_of_another_stream_is_not_read();
    the_end_of_the_server_is_noticed();
    a_drained_link_says_when_nothing_more_comes();
    a_header_that_does_not_fit_is_refused();
    geometry_that_does_not_fit_is_refused();
    printf("memory_test: ok\n");
    return 0;
}
