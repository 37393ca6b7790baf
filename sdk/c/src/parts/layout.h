/* ----------------------------------------------------------------- layout
 *
 * The memory, layout version 1. Every word has one writing process: the server
 * writes the request segment, which we can only map read-only; we
 * write the response segment, which the server maps read-only. Integers are
 * little-endian and naturally aligned. Words of different writers or threads
 * stand on different 64-byte lines.
 *
 *   request segment               response segment
 *   +----------------+  0         +----------------+  0
 *   | header         |  4096      | link words     |  256
 *   +----------------+            |  outbox ring   |  lanes with news
 *   | mailbox        |  per link  +----------------+
 *   |  inbox ring    |  streams   | lane           |  192, per stream of ours
 *   |  notice ring   |  news      |  ...           |
 *   |  positions     |            +----------------+
 *   |  ...           |            | descriptor     |  32, a ring per lane
 *   +----------------+            |  ...           |
 *   | row            |  128, per  +----------------+  page aligned
 *   |  ...           |  stream    | buffer         |  slot_size bytes
 *   +----------------+            |  ...           |
 *   | descriptor     |  32, a     +----------------+
 *   |  ...           |  ring per row
 *   +----------------+  page aligned
 *   | buffer         |  slot_size bytes
 *   |  ...           |
 *   +----------------+
 *
 * UR__LAYOUT is the table that `upload-response layout` prints; the structs below
 * are pinned to it, and its hash, which the server sends, guards against drift. */

#define UR__LAYOUT_MIN 1
#define UR__LAYOUT_MAX 1

#define UR__LAYOUT(STRUCT, WORD) \
    STRUCT(header, 4096) \
    WORD(header, magic, 0, 8, "server", "URREQSEG, ASCII") \
    WORD(header, layout, 8, 4, "server", "layout version of this segment") \
    WORD(header, server_pid, 12, 4, "server", "process id in the server's namespace") \
    WORD(header, layout_hash, 16, 8, "server", "FNV-1a 64 over names, offsets and sizes") \
    WORD(header, features, 24, 8, "server", "feature bits in use") \
    WORD(header, instance, 32, 8, "server", "differs for every start of a server") \
    WORD(header, segment_bytes, 40, 8, "server", "length of the segment, bytes") \
    WORD(header, slot_size, 48, 4, "server", "bytes in a buffer, and the most in a slot") \
    WORD(header, slot_limit, 52, 4, "server", "most outstanding slots of one lane") \
    WORD(header, links, 56, 4, "server", "number of mailboxes") \
    WORD(header, mailbox_stride, 60, 4, "server", "bytes from one mailbox to the next") \
    WORD(header, inbox_entries, 64, 4, "server", "entries in an inbox ring, a power of two") \
    WORD(header, notice_entries, 68, 4, "server", "entries in a notice ring, a power of two") \
    WORD(header, rows, 72, 4, "server", "number of rows") \
    WORD(header, ring, 76, 4, "server", "descriptors per request lane, a power of two") \
    WORD(header, buffers, 80, 4, "server", "number of request buffers") \
    WORD(header, mailboxes_offset, 88, 8, "server", "bytes from the start of the segment") \
    WORD(header, rows_offset, 96, 8, "server", "bytes from the start of the segment") \
    WORD(header, descriptors_offset, 104, 8, "server", "bytes from the start of the segment") \
    WORD(header, buffers_offset, 112, 8, "server", "bytes from the start of the segment") \
    WORD(header, state, 192, 4, "server", "1 running, 2 draining, 3 stopped") \
    STRUCT(mailbox, 256) \
    WORD(mailbox, generation, 0, 4, "server", "which attach this mailbox serves") \
    WORD(mailbox, state, 4, 4, "server", "0 closed, 1 open, 2 draining") \
    WORD(mailbox, lanes, 8, 4, "server", "lanes in the response segment") \
    WORD(mailbox, ring, 12, 4, "server", "descriptors per response lane, a power of two") \
    WORD(mailbox, outbox_entries, 16, 4, "server", "entries in the outbox ring, a power of two") \
    WORD(mailbox, buffers, 20, 4, "server", "number of response buffers") \
    WORD(mailbox, lanes_offset, 24, 8, "server", "bytes from the start of the response segment") \
    WORD(mailbox, descriptors_offset, 32, 8, "server", "bytes from the start of the response segment") \
    WORD(mailbox, buffers_offset, 40, 8, "server", "bytes from the start of the response segment") \
    WORD(mailbox, response_bytes, 48, 8, "server", "length of the response segment, bytes") \
    WORD(mailbox, bell, 64, 4, "server", "futex word, counts rings") \
    WORD(mailbox, inbox_head, 128, 8, "server", "inbox entries written since the attach (E1)") \
    WORD(mailbox, notice_head, 136, 8, "server", "notices written since the attach (H1)") \
    WORD(mailbox, watcher_asleep, 192, 8, "server", "0: awake; else differs for every sleep (S1)") \
    STRUCT(inbox_entry, 32) \
    WORD(inbox_entry, stream_id, 0, 8, "server", "never reused") \
    WORD(inbox_entry, row, 8, 4, "server", "index of the row") \
    WORD(inbox_entry, lane, 12, 4, "server", "index of the lane") \
    WORD(inbox_entry, revoked, 16, 4, "server", "1: taken back, do not serve (G1)") \
    WORD(inbox_entry, time, 24, 8, "server", "CLOCK_MONOTONIC of the assignment, ns") \
    STRUCT(notice, 4) \
    WORD(notice, lane, 0, 4, "server or worker", "index of a lane with news") \
    STRUCT(position, 64) \
    WORD(position, stream_id, 0, 8, "server", "stream whose response this counts") \
    WORD(position, released, 8, 8, "server", "response slots the server is done with, 2^64-1: all (D1)") \
    WORD(position, wants_response, 16, 4, "server", "1: tell the server of published response slots") \
    STRUCT(row, 128) \
    WORD(row, stream_id, 0, 8, "server", "0: free; the generation of the row") \
    WORD(row, cancel, 8, 4, "server", "reason of the cancellation, 0: none (L1)") \
    WORD(row, published, 64, 8, "server", "request slots published (A1)") \
    WORD(row, wants_room, 72, 8, "server", "tell the server when this request slot is released, 0: no") \
    STRUCT(link, 256) \
    WORD(link, asleep, 0, 8, "worker", "0: awake; else sleep count << 8 | reasons to ring (S1)") \
    WORD(link, taken, 64, 8, "worker", "inbox entries taken since the attach (F1)") \
    WORD(link, outbox_head, 128, 8, "worker", "notices written since the attach (I1)") \
    STRUCT(lane, 192) \
    WORD(lane, stream_id, 0, 8, "worker", "stream that it serves (J1)") \
    WORD(lane, let_go, 8, 8, "worker", "last stream that it let go of (K1)") \
    WORD(lane, published, 64, 8, "worker", "response slots published (C1)") \
    WORD(lane, wants_room, 72, 8, "worker", "tell the worker when this response slot is released, 0: no") \
    WORD(lane, released, 128, 8, "worker", "request slots the worker is done with, 2^64-1: all (B1)") \
    WORD(lane, wants_request, 136, 4, "worker", "1: tell the worker of published request slots") \
    STRUCT(descriptor, 32) \
    WORD(descriptor, number, 0, 8, "lane's writer", "slot number, the first is 1") \
    WORD(descriptor, buffer, 8, 4, "lane's writer", "index of the buffer, 0xffffffff: no bytes") \
    WORD(descriptor, offset, 12, 4, "lane's writer", "bytes from the start of the buffer, a multiple of 64") \
    WORD(descriptor, length, 16, 4, "lane's writer", "bytes") \
    WORD( \
        descriptor, kind, 20, 4, "lane's writer", \
        "bits 0-7: 1 headers, 2 body, 3 trailers, 4 end, 5 abort, 6 interim, 7 text, 8 binary, 9 close; bit 8: final") \
    WORD(descriptor, time, 24, 8, "lane's writer", "CLOCK_MONOTONIC of the commit, ns")

struct ur_shm_header {
    uint64_t magic;
    uint32_t layout, server_pid;
    uint64_t layout_hash, features, instance, segment_bytes;
    uint32_t slot_size, slot_limit, links, mailbox_stride, inbox_entries, notice_entries, rows, ring, buffers, pad1;
    uint64_t mailboxes_offset, rows_offset, descriptors_offset, buffers_offset;
    uint8_t pad2[72];
    uint32_t state;
    uint8_t pad3[3900];
};

struct ur_shm_mailbox {
    uint32_t generation, state, lanes, ring, outbox_entries, buffers;
    uint64_t lanes_offset, descriptors_offset, buffers_offset, response_bytes;
    uint8_t pad1[8];
    uint32_t bell;
    uint8_t pad2[60];
    uint64_t inbox_head, notice_head;
    uint8_t pad3[48];
    uint64_t watcher_asleep;
    uint8_t pad4[56];
};

struct ur_shm_inbox_entry {
    uint64_t stream_id;
    uint32_t row, lane, revoked, pad;
    uint64_t time;
};

struct ur_shm_notice {
    uint32_t lane;
};

struct ur_shm_position {
    uint64_t stream_id, released;
    uint32_t wants_response;
    uint8_t pad[44];
};

struct ur_shm_row {
    uint64_t stream_id;
    uint32_t cancel;
    uint8_t pad1[52];
    uint64_t published, wants_room;
    uint8_t pad2[48];
};

struct ur_shm_link {
    uint64_t asleep;
    uint8_t pad1[56];
    uint64_t taken;
    uint8_t pad2[56];
    uint64_t outbox_head;
    uint8_t pad3[120];
};

struct ur_shm_lane {
    uint64_t stream_id, let_go;
    uint8_t pad1[48];
    uint64_t published, wants_room;
    uint8_t pad2[48];
    uint64_t released;
    uint32_t wants_request;
    uint8_t pad3[52];
};

struct ur_shm_descriptor {
    uint64_t number;
    uint32_t buffer, offset, length, kind;
    uint64_t time;
};

#define UR__PIN_STRUCT(s, bytes) UR__PIN(sizeof(struct ur_shm_##s) == (bytes));
#define UR__PIN_WORD(s, name, at, bytes, writer, meaning) \
    UR__PIN(offsetof(struct ur_shm_##s, name) == (at) && sizeof(((struct ur_shm_##s *)0)->name) == (bytes));
UR__LAYOUT(UR__PIN_STRUCT, UR__PIN_WORD)

#define UR__MAGIC UINT64_C(0x4745535145525255) /* "URREQSEG" */
#define UR__ALIGN 64u                          /* of a slot's bytes within its buffer */
#define UR__NO_BUFFER UINT32_MAX
#define UR__ABORT 5u   /* a kind of slot that callers do not see */
#define UR__INTERIM 6u /* the frame of a response that precedes the final one */
#define UR__FINAL 256u /* added to the kind of the last slot of a message */

enum { UR__LINK_CLOSED = 0, UR__LINK_OPEN = 1, UR__LINK_DRAINING = 2 };
enum {
    UR__MIN_SLOT = 4 << 10,
    UR__MAX_SLOT = 4 << 20,
    UR__MAX_RING = 1 << 20,
    UR__MAX_ROWS = 1 << 20,
    UR__MAX_LANES = 4096,
    UR__MAX_LINKS = 4096,
    UR__MAX_BUFFERS = 1 << 24
};

static inline uint64_t ur__hash_text(uint64_t h, const char *s) {
    for (; *s != '\0'; s++) {
        h = (h ^ (uint8_t)*s) * UINT64_C(1099511628211);
    }
    return h;
}

static inline uint64_t ur__hash_number(uint64_t h, unsigned n) {
    char digits[16];
    (void)snprintf(digits, sizeof digits, " %u", n);
    return ur__hash_text(h, digits);
}

/* FNV-1a 64 over "struct size\n" and "struct.name offset size\n", in the order of
 * the table. */
static inline uint64_t ur__layout_hash(void) {
    uint64_t h = UINT64_C(14695981039346656037);
#define UR__HASH_STRUCT(s, bytes) h = ur__hash_text(ur__hash_number(ur__hash_text(h, #s), bytes), "\n");
#define UR__HASH_WORD(s, name, at, bytes, writer, meaning) \
    h = ur__hash_text(ur__hash_number(ur__hash_number(ur__hash_text(h, #s "." #name), at), bytes), "\n");
    UR__LAYOUT(UR__HASH_STRUCT, UR__HASH_WORD)
#undef UR__HASH_STRUCT
#undef UR__HASH_WORD
    return h;
}
