/* The calls that combine others, and responses that end before their request. */
#include "heap_link.h"

static struct heap_server s;
static ur_link *l;

/* Assigns a stream of these slots behind the headers. */
static struct ur__writer *assign(uint64_t id, uint32_t row, uint32_t lane, const char *body, int end) {
    struct ur__writer *w = heap_stream(&s, id, row, lane);
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    if (body[0] != '\0') {
        heap_put(w, body, strlen(body), UR_BODY);
    }
    if (end) {
        CHECK(ur__writer_commit_empty(w, UR_END) == 0);
    }
    (void)ur__writer_publish(w);
    (void)heap_append(&s, id, row, lane);
    return w;
}

static ur_request take(uint64_t id, uint32_t row, uint32_t lane) {
    ur_request r;
    (void)assign(id, row, lane, "body", 1);
    CHECK(ur_next(l, UR_NOW, &r) == 0);
    return r;
}

/* Checks slot n of a response. */
static void expect(uint64_t id, uint32_t lane, uint64_t n, uint32_t kind, const char *bytes, size_t length) {
    struct ur__reader reader = heap_reader(&s, id, lane);
    ur_slot slot;
    CHECK(ur__reader_tail(&reader, n, &slot) == 0 && slot.kind == kind && slot.length == length);
    CHECK(length == 0 || memcmp(slot.data, bytes, length) == 0);
}

static void a_whole_request_comes_with_one_call(void) {
    static const char want[] = "POST\0http\0x\0/p\0a\0" "1\0b\0" "2";
    static char text[HEAP_SLOT];
    ur_flat_request t;
    ur_slot slot;
    ur_counters c;
    l = heap_open(&s);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT - 1) == -EINVAL &&
          ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == -EAGAIN && t.request == 0);
    (void)assign(5, 1, 1, "body", 1);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.request != 0 && t.stream_id == 5);
    CHECK(t.text_length == sizeof want && memcmp(text, want, sizeof want) == 0 && t.header_count == 2 &&
          t.http_version == 1);
    CHECK(t.whole == 1 && t.body_length == 4 && memcmp(t.body, "body", 4) == 0);
    CHECK(ur__load64(&s.lanes[1].released) == 0 && ur_get_counters(l, &c) == 0 && c.slots_in == 2 && c.bytes_in == 4);
    CHECK(ur_next_slot(l, t.request, UR_NOW, &slot) == 0 && slot.number == 2 && ur_get_counters(l, &c) == 0 &&
          c.slots_in == 2);
    (void)assign(6, 2, 2, "", 1);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.whole == 1 && t.body == NULL && t.body_length == 0);
    heap_close(&s);
}

static void names_can_come_apart_from_the_rest(void) {
    static const char want[] = "POST\0http\0x\0/p\0" "1\0" "2\0" "a\0b";
    static char text[HEAP_SLOT];
    uint64_t names = 1;
    ur_flat_request t;
    l = heap_open(&s);
    CHECK(ur_next_split(l, UR_NOW, &t, text, HEAP_SLOT, &names) == -EAGAIN && names == 0);
    (void)assign(5, 1, 1, "body", 1);
    CHECK(ur_next_split(l, UR_NOW, &t, text, HEAP_SLOT, &names) == 0 && t.stream_id == 5 && t.body_length == 4);
    CHECK(t.text_length == sizeof want && memcmp(text, want, sizeof want) == 0 && names == sizeof "a\0b");
    heap_close(&s);
}

static void a_body_that_is_on_its_way_is_not_whole(void) {
    static char text[HEAP_SLOT];
    ur_flat_request t;
    l = heap_open(&s);
    (void)assign(1, 0, 0, "", 0);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.whole == 0 && t.body == NULL);
    CHECK(ur__load32(&s.lanes[0].wants_request) == 0); /* no caller waits for it yet */
    struct ur__writer *w = assign(2, 1, 1, "first", 0);
    heap_put(w, "\0", 1, UR_TRAILERS);
    CHECK(ur__writer_commit_empty(w, UR_END) == 0);
    (void)ur__writer_publish(w);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.whole == 0 && t.body == NULL && t.body_length == 0);
    w = assign(3, 2, 2, "first", 0);
    heap_put(w, "last", 4, UR_BODY);
    (void)ur__writer_publish(w);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.whole == 0 && t.body == NULL);
    heap_close(&s);
}

static void body_slots_come_together_and_others_alone(void) {
    ur_slot slots[3];
    l = heap_open(&s);
    struct ur__writer *w = assign(1, 0, 0, "a", 0);
    ur_request r;
    CHECK(ur_next(l, UR_NOW, &r) == 0 && ur_next_slots(l, r, slots, 0) == -EINVAL);
    for (int i = 0; i < 3; i++) {
        heap_put(w, &"bcd"[i], 1, UR_BODY);
    }
    (void)ur__writer_publish(w);
    CHECK(ur_next_slots(l, r, slots, 3) == 3 && slots[0].number == 2 && slots[2].number == 4);
    CHECK(*(const char *)slots[0].data == 'a' && *(const char *)slots[2].data == 'c');
    CHECK(ur_next_slots(l, r, slots, 3) == 1 && slots[0].number == 5 && ur_next_slots(l, r, slots, 3) == -EAGAIN);
    heap_put(w, "e", 1, UR_BODY);
    heap_put(w, "\0", 1, UR_TRAILERS);
    CHECK(ur__writer_commit_empty(w, UR_END) == 0);
    (void)ur__writer_publish(w);
    CHECK(ur_next_slots(l, r, slots, 3) == 1 && slots[0].kind == UR_BODY);
    CHECK(ur_next_slots(l, r, slots, 3) == 1 && slots[0].kind == UR_TRAILERS);
    CHECK(ur_next_slots(l, r, slots, 3) == 1 && slots[0].kind == UR_END && slots[0].number == 8);
    ur_counters c;
    CHECK(ur_get_counters(l, &c) == 0 && c.slots_in == 7 && ur_release(l, r, 8) == 0);
    heap_close(&s);
}

static void a_request_that_cannot_be_decoded_is_passed_over(void) {
    static char text[HEAP_SLOT];
    ur_flat_request t;
    ur_counters c;
    l = heap_open(&s);
    struct ur__writer *w = heap_stream(&s, 1, 0, 0);
    heap_put(w, "HPKS?", 5, UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, 1, 0, 0);
    (void)assign(2, 1, 1, "", 1);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.stream_id == 2);
    CHECK(ur_get_counters(l, &c) == 0 && c.aborted == 1 && c.active == 1 && ur__load64(&s.lanes[0].let_go) == 1);
    heap_close(&s);
}

static void the_longest_head_fits_the_text(void) {
    static char text[HEAP_SLOT], frame[HEAP_SLOT];
    ur_flat_request t;
    l = heap_open(&s);
    memcpy(frame, heap_frame, 16);
    memcpy(frame + 16, "\x01G\0\0\0", 5); /* no path is the path "/", which is longer */
    char *to = frame + 21;
    *to++ = (char)0x80; /* a count of 128 * 10: fields of 3 bytes */
    *to++ = 10;
    for (int i = 0; i < 1280; i++, to += 3) {
        memcpy(to, "\x01n\0", 3);
    }
    struct ur__writer *w = heap_stream(&s, 1, 0, 0);
    heap_put(w, frame, (size_t)(to - frame), UR_HEADERS);
    (void)ur__writer_publish(w);
    (void)heap_append(&s, 1, 0, 0);
    CHECK(ur_next_flat(l, UR_NOW, &t, text, HEAP_SLOT) == 0 && t.header_count == 1280 && t.text_length == 6 + 1280 * 3);
    CHECK(memcmp(text, "G\0\0\0/\0n\0\0", 9) == 0);
    heap_close(&s);
}

static void flat_fields_are_those_of_an_array(void) {
    static const char flat[] = "A\0" "1\0Empty\0\0set-cookie\0a=b; c";
    const ur_header fields[] = {
        {UR_LIT("A"), UR_LIT("1")}, {UR_LIT("Empty"), UR_LIT("")}, {UR_LIT("set-cookie"), UR_LIT("a=b; c")}};
    uint8_t one[64], other[64];
    size_t size = ur__list_size(ur__flat(flat, sizeof flat));
    CHECK(size != 0 && size == ur__list_size(ur__array(fields, 3)));
    CHECK(ur__put_list(one, ur__flat(flat, sizeof flat)) == one + size &&
          ur__put_list(other, ur__array(fields, 3)) == other + size);
    CHECK(memcmp(one, other, size) == 0);
    CHECK(ur__list_size(ur__flat(flat, 0)) == 1 && ur__list_size(ur__flat(NULL, 0)) == 1);
}

static void flat_fields_that_are_cut_off_are_refused(void) {
    static const char flat[] = "a\0" "1\0b\0" "2";
    for (size_t n = 1; n <= sizeof flat; n++) {
        const char *at = (const char *)guarded_copy(flat, n);
        CHECK((ur__list_size(ur__flat(at, n)) != 0) == (n == 4 || n == sizeof flat));
    }
    CHECK(ur__list_size(ur__flat("\0x", 3)) == 0 && ur__list_size(ur__flat("a\0x\ny", 6)) == 0);
    CHECK(ur_check_flat(200, flat, sizeof flat) == 0 && ur_check_flat(200, flat, sizeof flat - 1) == -EINVAL);
    CHECK(ur_check_flat(200, NULL, 0) == 0 && ur_check_flat(199, NULL, 0) == -EINVAL &&
          ur_check_flat(1000, NULL, 0) == -EINVAL);
}

static void a_whole_response_is_headers_body_and_end(void) {
    ur_counters c;
    l = heap_open(&s);
    ur_request r = take(7, 0, 0), other = take(8, 1, 1);
    size_t n = 9;
    CHECK(ur_respond_whole(l, r, 99, "", 0, "x", 1, UR_NOW, &n) == -EINVAL && n == 0);
    CHECK(ur_respond_whole(l, r, 200, "a\0b", 4, "hello", 5, UR_NOW, &n) == 0 && n == 5);
    expect(7, 0, 1, UR_HEADERS, "HPKS\x01\x01\0\0\0\0\0\0\0\x07\x02\x01\0\xc8\x01\x01" "a\x01" "b", 23);
    expect(7, 0, 2, UR_BODY, "hello", 5);
    expect(7, 0, 3, UR_END, NULL, 0);
    CHECK(ur__load64(&s.lanes[0].let_go) == 7 && ur_respond_whole(l, r, 200, "", 0, "", 0, UR_NOW, NULL) == -ESTALE);
    CHECK(ur_respond_whole(l, other, 204, NULL, 0, NULL, 0, UR_NOW, NULL) == 0);
    expect(8, 1, 2, UR_END, NULL, 0);
    CHECK(ur_get_counters(l, &c) == 0 && c.ended == 2 && c.active == 0);
    heap_close(&s);
}

static void a_whole_response_without_room_says_how_much_it_wrote(void) {
    static char big[HEAP_BUFFERS * HEAP_SLOT];
    l = heap_open(&s);
    ur_request r = take(7, 0, 0);
    size_t n = 0;
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, big, sizeof big, UR_NOW, &n) == -EAGAIN && n > HEAP_SLOT &&
          n < sizeof big);
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, big, 1, UR_NOW, &n) == -EALREADY && n == 0);
    ur__store64(&s.positions[0].released, ur__load64(&s.lanes[0].published));
    CHECK(ur_write(l, r, big, 1, UR_NOW, &n) == 0 && ur_end(l, r, UR_NOW) == 0);
    r = take(8, 1, 1);
    ur__store32(&s.rows[1].cancel, UR_CLIENT_GONE);
    CHECK(ur_respond_whole(l, r, 200, NULL, 0, "x", 1, UR_NOW, NULL) == -ECANCELED && ur_cancelled(l, r) == -ESTALE);
    CHECK(ur__load64(&s.lanes[1].let_go) == 8 && ur_reason(l, r) == UR_CLIENT_GONE);
    (void)take(9, 2, 1);
    CHECK(ur_reason(l, r) == UR_NOT_CANCELLED);
    heap_close(&s);
}

static void a_whole_response_without_room_says_how_much_is_unsent(void) {
    static char big[HEAP_BUFFERS * HEAP_SLOT];
    ur_counters c;
    l = heap_open(&s);
    ur_request r = take(7, 0, 0);
    CHECK(ur_respond_whole_flat(l, r, 200, "", -1, "x", 1) == -EINVAL &&
          ur_respond_whole_flat(l, r, 200, "", 0, "x", -1) == -EINVAL);
    CHECK(ur_respond_whole_flat(l, r, 200, NULL, 0, "x", 1) == 0 &&
          ur_respond_whole_flat(l, r, 200, NULL, 0, "x", 1) == -ESTALE);
    expect(7, 0, 2, UR_BODY, "x", 1);
    r = take(8, 1, 1);
    CHECK(ur_unsent(l, r) == 0 && ur_respond_whole_flat(l, r, 200, NULL, 0, big, sizeof big) == -EAGAIN);
    CHECK(ur_get_counters(l, &c) == 0 && c.bytes_out - 1 + l->lanes[1].filled + ur_unsent(l, r) == sizeof big);
    CHECK(ur_unsent(l, r) > 0 && ur_unsent(l, r) < sizeof big - HEAP_SLOT && ur_abort(l, r) == 0 &&
          ur_unsent(l, r) == 0);
    heap_close(&s);
}

static int left, entered;

static void *leave(void) {
    left++;
    return &left;
}

static void enter(void *kept) { entered += kept == &left; }

static void a_sleep_leaves_the_lock_and_enters_it_again(void) {
    static const uint64_t one = 1;
    int also[2];
    l = heap_open(&s);
    CHECK(ur_sleep(l, UR_WAIT_STREAM, 0, -1, leave, enter) == -ENOTSUP && pipe(also) == 0);
    l->bell = eventfd(0, EFD_NONBLOCK);
    CHECK(ur_sleep(l, UR_WAIT_STREAM, 0, -1, leave, enter) == -ETIMEDOUT && left == 1 && entered == 1);
    CHECK(ur__load64(&s.words->asleep) == 0);
    CHECK(write(also[1], "x", 1) == 1 && ur_sleep(l, UR_WAIT_STREAM, 10000, also[0], leave, enter) == -EINTR &&
          left == 2);
    CHECK(write(l->bell, &one, sizeof one) == 8 && ur_sleep(l, UR_WAIT_STREAM, 10000, -1, leave, enter) == 0 &&
          entered == 3);
    CHECK(ur_sleep(l, UR_WAIT_STREAM, 0, -1, leave, enter) == -ETIMEDOUT); /* the bell was silenced */
    ur_request r = take(5, 0, 0), news;
    heap_notify(&s, 0, 0);
    CHECK(ur_sleep(l, UR_WAIT_READY, 10000, -1, leave, enter) == 0 && left == 4 && ur_ready(l, &news) == -EAGAIN);
    (void)assign(6, 1, 1, "", 1);
    CHECK(ur_sleep(l, UR_WAIT_STREAM, 10000, -1, leave, enter) == 0 && left == 4 && ur_abort(l, r) == 0);
    (void)shutdown(s.socket, SHUT_RDWR);
    CHECK(ur_sleep(l, UR_WAIT_READY, 10000, -1, leave, enter) == -ENOTCONN && left == 5 && entered == 5);
    (void)close(also[0]);
    (void)close(also[1]);
    heap_close(&s);
}

static void slots_are_readable_after_the_end_of_the_response(void) {
    ur_slot slot;
    ur_counters c;
    l = heap_open(&s);
    ur_request r = take(5, 1, 1);
    CHECK(ur_end_response(l, r, UR_NOW) == -EINVAL && ur_let_go(l, r) == -EINVAL);
    CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 && ur_write(l, r, "x", 1, UR_NOW, NULL) == 0 &&
          ur_end_response(l, r, UR_NOW) == 0);
    expect(5, 1, 3, UR_END, NULL, 0);
    CHECK(ur__load64(&s.lanes[1].let_go) == 0);
    ur__store32(&s.rows[1].cancel, UR_FINISHED); /* as a server treats a worker that stays */
    heap_notify(&s, 1, 0);
    CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == 0 && slot.length == 4 && memcmp(slot.data, "body", 4) == 0);
    CHECK(ur_write(l, r, "x", 1, UR_NOW, NULL) == -EINVAL && ur_respond(l, r, 200, NULL, 0, UR_NOW) == -EALREADY);
    CHECK(ur_end(l, r, UR_NOW) == -EINVAL && ur_end_response(l, r, UR_NOW) == 0 && ur_abort_response(l, r) == 0);
    CHECK(ur__load64(&s.lanes[1].published) == 3 && ur_release(l, r, 2) == 0 && ur_let_go(l, r) == 0 &&
          ur_let_go(l, r) == -ESTALE);
    CHECK(ur__load64(&s.lanes[1].let_go) == 5);
    CHECK(ur_get_counters(l, &c) == 0 && c.ended == 1 && c.aborted == 0 && c.cancelled == 0 && c.active == 0);
    heap_close(&s);
}

static void slots_are_readable_after_an_abort_of_the_response(void) {
    ur_slot slot;
    ur_counters c;
    l = heap_open(&s);
    ur_request r = take(5, 1, 1);
    CHECK(ur_abort_response(l, r) == 0);
    expect(5, 1, 1, UR__ABORT, NULL, 0);
    CHECK(ur_respond(l, r, 200, NULL, 0, UR_NOW) == -EALREADY && ur_tail(l, r, 2, UR_NOW, &slot) == 0);
    CHECK(ur_abort(l, r) == 0 && ur__load64(&s.lanes[1].published) == 1 && ur__load64(&s.lanes[1].let_go) == 5);
    CHECK(ur_get_counters(l, &c) == 0 && c.aborted == 1 && c.active == 0);
    heap_close(&s);
}

static void trailers_can_be_flat(void) {
    l = heap_open(&s);
    ur_request r = take(5, 1, 1);
    CHECK(ur_respond_flat(l, r, 200, NULL, 0, UR_NOW) == 0 && ur_trailers_flat(l, r, "", 0, UR_NOW) == 0);
    CHECK(ur_trailers_flat(l, r, "T\0v", 3, UR_NOW) == -EINVAL && ur_trailers_flat(l, r, "T\0v", 4, UR_NOW) == 0);
    CHECK(ur_end(l, r, UR_NOW) == 0);
    expect(5, 1, 2, UR_TRAILERS, "\x01\x01t\x01v", 5);
    heap_close(&s);
}

static void the_memory_is_that_of_the_slots(void) {
    ur_memory m;
    ur_slot slot;
    void *room;
    size_t size;
    l = heap_open(&s);
    ur_request r = take(5, 1, 1);
    ur_get_memory(l, &m);
    CHECK(ur_tail(l, r, 2, UR_NOW, &slot) == 0 && ur_respond(l, r, 200, NULL, 0, UR_NOW) == 0 &&
          ur_reserve(l, r, UR_NOW, &room, &size) == 0);
    CHECK((const char *)slot.data > (const char *)m.requests &&
          (const char *)slot.data + slot.length <= (const char *)m.requests + m.requests_size);
    CHECK((char *)room > (char *)m.responses && (char *)room + size <= (char *)m.responses + m.responses_size);
    heap_close(&s);
}

int main(void) {
    a_whole_request_comes_with_one_call();
    names_can_come_apart_from_the_rest();
    a_body_that_is_on_its_way_is_not_whole();
    body_slots_come_together_and_others_alone();
    a_request_that_cannot_be_decoded_is_passed_over();
    the_longest_head_fits_the_text();
    flat_fields_are_those_of_an_array();
    flat_fields_that_are_cut_off_are_refused();
    a_whole_response_is_headers_body_and_end();
    a_whole_response_without_room_says_how_much_it_wrote();
    a_whole_response_without_room_says_how_much_is_unsent();
    a_sleep_leaves_the_lock_and_enters_it_again();
    slots_are_readable_after_the_end_of_the_response();
    slots_are_readable_after_an_abort_of_the_response();
    trailers_can_be_flat();
    the_memory_is_that_of_the_slots();
    printf("flat_test: ok\n");
    return 0;
}
