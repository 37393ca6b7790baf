/* Sends the messages of WebSockets back, part by part, while they come in: many of them
 * on one thread. One that cannot continue now does so when ur_ready() names it. */
#include "common.h"

/* An open WebSocket. */
struct session {
    ur_request r;
    struct session *next;
    ur_slot slot; /* the slot being sent; number 0: none */
    size_t sent;  /* bytes of it */
};

/* Sends the rest of the present slot, and releases it. */
static int send_slot(ur_link *link, struct session *e) {
    size_t n = 0;
    int err = ur_send(link, e->r, e->slot.kind, (const char *)e->slot.data + e->sent, e->slot.length - e->sent,
                      (int)e->slot.final, UR_NOW, &n);
    e->sent += n;
    if (err != 0) {
        return err;
    }
    err = ur_release(link, e->r, e->slot.number);
    e->slot.number = 0;
    e->sent = 0;
    return err;
}

/* Continues until it would have to wait: then it returns -EAGAIN. */
static int advance(ur_link *link, struct session *e) {
    int err = 0;
    while (err == 0) {
        if (e->slot.number == 0) {
            err = ur_next_slot(link, e->r, UR_NOW, &e->slot);
        } else if (e->slot.kind == UR_CLOSE) {
            return ur_close_websocket(link, e->r, ur_close_code(&e->slot, NULL), NULL, 0, UR_NOW);
        } else {
            err = send_slot(link, e);
        }
    }
    return err;
}

/* Ends a session that cannot go on. */
static void finish(ur_link *link, struct session **sessions, struct session *e) {
    (void)ur_abort(link, e->r); /* harmless if it has ended */
    for (struct session **at = sessions; *at != NULL; at = &(*at)->next) {
        if (*at == e) {
            *at = e->next;
            break;
        }
    }
    free(e);
}

static void step(ur_link *link, struct session **sessions, ur_request r) {
    struct session *e = (struct session *)ur_user(link, r);
    if (advance(link, e) != -EAGAIN) {
        finish(link, sessions, e);
    }
}

static void start(ur_link *link, struct session **sessions, ur_request r) {
    if (!ur_is_websocket(link, r)) {
        answer(link, r, 426, "text/plain", "there is nothing here but a WebSocket\n");
        return;
    }
    struct session *e = (struct session *)calloc(1, sizeof *e);
    if (e == NULL || ur_set_user(link, r, e) != 0 || ur_respond(link, r, 101, NULL, 0, UR_NOW) != 0) {
        (void)ur_abort(link, r);
        free(e);
        return;
    }
    e->r = r;
    e->next = *sessions;
    *sessions = e;
    step(link, sessions, r);
}

/* Tells the clients that the worker ends, and takes no more requests. */
static void drain(ur_link *link, struct session **sessions) {
    (void)ur_drain(link);
    while (*sessions != NULL) {
        (void)ur_close_websocket(link, (*sessions)->r, 1001, NULL, 0, UR_NOW);
        finish(link, sessions, *sessions);
    }
}

static int serve_many(ur_link *link, const struct settings *s) {
    struct session *sessions = NULL;
    int err;
    (void)s;
    for (;;) {
        ur_request r;
        if (stopping) {
            drain(link, &sessions);
        }
        (void)ur_wait(link, UR_WAIT_STREAM | UR_WAIT_READY, 100, NULL);
        while ((err = ur_next(link, UR_NOW, &r)) == 0) {
            start(link, &sessions, r);
        }
        while (ur_ready(link, &r) == 0) {
            step(link, &sessions, r);
        }
        if (sessions == NULL && err != -EAGAIN) {
            return err;
        }
    }
}

int main(int argc, char **argv) {
    struct settings s = read_settings(argc, argv);
    s.lanes = 256;
    s.serve_link = serve_many;
    return run_worker(&s) != 0;
}
