/* A link over memory of this process, and a minimal server's end of it, for the tests of
 * the memory protocol. It serves one thread. */
#ifndef TEST_HEAP_LINK_H
#define TEST_HEAP_LINK_H

#include <upload_response.h>

#include <limits.h>
#include <sys/eventfd.h>

#include "guard.h"

#ifndef HEAP_SLOT_BYTES
#define HEAP_SLOT_BYTES 4096
#endif

enum {
    HEAP_LANES = 6,
    HEAP_ROWS = 8,
    HEAP_RING = 16,
    HEAP_SLOT = HEAP_SLOT_BYTES,
    HEAP_BUFFERS = 24,
    HEAP_ENTRIES = 8
};

/* The server's end. */
struct heap_server {
    ur_link *link; /* for the addresses in it only */
    struct ur_shm_header *header;
    struct ur_shm_mailbox *box;
    struct ur_shm_inbox_entry *inbox;
    struct ur_shm_notice *notices;
    struct ur_shm_position *positions;
    struct ur_shm_row *rows;
    struct ur_shm_link *words; /* the worker's, as the server sees them */
    struct ur_shm_lane *lanes;
    struct ur__pool pool;
    struct ur__writer writers[HEAP_ROWS];
    struct ur__notices outbox;
    uint64_t rung, sleeps;
    int bell, socket;
};

/* Memory between two areas that cannot be touched. Release: heap_unmap, for those. */
static inline uint8_t *heap_map(size_t size) {
    CHECK(size % 4096 == 0);
    uint8_t *at = (uint8_t *)mmap(NULL, size + 2 * GUARD_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK((void *)at != MAP_FAILED && mprotect(at + GUARD_PAGE, size, PROT_READ | PROT_WRITE) == 0);
    return at + GUARD_PAGE;
}

static inline void heap_unmap(uint8_t *at, size_t size) {
    CHECK(munmap(at - GUARD_PAGE, GUARD_PAGE) == 0 && munmap(at + size, GUARD_PAGE) == 0);
}

static inline struct ur_shm_header *heap_requests(size_t *bytes) {
    struct ur_shm_header h;
    memset(&h, 0, sizeof h);
    h.magic = UR__MAGIC;
    h.layout = 1;
    h.layout_hash = ur__layout_hash();
    h.slot_size = HEAP_SLOT;
    h.slot_limit = HEAP_RING;
    h.links = 1;
    h.inbox_entries = HEAP_ENTRIES;
    h.notice_entries = 2 * HEAP_ENTRIES;
    h.rows = HEAP_ROWS;
    h.ring = HEAP_RING;
    h.buffers = HEAP_BUFFERS;
    h.mailboxes_offset = sizeof h;
    h.mailbox_stride = (uint32_t)(ur__positions_at(&h) + HEAP_ENTRIES * sizeof(struct ur_shm_position));
    h.rows_offset = h.mailboxes_offset + h.mailbox_stride;
    h.descriptors_offset = h.rows_offset + HEAP_ROWS * sizeof(struct ur_shm_row);
    h.buffers_offset =
        (h.descriptors_offset + (uint64_t)HEAP_ROWS * HEAP_RING * sizeof(struct ur_shm_descriptor) + 4095) / 4096 *
        4096;
    h.segment_bytes = h.buffers_offset + (uint64_t)HEAP_BUFFERS * HEAP_SLOT;
    *bytes = h.segment_bytes;
    struct ur_shm_header *at = (struct ur_shm_header *)(void *)heap_map(*bytes);
    *at = h;
    return at;
}

static inline void heap_mailbox(struct ur_shm_mailbox *b) {
    b->generation = 77;
    b->state = UR__LINK_OPEN;
    b->lanes = HEAP_LANES;
    b->ring = HEAP_RING;
    b->outbox_entries = 16;
    b->buffers = HEAP_BUFFERS / 2;
    b->lanes_offset = sizeof(struct ur_shm_link) + 64;
    b->descriptors_offset = b->lanes_offset + HEAP_LANES * sizeof(struct ur_shm_lane);
    b->buffers_offset =
        (b->descriptors_offset + (uint64_t)HEAP_LANES * HEAP_RING * sizeof(struct ur_shm_descriptor) + 4095) / 4096 *
        4096;
    b->response_bytes = b->buffers_offset + (uint64_t)HEAP_BUFFERS / 2 * HEAP_SLOT;
}

/* Makes a link and its server. Release: heap_close. */
static inline ur_link *heap_open(struct heap_server *s) {
    struct ur__message m;
    ur_options o;
    ur_link *l = (ur_link *)calloc(1, sizeof *l);
    int sockets[2];
    CHECK(l != NULL && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) == 0);
    memset(s, 0, sizeof *s);
    memset(&m, 0, sizeof m);
    s->header = heap_requests(&l->requests_bytes);
    s->box = (struct ur_shm_mailbox *)(void *)((uint8_t *)s->header + s->header->mailboxes_offset);
    heap_mailbox(s->box);
    l->requests = (const uint8_t *)s->header;
    l->responses_bytes = s->box->response_bytes;
    l->responses = heap_map(l->responses_bytes);
    l->guard = ur__make_guard();
    l->pid = getpid();
    l->socket = sockets[0];
    l->server_bell = eventfd(0, EFD_NONBLOCK);
    l->bell = l->poll = -1;
    m.layout = 1;
    m.layout_hash = s->header->layout_hash;
    m.link_generation = 77;
    m.server = ur__text("test");
    ur_options_init(&o);
    CHECK(ur__check_segments(l, &o, &m) == 0 && ur__open_link(l, &o, &m) == 0);

    s->link = l;
    s->socket = sockets[1];
    s->bell = l->server_bell;
    s->inbox = (struct ur_shm_inbox_entry *)(void *)(s->box + 1);
    s->notices = (struct ur_shm_notice *)(void *)(s->inbox + HEAP_ENTRIES);
    s->positions = (struct ur_shm_position *)(void *)((uint8_t *)s->box + ur__positions_at(s->header));
    s->rows = (struct ur_shm_row *)(void *)((uint8_t *)s->header + s->header->rows_offset);
    s->words = l->words;
    s->lanes = l->lanes[0].words;
    s->outbox.head = &s->words->outbox_head;
    s->outbox.ring = l->outbox;
    s->outbox.mask = l->outbox_mask;
    CHECK(ur__pool_open(&s->pool, HEAP_BUFFERS, HEAP_ROWS) == 0);
    for (uint32_t i = 0; i < HEAP_ROWS; i++) {
        struct ur__writer *w = &s->writers[i];
        w->ring = (struct ur_shm_descriptor *)(void *)((uint8_t *)s->header + s->header->descriptors_offset) +
                  (size_t)i * HEAP_RING;
        w->mask = HEAP_RING - 1;
        w->limit = HEAP_RING;
        w->buffers = (uint8_t *)s->header + s->header->buffers_offset;
        w->slot_size = HEAP_SLOT;
        w->pool = &s->pool;
        w->published = &s->rows[i].published;
        w->oldest = w->newest = w->current = UR__NO_BUFFER;
    }
    return l;
}

static inline void heap_close(struct heap_server *s) {
    heap_unmap((uint8_t *)s->header, s->link->requests_bytes);
    heap_unmap(s->link->responses, s->link->responses_bytes);
    ur_close(s->link);
    ur__pool_close(&s->pool);
    (void)close(s->socket);
}

/* Wakes the worker if it sleeps for this, once for each sleep (S2). */
static inline void heap_wake(struct heap_server *s, unsigned why) {
    ur__fence();
    uint64_t asleep = ur__load64(&s->words->asleep);
    if (asleep == 0 || asleep == s->rung || (why != 0 && (asleep & why) == 0)) {
        return;
    }
    s->rung = asleep;
    ur__store32(&s->box->bell, s->box->bell + 1);
    (void)syscall(SYS_futex, &s->box->bell, 1 /* FUTEX_WAKE */, INT_MAX, NULL, NULL, 0);
}

/* Tells the worker that a lane has news (H1). */
static inline void heap_notify(struct heap_server *s, uint32_t lane, unsigned why) {
    ur__push_notice(&s->box->notice_head, s->notices, 2 * HEAP_ENTRIES - 1, lane);
    heap_wake(s, why);
}

/* Opens a row and a position for a stream, and its request lane. */
static inline struct ur__writer *heap_stream(struct heap_server *s, uint64_t id, uint32_t row, uint32_t lane) {
    struct ur__writer *w = &s->writers[row];
    struct ur_shm_position *p = &s->positions[lane];
    ur__writer_reset(w);
    ur__store64(&s->rows[row].published, 0);
    ur__store32(&s->rows[row].cancel, 0);
    ur__store64(&s->rows[row].wants_room, 0);
    ur__store64(&s->rows[row].stream_id, id);
    ur__store64(&p->stream_id, 0);
    ur__store32(&p->wants_response, 0);
    ur__store64(&p->released, 0);
    ur__store64(&p->stream_id, id);
    w->released = ur__counter_for(&s->lanes[lane].released, &s->lanes[lane].stream_id, id, 0);
    return w;
}

/* Appends an inbox entry (E1) and returns its number. */
static inline uint64_t heap_append(struct heap_server *s, uint64_t id, uint32_t row, uint32_t lane) {
    uint64_t i = s->box->inbox_head;
    struct ur_shm_inbox_entry *e = &s->inbox[i % HEAP_ENTRIES];
    CHECK(i - ur__load64(&s->words->taken) < HEAP_ENTRIES - 1);
    ur__store64(&e->stream_id, id);
    ur__store32(&e->row, row);
    ur__store32(&e->lane, lane);
    ur__store32(&e->revoked, 0);
    ur__store64(&s->box->inbox_head, i + 1); /* E1 */
    heap_wake(s, UR_WAIT_STREAM);
    return i;
}

/* Takes an entry back, and reports whether the worker will never touch it. */
static inline int heap_revoke(struct heap_server *s, uint64_t entry) {
    if (ur__load64(&s->words->taken) > entry) { /* F2 */
        return 0;
    }
    ur__store32(&s->inbox[entry % HEAP_ENTRIES].revoked, 1); /* G1 */
    ur__fence();
    return ur__load64(&s->words->taken) <= entry; /* F2 */
}

/* The reader of a stream's response. */
static inline struct ur__reader heap_reader(struct heap_server *s, uint64_t id, uint32_t lane) {
    struct ur__reader r;
    memset(&r, 0, sizeof r);
    r.ring = s->link->lanes[lane].writer.ring;
    r.mask = HEAP_RING - 1;
    r.limit = HEAP_RING;
    r.buffers = s->link->responses + s->box->buffers_offset;
    r.slot_size = HEAP_SLOT;
    r.count = HEAP_BUFFERS / 2;
    r.published = ur__counter_for(&s->lanes[lane].published, &s->lanes[lane].stream_id, id, 0);
    r.released = &s->positions[lane].released;
    return r;
}

/* Writes a whole slot into a request lane. Preconditions: there is room. */
static inline void heap_put(struct ur__writer *w, const void *bytes, size_t size, uint32_t kind) {
    uint8_t *room;
    uint32_t most;
    CHECK(ur__writer_reserve(w, (uint32_t)size, &room, &most) == 0);
    memcpy(room, bytes, size);
    ur__writer_commit(w, (uint32_t)size, kind);
}

static const char heap_frame[] =
    "HPKS\x01\x01\0\0\0\0\0\0\0\x05\x01\x01\x04POST\x04http\x01x\x02/p\x02\x01" "a\x01" "1\x01" "b\x01" "2";
enum { HEAP_FRAME = sizeof heap_frame - 1 };

#endif
