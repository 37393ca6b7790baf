/* Interim responses, and WebSockets from the worker's side. */
#include "heap_link.h"

static struct heap_server s;
static ur_link *l;

/* A request for a WebSocket, as a server passes it on. */
static const char ws_frame[] =
    "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x02\x03GET\x03wss\x01x\x02/p\x01\x16" "sec-websocket-protocol\x04" "chat";

/* Gives the worker a stream of a headers frame, and nothing behind it yet. */
static ur_request give(const char *frame, size_t length) {
    ur_request r;
    struct ur__writer *w = heap_stream(&s, 5, 1, 1);
    heap_put(w, frame, length, UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, 5, 1, 1);
    CHECK(ur_next(l, UR_NOW, &r) == 0);
    return r;
}

static ur_request open_plain(void) {
    l = heap_open(&s);
    return give(heap_frame, HEAP_FRAME);
}

static ur_request open_asking(void) {
    l = heap_open(&s);
    return give(ws_frame, sizeof ws_frame - 1);
}

static ur_request open_websocket(void) {
    ur_request r = open_asking();
    CHECK(ur_respond(l, r, 101, NULL, 0, UR_NOW) == 0);
    return r;
}

static uint64_t published(void) { return ur__load64(&s.lanes[1].published); }

/* Returns slot n of the response, as the bits of its descriptor say it is. */
static ur_slot response_slot(uint64_t n, uint32_t kind) {
    const struct ur_shm_descriptor *d = s.link->lanes[1].writer.ring + (n - 1) % HEAP_RING;
    ur_slot slot;
    memset(&slot, 0, sizeof slot);
    CHECK(n <= published() && d->number == n && d->kind == kind);
    slot.length = d->length;
    slot.data = d->buffer == UR__NO_BUFFER
                    ? NULL
                    : s.link->responses + s.box->buffers_offset + d->buffer * HEAP_SLOT + d->offset;
    return slot;
}

static void expect(uint64_t n, uint32_t kind, const char *bytes, size_t length) {
    ur_slot slot = response_slot(n, kind);
    CHECK(slot.length == length && (length == 0 || memcmp(slot.data, bytes, length) == 0));
}

/* Has the client say something. */
static void say(const char *bytes, size_t length, uint32_t kind) {
    struct ur__writer *w = &s.writers[1];
    if (length == 0) {
        CHECK(ur__writer_commit_empty(w, kind) == 0);
    } else {
        heap_put(w, bytes, length, kind);
    }
    (void)ur__writer_publish(w);
}

static void interim_responses_precede_the_final_one_at_once(void) {
    static const ur_header link = {UR_LIT("Link"), UR_LIT("</a>")};
    ur_request r = open_plain();
    ur__store32(&s.positions[1].wants_response, 1);
    uint64_t told = ur__load64(&s.words->outbox_head);
    CHECK(ur_interim(l, r, 103, &link, 1, UR_NOW) == 0 && published() == 1 &&
          ur__load64(&s.words->outbox_head) == told + 1);
    CHECK(ur_interim_flat(l, r, 102, NULL, 0, UR_NOW) == 0 && published() == 2);
    expect(1, UR__INTERIM, "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x02\x01\0\x67\x01\x04link\x04</a>", 29);
    expect(2, UR__INTERIM, "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x02\x01\0\x66\0", 19);
    CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 && ur_interim(l, r, 103, NULL, 0, UR_NOW) == -EALREADY);
    CHECK(ur_end(l, r, UR_NOW) == 0 && ur_interim(l, r, 103, NULL, 0, UR_NOW) == -ESTALE);
    (void)response_slot(3, UR_HEADERS);
    heap_close(&s);
}

static void only_a_1xx_status_is_an_interim_response(void) {
    static const ur_header bad = {UR_LIT("a b"), UR_LIT("x")};
    static char big[HEAP_SLOT];
    ur_request r = open_plain();
    ur_header large = {UR_LIT("x"), {big, sizeof big}};
    memset(big, 'x', sizeof big);
    static const int statuses[] = {0, 99, 100, 101, 200, 999};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        CHECK(ur_interim(l, r, statuses[i], NULL, 0, UR_NOW) == -EINVAL);
    }
    CHECK(ur_interim(l, r, 103, &bad, 1, UR_NOW) == -EINVAL && ur_interim(l, r, 103, &large, 1, UR_NOW) == -EMSGSIZE &&
          published() == 0);
    ur__store32(&s.rows[1].cancel, UR_CLIENT_GONE);
    CHECK(ur_interim(l, r, 103, NULL, 0, UR_NOW) == -ECANCELED && published() == 0);
    heap_close(&s);
}

static void a_whole_response_without_room_for_its_headers_does_nothing(void) {
    ur_request r = open_plain();
    size_t n = 9;
    for (int i = 0; i < HEAP_RING; i++) {
        CHECK(ur_interim(l, r, 103, NULL, 0, UR_NOW) == 0);
    }
    CHECK(ur_interim(l, r, 103, NULL, 0, UR_NOW) == -EAGAIN && ur_interim(l, r, 103, NULL, 0, 1) == -ETIMEDOUT);
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, "x", 1, UR_NOW, &n) == -EBUSY && n == 0 &&
          ur_respond_whole(l, r, 200, NULL, 0, "x", 1, 1, &n) == -EBUSY);
    ur__store64(&s.positions[1].released, 4);
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, "x", 1, UR_NOW, &n) == 0 && n == 1 && published() == HEAP_RING + 3);
    heap_close(&s);
    r = open_plain();
    for (int i = 0; i < HEAP_RING; i++) {
        CHECK(ur_interim(l, r, 103, NULL, 0, UR_NOW) == 0);
    }
    ur__store32(&s.rows[1].cancel, UR_CLIENT_GONE);
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, "x", 1, UR_FOREVER, NULL) == -ECANCELED &&
          ur_cancelled(l, r) == -ESTALE);
    heap_close(&s);
}

static void only_a_request_for_a_websocket_becomes_one(void) {
    ur_request r = open_plain();
    CHECK(ur_is_websocket(l, r) == 0 && ur_respond(l, r, 101, NULL, 0, UR_NOW) == -EINVAL);
    CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 && ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_send_close(l, r, 1000, NULL, 0, UR_NOW) == -EINVAL &&
          ur_close_websocket(l, r, 1000, NULL, 0, UR_NOW) == -EINVAL);
    CHECK(ur_end(l, r, UR_NOW) == 0 && ur_is_websocket(l, r) == 0);
    heap_close(&s);
    r = open_asking();
    CHECK(ur_is_websocket(l, r) == 1 && ur_release(l, r, 1) == 0 && ur_is_websocket(l, r) == 1);
    CHECK(ur_check_flat(101, NULL, 0) == -EINVAL &&
          ur_respond_whole(l, r, 101, NULL, 0, NULL, 0, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == -EINVAL); /* not accepted yet */
    CHECK(ur_respond(l, r, 101, NULL, 0, UR_NOW) == 0 && published() == 1 &&
          ur_respond(l, r, 101, NULL, 0, UR_NOW) == -EALREADY);
    expect(1, UR_HEADERS, "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x02\x01\0\x65\0", 19);
    heap_close(&s);
    r = open_asking(); /* and may be answered like any request */
    CHECK(ur_respond_whole(l, r, 403, NULL, 0, "no", 2, UR_NOW, NULL) == 0);
    expect(2, UR_BODY, "no", 2);
    heap_close(&s);
}

static void messages_come_with_their_kind_and_their_end(void) {
    static const struct {
        const char *bytes;
        size_t length;
        uint32_t kind, final;
    } rows[] = {{"one", 3, UR_TEXT, 1},
                {"", 0, UR_BINARY, 1},
                {"t", 1, UR_TEXT, 0},
                {"", 0, UR_TEXT, 0},
                {"wo", 2, UR_TEXT, 1}};
    ur_request r = open_websocket();
    ur_slot slot;
    ur_str reason;
    CHECK(ur_next_slot(l, r, UR_NOW, &slot) == -EAGAIN);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        say(rows[i].bytes, rows[i].length, rows[i].kind | (rows[i].final ? UR__FINAL : 0));
        CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0 && slot.kind == rows[i].kind && slot.final == rows[i].final &&
              slot.length == rows[i].length);
        CHECK(slot.length == 0 ? slot.data == NULL : memcmp(slot.data, rows[i].bytes, slot.length) == 0);
        CHECK(ur_close_code(&slot, NULL) == -EINVAL && ur_release(l, r, slot.number) == 0);
    }
    say("\x0f\xa0" "bye", 5, UR_CLOSE);
    CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0 && slot.kind == UR_CLOSE && ur_close_code(&slot, &reason) == 4000 &&
          ur__equals(reason, "bye"));
    say("", 0, UR_END);
    CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0 && slot.kind == UR_END && ur_end(l, r, UR_NOW) == 0);
    heap_close(&s);
}

static void a_close_may_have_no_code(void) {
    ur_request r = open_websocket();
    ur_slot slot;
    ur_str reason = UR_LIT("?");
    say("", 0, UR_CLOSE);
    CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0 && ur_close_code(&slot, &reason) == 1005 && reason.length == 0);
    CHECK(ur_close_websocket(l, r, 1005, "x", 1, UR_NOW) == -EINVAL &&
          ur_close_websocket(l, r, 1005, NULL, 0, UR_NOW) == 0);
    expect(2, UR_CLOSE, NULL, 0);
    expect(3, UR_END, NULL, 0);
    heap_close(&s);
}

static void a_close_with_a_code_that_may_not_be_sent_is_refused_and_nothing_is_lost(void) {
    static const int codes[] = {-1, 0, 999, 1004, 1006, 1015, 1016, 2999, 5000, 65536 + 1000};
    ur_request r = open_websocket();
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        CHECK(ur_send_close(l, r, codes[i], NULL, 0, UR_NOW) == -EINVAL &&
              ur_close_websocket(l, r, codes[i], NULL, 0, UR_NOW) == -EINVAL);
    }
    CHECK(ur_send(l, r, UR_TEXT, "still open", 10, 1, UR_NOW, NULL) == 0 &&
          ur_close_websocket(l, r, 4000, "bye", 3, UR_NOW) == 0);
    expect(2, UR_TEXT | UR__FINAL, "still open", 10);
    expect(3, UR_CLOSE, "\x0f\xa0" "bye", 5);
    heap_close(&s);
}

static void messages_go_out_at_once(void) {
    ur_request r = open_websocket();
    size_t n;
    CHECK(ur_send(l, r, UR_TEXT, "one", 3, 1, UR_NOW, &n) == 0 && n == 3 && published() == 2);
    CHECK(ur_send(l, r, UR_BINARY, NULL, 0, 1, UR_NOW, &n) == 0 && n == 0 && published() == 3);
    CHECK(ur_send(l, r, UR_TEXT, "t", 1, 0, UR_NOW, NULL) == 0 && ur_send(l, r, UR_TEXT, "", 0, 0, UR_NOW, NULL) == 0 &&
          published() == 4);
    CHECK(ur_send(l, r, UR_TEXT, "", 0, 1, UR_NOW, NULL) == 0 && published() == 5);
    expect(2, UR_TEXT | UR__FINAL, "one", 3);
    expect(3, UR_BINARY | UR__FINAL, NULL, 0);
    expect(4, UR_TEXT, "t", 1);
    expect(5, UR_TEXT | UR__FINAL, NULL, 0);
    heap_close(&s);
}

static void a_large_message_is_cut_into_slots_of_one_kind(void) {
    static char big[3 * HEAP_SLOT + 100];
    ur_request r = open_websocket();
    size_t n, at = 0;
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (char)(i * 7 + i / 256);
    }
    CHECK(ur_send(l, r, UR_BINARY, big, sizeof big, 1, UR_NOW, &n) == 0 && n == sizeof big);
    for (uint64_t i = 2; i <= published(); i++) {
        ur_slot slot = response_slot(i, i == published() ? UR_BINARY | UR__FINAL : UR_BINARY);
        CHECK(slot.length > 0 && memcmp(slot.data, big + at, slot.length) == 0);
        at += slot.length;
    }
    CHECK(at == sizeof big);
    heap_close(&s);
}

static void a_message_without_room_goes_on_where_it_stopped(void) {
    static char big[HEAP_BUFFERS * HEAP_SLOT];
    ur_request r = open_websocket(), told;
    size_t n, done = 0;
    uint64_t seen = 1, at = 0;
    int err;
    for (size_t i = 0; i < sizeof big; i++) {
        big[i] = (char)(i * 11 + i / 256);
    }
    do {
        err = ur_send(l, r, UR_TEXT, big + done, sizeof big - done, 1, UR_NOW, &n);
        done += n;
        CHECK(err == (done < sizeof big ? -EAGAIN : 0));
        CHECK(err == 0 || (ur__load64(&s.lanes[1].wants_room) != 0 && ur_end(l, r, UR_NOW) == -EINVAL));
        for (; seen < published(); seen++) {
            ur_slot slot = response_slot(seen + 1, err == 0 && seen + 1 == published() ? UR_TEXT | UR__FINAL : UR_TEXT);
            CHECK(memcmp(slot.data, big + at, slot.length) == 0);
            at += slot.length;
        }
        ur__store64(&s.positions[1].released, seen);
        heap_notify(&s, 1, UR_WAIT_READY);
        CHECK(ur_ready(l, &told) == 0 && told == r);
    } while (err != 0);
    CHECK(at == sizeof big && ur_end(l, r, UR_NOW) == 0);
    heap_close(&s);
}

static void an_empty_message_waits_for_its_place(void) {
    ur_request r = open_websocket();
    void *room;
    size_t size;
    for (int i = 1; i < HEAP_RING; i++) {
        CHECK(ur_send(l, r, UR_TEXT, "", 0, 1, UR_NOW, NULL) == 0);
    }
    CHECK(ur_send(l, r, UR_TEXT, "", 0, 1, UR_NOW, NULL) == -EAGAIN &&
          ur_send(l, r, UR_TEXT, "", 0, 1, 1, NULL) == -ETIMEDOUT);
    CHECK(ur_reserve(l, r, UR_NOW, &room, &size) == -EAGAIN);
    CHECK(ur_close_websocket(l, r, 1005, NULL, 0, UR_NOW) == -EAGAIN &&
          ur_close_websocket(l, r, 1000, "x", 1, 1) == -ETIMEDOUT);
    ur__store64(&s.positions[1].released, 1);
    CHECK(ur_close_websocket(l, r, 1000, "x", 1, UR_NOW) == -EAGAIN &&
          published() == HEAP_RING + 1); /* the close found a place, the end none */
    CHECK(ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    ur__store64(&s.positions[1].released, 2);
    CHECK(ur_close_websocket(l, r, 1000, "x", 1, UR_NOW) == 0 &&
          ur_close_websocket(l, r, 1000, "x", 1, UR_NOW) == -ESTALE);
    expect(HEAP_RING + 1, UR_CLOSE, "\x03\xe8x", 3);
    expect(HEAP_RING + 2, UR_END, NULL, 0);
    heap_close(&s);
}

static void a_message_is_written_in_place(void) {
    ur_request r = open_websocket();
    void *room;
    size_t size;
    CHECK(ur_commit_message(l, r, UR_TEXT, 0, 1) == -EINVAL); /* nothing is reserved */
    CHECK(ur_reserve(l, r, UR_NOW, &room, &size) == 0 && ur_commit(l, r, 1) == -EINVAL &&
          ur_commit_message(l, r, UR_TEXT, size + 1, 1) == -EINVAL);
    memcpy(room, "abc", 3);
    CHECK(ur_commit_message(l, r, UR_TEXT, 3, 0) == 0 && ur_commit_message(l, r, UR_TEXT, 3, 0) == -EINVAL &&
          published() == 2);
    CHECK(ur_reserve(l, r, UR_NOW, &room, &size) == 0 && ur_commit_message(l, r, UR_BINARY, 1, 1) == -EINVAL);
    CHECK(ur_commit_message(l, r, UR_TEXT, 0, 0) == 0 && published() == 2 &&
          ur_commit_message(l, r, UR_TEXT, 0, 1) == 0);
    CHECK(ur_reserve(l, r, UR_NOW, &room, &size) == 0 && ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == 0);
    CHECK(ur_commit_message(l, r, UR_TEXT, 1, 1) == -EINVAL); /* a later send dropped the reservation */
    expect(2, UR_TEXT, "abc", 3);
    expect(3, UR_TEXT | UR__FINAL, NULL, 0);
    expect(4, UR_TEXT | UR__FINAL, "x", 1);
    heap_close(&s);
}

static void calls_out_of_order_are_refused(void) {
    static const ur_header field = {UR_LIT("t"), UR_LIT("v")};
    ur_request r = open_websocket();
    CHECK(ur_write(l, r, "x", 1, UR_NOW, NULL) == -EINVAL && ur_trailers(l, r, &field, 1, UR_NOW) == -EINVAL);
    CHECK(ur_interim(l, r, 103, NULL, 0, UR_NOW) == -EALREADY &&
          ur_send(l, r, UR_BODY, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_send(l, r, UR_TEXT | UR__FINAL, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_send(l, r, UR_TEXT, "x", 1, 0, UR_NOW, NULL) == 0 &&
          ur_send(l, r, UR_BINARY, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_send_close(l, r, 1000, NULL, 0, UR_NOW) == -EINVAL &&
          ur_end_response(l, r, UR_NOW) == -EINVAL); /* within a message */
    CHECK(ur_send(l, r, UR_TEXT, NULL, 0, 1, UR_NOW, NULL) == 0 && published() == 3);
    CHECK(ur_send_close(l, r, 4000, "x", 1, UR_NOW) == 0 && ur_send_close(l, r, 4000, "x", 1, UR_NOW) == -EINVAL);
    CHECK(ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == -EINVAL && ur_abort(l, r) == 0);
    heap_close(&s);
}

static void a_close_has_a_code_that_may_be_sent(void) {
    static const struct {
        int first, last, good;
    } rows[] = {{-1, 999, 0},    {1000, 1003, 1}, {1004, 1004, 0}, {1005, 1005, 1}, {1006, 1006, 0},
                {1007, 1014, 1}, {1015, 2999, 0}, {3000, 4999, 1}, {5000, 70000, 0}};
    static char long_reason[124];
    memset(long_reason, 'x', sizeof long_reason);
    ur_request r = open_websocket();
    CHECK(ur_send_close(l, r, 1000, long_reason, 124, UR_NOW) == -EINVAL &&
          ur_send_close(l, r, 1000, "\xff", 1, UR_NOW) == -EINVAL && published() == 1);
    CHECK(ur_send_close(l, r, 1000, long_reason, 123, UR_NOW) == 0);
    heap_close(&s);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int codes[2] = {rows[i].first, rows[i].last};
        for (int k = 0; k < 2; k++) {
            r = open_websocket();
            CHECK(ur_send_close(l, r, codes[k], NULL, 0, UR_NOW) == (rows[i].good ? 0 : -EINVAL));
            heap_close(&s);
        }
    }
}

static void slots_are_readable_after_the_close(void) {
    ur_request r = open_websocket();
    ur_slot slot;
    say("last", 4, UR_TEXT | UR__FINAL);
    CHECK(ur_send_close(l, r, 1001, NULL, 0, UR_NOW) == 0 && ur_end_response(l, r, UR_NOW) == 0);
    CHECK(ur_next_slot(l, r, UR_NOW, &slot) == 0 && slot.length == 4 &&
          ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, NULL) == -EINVAL);
    CHECK(ur_close_websocket(l, r, 1001, NULL, 0, UR_NOW) == -EINVAL && ur_let_go(l, r) == 0);
    heap_close(&s);
}

static void a_client_that_is_gone_is_a_cancellation(void) {
    ur_request r = open_websocket();
    ur_slot slot;
    void *room;
    size_t size, n;
    ur__store32(&s.rows[1].cancel, UR_CLIENT_GONE);
    CHECK(ur_next_slot(l, r, UR_FOREVER, &slot) == -ECANCELED &&
          ur_send(l, r, UR_TEXT, "x", 1, 1, UR_NOW, &n) == -ECANCELED && n == 0);
    CHECK(ur_send(l, r, UR_TEXT, "", 0, 1, UR_NOW, NULL) == -ECANCELED &&
          ur_reserve(l, r, UR_NOW, &room, &size) == -ECANCELED);
    CHECK(ur_send_close(l, r, 1000, NULL, 0, UR_NOW) == -ECANCELED &&
          ur_close_websocket(l, r, 1000, NULL, 0, UR_NOW) == -ECANCELED);
    CHECK(ur_cancelled(l, r) == -ESTALE && ur__load64(&s.lanes[1].let_go) == 5);
    heap_close(&s);
}

int main(void) {
    interim_responses_precede_the_final_one_at_once();
    only_a_1xx_status_is_an_interim_response();
    a_whole_response_without_room_for_its_headers_does_nothing();
    only_a_request_for_a_websocket_becomes_one();
    messages_come_with_their_kind_and_their_end();
    a_close_may_have_no_code();
    a_close_with_a_code_that_may_not_be_sent_is_refused_and_nothing_is_lost();
    messages_go_out_at_once();
    a_large_message_is_cut_into_slots_of_one_kind();
    a_message_without_room_goes_on_where_it_stopped();
    an_empty_message_waits_for_its_place();
    a_message_is_written_in_place();
    calls_out_of_order_are_refused();
    a_close_has_a_code_that_may_be_sent();
    slots_are_readable_after_the_close();
    a_client_that_is_gone_is_a_cancellation();
    printf("websocket_test: ok\n");
    return 0;
}
