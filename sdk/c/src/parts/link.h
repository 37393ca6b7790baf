/* ------------------------------------------------------------------- link */

/* One lane of the link, and the request that it serves. */
struct ur__lane {
    struct ur_shm_lane *words;
    const struct ur_shm_position *position;
    const struct ur_shm_row *row;
    struct ur__reader reader;
    struct ur__writer writer;

    ur_request handle; /* 0: none in progress */
    ur_request ended;  /* the last one, for ur_reason */
    uint64_t stream_id;
    void *user;
    uint32_t reason;         /* of the cancellation, once it was seen */
    uint8_t headers_sent;    /* the response's headers are committed */
    uint8_t closing;         /* the trailers, or the close of a WebSocket, are committed */
    uint8_t response_ended;  /* the response has ended, the request was not let go */
    uint8_t wants_websocket; /* the client asks for one; known once the headers are decoded */
    uint8_t websocket_open;  /* the WebSocket was accepted */
    uint8_t wants_slot;      /* wants_request is set */
    uint8_t wants_room;      /* wants_room is set, to room_at */
    uint8_t ready;           /* in the list for ur_ready */
    uint8_t head_state;      /* enum ur__head_state */
    uint32_t next_ready;
    uint32_t message; /* kind of the message of which not all is committed; 0: none */
    uint64_t room_at;

    uint64_t next_slot; /* for ur_next_slot */
    uint64_t tailed;    /* the highest slot that was returned */
    struct ur__head head;
    const uint8_t *frame;   /* a copy of slot 1: `copy`, or the caller's */
    uint8_t *copy;          /* ours */
    size_t copy_size;       /* bytes allocated */
    size_t field, field_at; /* where the last ur_header_at left off */

    uint8_t *room; /* reserved */
    uint32_t room_size;
    uint32_t filled; /* bytes of it that are written, to be committed */
    size_t unsent;   /* bytes of a body that ur_respond_whole_flat left over, for want of room */
};

enum ur__head_state { UR__HEAD_UNSEEN, UR__HEAD_IN_SLOT, UR__HEAD_KEPT, UR__HEAD_GONE };

struct ur_link {
    const uint32_t *guard; /* 1; the kernel zeroes it in a forked child. NULL: an old kernel */
    pid_t pid;
    int socket, server_bell, bell, poll; /* -1: none */

    const uint8_t *requests;
    uint8_t *responses;
    size_t requests_bytes, responses_bytes;
    uint32_t slot_size, lane_count;
    uint32_t max_active;      /* requests that the caller serves at once; the server assigns some ahead */
    uint64_t ended_responses; /* requests whose response has ended, and that were not let go */

    struct ur_shm_header header;    /* as it was at the attach, checked */
    struct ur_shm_mailbox geometry; /* likewise */
    const struct ur_shm_mailbox *box;
    struct ur_shm_link *words;
    struct ur_shm_notice *outbox;
    uint64_t outbox_mask;
    struct ur__inbox inbox;
    struct ur__notices notices;
    struct ur__pool pool;
    struct ur__lane *lanes;
    uint64_t accepted;                /* requests, for their handles */
    uint32_t first_ready, last_ready; /* UR__NO_LANE: none */

    uint64_t last_rung; /* the last sleep of the server for which we rang */
    uint64_t sleeps;
    uint32_t bell_count; /* of the futex bell, from before the last announcement */
    uint32_t state;      /* of the link, as last seen */
    uint8_t armed, drain_sent, server_drains, state_changed, dead;
    int64_t socket_read_at; /* CLOCK_MONOTONIC_COARSE, ns */

    uint32_t server_pid;
    uint64_t instance, response_timeout_ms;
    ur_counters counters;
    char server[UR_TEXT_BYTES], why[UR_TEXT_BYTES];
};

#define UR__NO_LANE UINT32_MAX

/* Bytes for the copy of a head: the least to allocate, and the most that a lane keeps
 * between two requests. */
enum { UR__SMALL_COPY = 1 << 10, UR__KEPT_COPY = 8 << 10 };

/* The most packets that one call reads from the socket. */
enum { UR__MAX_PACKETS = 16 };

/* The close of a WebSocket: the code that stands for none, and the most bytes of a
 * reason. */
enum { UR__NO_CODE = 1005, UR__MAX_REASON = 123 };

/* How long a futex sleeper sleeps before it checks that the server still lives. A server
 * that ends in order rings; this is for one that was killed. */
#define UR__SLEEP_SLICE_NS 100000000
/* How often the socket is checked for a caller that never sleeps. */
#define UR__SOCKET_CHECK_NS 20000000

static inline int ur__forked(const ur_link *l) {
    return l->guard != NULL ? __atomic_load_n(l->guard, __ATOMIC_RELAXED) == 0 : getpid() != l->pid;
}

/* Returns the lane of a request in progress. */
static inline int ur__find(ur_link *l, ur_request r, struct ur__lane **lane) {
    uint64_t i = r % UR__MAX_LANES;
    *lane = NULL;
    if (ur__forked(l)) {
        return -ECHILD;
    }
    if (r == 0 || i >= l->lane_count || l->lanes[i].handle != r) {
        return -ESTALE;
    }
    *lane = &l->lanes[i];
    return 0;
}

static inline void ur__drop_room(struct ur__lane *lane) {
    lane->room = NULL;
    lane->room_size = lane->filled = 0;
}

static inline uint32_t ur__index(const ur_link *l, const struct ur__lane *lane) { return (uint32_t)(lane - l->lanes); }

/* Puts a request into the list for ur_ready, once. */
static inline void ur__make_ready(ur_link *l, struct ur__lane *lane) {
    uint32_t i = ur__index(l, lane);
    if (lane->handle == 0 || lane->ready) {
        return;
    }
    lane->ready = 1;
    lane->next_ready = UR__NO_LANE;
    if (l->first_ready == UR__NO_LANE) {
        l->first_ready = i;
    } else {
        l->lanes[l->last_ready].next_ready = i;
    }
    l->last_ready = i;
}

/* Ends the link: no more requests are taken, the server is told nothing more, and requests
 * in progress are cancelled. The memory stays until ur_close. */
static inline void ur__fail_link(ur_link *l, const char *why, ur_str more) {
    if (l->dead) {
        return;
    }
    l->dead = l->state_changed = 1;
    (void)snprintf(l->why, sizeof l->why, "%s%.*s", why, (int)ur__min(more.length, UR_TEXT_BYTES),
                   more.data == NULL ? "" : more.data);
    (void)shutdown(l->socket, SHUT_RDWR);
    for (uint32_t i = 0; i < l->lane_count; i++) {
        ur__make_ready(l, &l->lanes[i]);
    }
}

static inline int ur__protocol_error(ur_link *l, const char *what) {
    ur__fail_link(l, "the server broke the protocol: ", ur__text(what));
    return -EPROTO;
}

/* Tells the server that a lane has changed (I1), and wakes the server's watcher if it
 * sleeps, once for each of its sleeps (S2). */
static inline void ur__notify(ur_link *l, const struct ur__lane *lane) {
    static const uint64_t one = 1;
    ur__push_notice(&l->words->outbox_head, l->outbox, l->outbox_mask, ur__index(l, lane)); /* I1 */
    ur__fence();
    uint64_t asleep = ur__load64(&l->box->watcher_asleep);
    if (asleep != 0 && asleep != l->last_rung) {
        l->last_rung = asleep;
        l->counters.rings++;
        if (write(l->server_bell, &one, sizeof one) < 0) {
            return; /* it cannot block, and a full bell will ring */
        }
    }
}

static inline void ur__refresh(ur_link *l);

/* Returns why the response is no longer wanted, or 0. */
static inline uint32_t ur__check_cancelled(ur_link *l, struct ur__lane *lane) {
    if (lane->reason != 0) {
        return lane->reason;
    }
    uint32_t why = ur__load32(&lane->row->cancel); /* L2 */
    if (ur__load64(&lane->row->stream_id) != lane->stream_id) {
        why = UR_FINISHED;
        ur__refresh(l); /* or the server closed the link, which it says before it takes the row back */
    }
    if (l->dead && (why == 0 || why == UR_FINISHED)) {
        why = UR_SERVER_GONE;
    }
    if (why != 0) {
        lane->reason = why;
        l->counters.cancelled++;
    }
    return why;
}
