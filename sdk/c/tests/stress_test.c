/* A server and a worker in two threads over one link, with random sizes, random
 * timeouts, streams that are taken back and streams that are cancelled. Only a notice or a
 * bell wakes a waiting thread: a lost one is a failure. */
#include "heap_link.h"

#include <pthread.h>

enum { STREAMS = 3000, LOST_MS = 20000 };

struct random {
    uint64_t state;
};

static uint64_t draw(struct random *r, uint64_t n) {
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state % n;
}

/* Byte i of the request body of a stream; the response has all bits turned. */
static uint8_t pattern(uint64_t id, uint64_t i) { return (uint8_t)((i + id * 131) * 2654435761u >> 13); }

/* ---- the worker: echoes with all bits turned */

struct echo {
    int begun, done;
    ur_slot slot;
    size_t at;
    uint64_t unreleased;
};

static int turn(ur_link *l, ur_request r, struct echo *e, struct random *random) {
    while (e->at < e->slot.length) {
        void *room;
        size_t size;
        int err = ur_reserve(l, r, UR_NOW, &room, &size);
        if (err != 0) {
            return err;
        }
        size_t n = (size_t)ur__min(size, 1 + draw(random, e->slot.length - e->at));
        for (size_t i = 0; i < n; i++) {
            ((uint8_t *)room)[i] = (uint8_t)~((const uint8_t *)e->slot.data)[e->at + i];
        }
        CHECK(ur_commit(l, r, n) == 0);
        e->at += n;
        if (draw(random, 4) == 0) {
            (void)ur_flush(l, r);
        }
    }
    return 0;
}

static int advance(ur_link *l, ur_request r, struct echo *e, struct random *random) {
    int err = 0;
    if (!e->begun && (err = ur_respond(l, r, 200, NULL, 0, UR_NOW)) == 0) {
        e->begun = 1;
    }
    while (err == 0) {
        if (e->slot.number == 0 && (err = ur_next_slot(l, r, UR_NOW, &e->slot)) != 0) {
            break;
        }
        if (e->slot.kind == UR_END) {
            return ur_end(l, r, UR_NOW);
        }
        if (e->slot.kind == UR_BODY && (err = turn(l, r, e, random)) != 0) {
            break;
        }
        e->unreleased = e->slot.number;
        if (draw(random, 3) == 0) {
            err = ur_release(l, r, e->slot.number);
        }
        e->slot.number = e->at = 0;
    }
    if (err == -EAGAIN) {
        (void)ur_release(l, r, e->slot.number == 0 ? e->unreleased : e->slot.number - 1);
        (void)ur_flush(l, r);
    }
    return err;
}

static void step(ur_link *l, ur_request r, struct random *random) {
    struct echo *e = (struct echo *)ur_user(l, r);
    int err = advance(l, r, e, random);
    if (err == -EAGAIN) {
        return;
    }
    CHECK(err == 0 || err == -ECANCELED);
    if (err != 0) {
        (void)ur_abort(l, r);
    }
    free(e);
}

/* Half of the requests are served with calls that block. */
static void serve_blocking(ur_link *l, ur_request r) {
    ur_slot slot;
    int err = ur_respond(l, r, 200, NULL, 0, LOST_MS);
    while (err == 0 && (err = ur_next_slot(l, r, LOST_MS, &slot)) == 0 && slot.kind == UR_BODY) {
        uint8_t turned[HEAP_SLOT];
        for (size_t i = 0; i < slot.length; i++) {
            turned[i] = (uint8_t)~((const uint8_t *)slot.data)[i];
        }
        err = ur_write(l, r, turned, slot.length, LOST_MS, NULL);
        err = err == 0 ? ur_flush(l, r) : err;
        err = err == 0 ? ur_release(l, r, slot.number) : err;
    }
    err = err == 0 ? ur_end(l, r, LOST_MS) : err;
    CHECK(err == 0 || err == -ECANCELED);
    if (err != 0) {
        (void)ur_abort(l, r);
    }
}

static void *work(void *link) {
    ur_link *l = (ur_link *)link;
    struct random random = {12345};
    ur_request r;
    for (;;) {
        int err;
        while ((err = ur_next(l, UR_NOW, &r)) == 0) {
            if (draw(&random, 2) == 0) {
                serve_blocking(l, r);
                continue;
            }
            struct echo *e = (struct echo *)calloc(1, sizeof *e);
            CHECK(e != NULL && ur_set_user(l, r, e) == 0);
            step(l, r, &random);
        }
        while (ur_ready(l, &r) == 0) {
            step(l, r, &random);
        }
        ur_counters c;
        CHECK(ur_get_counters(l, &c) == 0);
        if (err == -ESHUTDOWN && c.active == 0) {
            return NULL;
        }
        CHECK(err == -EAGAIN || err == -ESHUTDOWN);
        CHECK(ur_wait(l, UR_WAIT_STREAM | UR_WAIT_READY, LOST_MS, NULL) == 0);
    }
}

/* ---- the server */

struct exchange {
    uint64_t id; /* 0: the lane is free */
    uint32_t row;
    struct ur__reader reader;
    uint64_t next, size, sent, received;
    int ended, received_end, over, cancel_at;
};

static struct heap_server s;
static struct exchange lanes[HEAP_LANES];
static struct random dice = {987654321};
static uint64_t served, got_back, passed_over, cancelled;

static void start_exchange(uint32_t i, uint64_t id) {
    struct exchange *x = &lanes[i];
    memset(x, 0, sizeof *x);
    x->id = id;
    x->row = i;
    x->size = draw(&dice, 3) == 0 ? draw(&dice, 200) : draw(&dice, 30 * HEAP_SLOT);
    x->next = 1;
    x->cancel_at = draw(&dice, 10) == 0 ? (int)draw(&dice, 20) : -1;
    struct ur__writer *w = heap_stream(&s, id, x->row, i);
    x->reader = heap_reader(&s, id, i);
    heap_put(w, heap_frame, HEAP_FRAME, UR_HEADERS);
    (void)ur__writer_publish(w);
    uint64_t entry = heap_append(&s, id, x->row, i);
    if (draw(&dice, 8) == 0 && heap_revoke(&s, entry)) {
        got_back++;
        x->id = 0;
    }
}

static void tell(uint32_t i, int wanted) {
    if (wanted) {
        heap_notify(&s, i, UR_WAIT_READY);
    }
}

/* Reserves room for a number of bytes, or, as the server does, for a single one: a worker
 * that still holds a slot of the lane's only buffer waits for the next one before it gives
 * that slot back, and would wait in vain for more room than the rest of the buffer. */
static int reserve(struct ur__writer *w, uint32_t bytes, uint8_t **room, uint32_t *size) {
    int err = ur__writer_reserve(w, bytes, room, size);
    return err == -EAGAIN ? ur__writer_reserve(w, 1, room, size) : err;
}

/* How much room to ask for: in one of four cases a whole buffer. */
static uint32_t some_bytes(const struct exchange *x) {
    uint32_t most = (uint32_t)ur__min(HEAP_SLOT, x->size - x->sent);
    return draw(&dice, 4) == 0 ? most : 1 + (uint32_t)draw(&dice, most);
}

/* Fills the room that there is. */
static int pump(struct exchange *x, uint32_t i) {
    struct ur__writer *w = &s.writers[x->row];
    int worked = 0, err = 0;
    while (!x->ended && err == 0) {
        uint8_t *room;
        uint32_t size;
        if (x->sent == x->size) {
            err = ur__writer_commit_empty(w, UR_END);
            x->ended = err == 0;
        } else if ((err = reserve(w, some_bytes(x), &room, &size)) == 0) {
            uint32_t n = (uint32_t)ur__min(1 + draw(&dice, size), x->size - x->sent);
            for (uint32_t k = 0; k < n; k++) {
                room[k] = pattern(x->id, x->sent + k);
            }
            ur__writer_commit(w, n, UR_BODY);
            x->sent += n;
        }
        worked |= err == 0;
        if (draw(&dice, 6) == 0) {
            break; /* read a little */
        }
    }
    CHECK(err == 0 || err == -EAGAIN);
    if (ur__writer_publish(w)) {
        ur__fence();
        tell(i, ur__load32(&s.lanes[i].wants_request) != 0); /* S2 */
    }
    return worked;
}

static void check(struct exchange *x, const ur_slot *slot) {
    if (slot->kind == UR_BODY) {
        for (size_t k = 0; k < slot->length; k++) {
            uint8_t got = ((const uint8_t *)slot->data)[k];
            CHECK(got + pattern(x->id, x->received + k) == 255);
        }
        x->received += slot->length;
    }
    x->received_end |= slot->kind == UR_END;
    CHECK(slot->kind != UR_END || x->received == x->size);
    CHECK(slot->kind != UR__ABORT || x->over);
}

/* Reads what there is. */
static int receive(struct exchange *x, uint32_t i) {
    int worked = 0;
    ur_slot slot;
    while (!x->received_end && !x->over) {
        int err = ur__reader_tail(&x->reader, x->next, &slot);
        if (err == -EAGAIN) {
            break;
        }
        CHECK(err == 0);
        check(x, &slot);
        worked = 1;
        CHECK(ur__reader_release(&x->reader, x->next) == 0);
        ur__fence();
        uint64_t want = ur__load64(&s.lanes[i].wants_room);
        tell(i, want != 0 && x->next >= want);
        x->next++;
        if (draw(&dice, 6) == 0) {
            return 1; /* write a little */
        }
    }
    return worked;
}

/* Ends an exchange whose worker has let go. */
static int finish(struct exchange *x, uint32_t i) {
    if (!x->received_end && !x->over && ur__load64(&s.lanes[i].stream_id) == x->id) {
        return 0; /* there is more to be read */
    }
    ur__store64(&s.positions[i].released, UR_ALL_SLOTS); /* D1 */
    served += (uint64_t)(x->received_end && !x->over);
    cancelled += (uint64_t)x->over;
    passed_over += (uint64_t)(!x->received_end && !x->over);
    x->id = 0;
    return 1;
}

static int step_lane(uint32_t i) {
    struct exchange *x = &lanes[i];
    int let_go = ur__load64(&s.lanes[i].let_go) == x->id; /* K2, before the last look */
    ur__store32(&s.positions[i].wants_response, 0);
    ur__store64(&s.rows[x->row].wants_room, 0);
    if (x->cancel_at >= 0 && x->next > (uint64_t)x->cancel_at && !x->over) {
        x->over = 1;
        ur__store32(&s.rows[x->row].cancel, UR_CLIENT_GONE); /* L1 */
        heap_notify(&s, i, 0);
    }
    int worked = !x->over && !let_go ? pump(x, i) : 0;
    worked |= receive(x, i);
    return let_go ? finish(x, i) | worked : worked;
}

/* Says for what each lane waits. */
static void announce(void) {
    s.sleeps++;
    ur__store64(&s.box->watcher_asleep, s.sleeps); /* S1 */
    for (uint32_t i = 0; i < HEAP_LANES; i++) {
        if (lanes[i].id != 0) {
            ur__store32(&s.positions[i].wants_response, 1);
            ur__store64(&s.rows[lanes[i].row].wants_room, 1);
        }
    }
    ur__fence();
}

static void look(void) {
    int worked = 0;
    for (uint32_t i = 0; i < HEAP_LANES; i++) {
        if (lanes[i].id != 0) {
            worked |= step_lane(i);
        }
    }
    if (worked) {
        return;
    }
    announce();
    for (uint32_t i = 0; i < HEAP_LANES; i++) { /* look once more, without taking the wishes back */
        struct exchange *x = &lanes[i];
        if (x->id == 0) {
            return; /* there is a lane for another stream */
        }
        int more = !x->over && !x->received_end && ur__counter_load(&x->reader.published) > x->reader.seen;
        int room =
            !x->over && !x->ended && ur__counter_load(&s.writers[x->row].released) != s.writers[x->row].reclaimed;
        if (more || room || ur__load64(&s.lanes[i].let_go) == x->id) {
            return;
        }
    }
    if (ur__notices_empty(&s.outbox)) {
        struct pollfd bell = {s.bell, POLLIN, 0};
        CHECK(poll(&bell, 1, LOST_MS) == 1);
    }
    uint64_t rings;
    (void)!read(s.bell, &rings, sizeof rings);
    s.outbox.seen = ur__load64(s.outbox.head);
    ur__store64(&s.box->watcher_asleep, 0);
}

int main(int argc, char **argv) {
    uint64_t streams = argc > 1 ? strtoull(argv[1], NULL, 10) : STREAMS, id = 0;
    pthread_t worker;
    ur_link *l = heap_open(&s);
    CHECK(pthread_create(&worker, NULL, work, l) == 0);
    while (id < streams) {
        for (uint32_t i = 0; i < HEAP_LANES && id < streams; i++) {
            if (lanes[i].id == 0 && s.box->inbox_head - ur__load64(&s.words->taken) < HEAP_ENTRIES - 1) {
                start_exchange(i, ++id);
            }
        }
        look();
    }
    for (int busy = 1; busy;) {
        busy = 0;
        for (uint32_t i = 0; i < HEAP_LANES; i++) {
            busy |= lanes[i].id != 0 && (step_lane(i), 1);
        }
    }
    ur__store32(&s.box->state, UR__LINK_DRAINING);
    heap_wake(&s, 0);
    CHECK(pthread_join(worker, NULL) == 0);
    CHECK(served + got_back + passed_over + cancelled == streams);
    printf("stress_test: ok: %llu served, %llu taken back, %llu passed over, %llu cancelled\n",
           (unsigned long long)served, (unsigned long long)got_back, (unsigned long long)passed_over,
           (unsigned long long)cancelled);
    heap_close(&s);
    return 0;
}
