#ifndef UPLOAD_RESPONSE_H
#define UPLOAD_RESPONSE_H

#if !defined(UR_SHARED) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* clock_gettime and madvise; too late if features.h was read before */
#endif

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#define UR_VERSION "0.1.0"

/* Where the functions live. The one macro: empty, it exports them. */
#if defined(UR_SHARED)
#define UR_INLINE extern
#elif !defined(UR_INLINE)
#define UR_INLINE static inline
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ types */

typedef struct ur_link ur_link;

/* A request in progress. 0 is none. Never reused within a link. */
typedef uint64_t ur_request;

/* Bytes, not terminated by a zero. */
typedef struct ur_str {
    const char *data;
    size_t length;
} ur_str;

/* A string literal as a ur_str, in an initializer. */
#define UR_LIT(literal) {literal, sizeof(literal) - 1}

typedef struct ur_header {
    ur_str name; /* lower-case when read, in any case when written */
    ur_str value;
} ur_header;

/* Text and binary slots carry the messages of a WebSocket, close slots its end. */
enum ur_kind { UR_HEADERS = 1, UR_BODY = 2, UR_TRAILERS = 3, UR_END = 4, UR_TEXT = 7, UR_BINARY = 8, UR_CLOSE = 9 };

typedef struct ur_slot {
    uint64_t number;
    const void *data; /* NULL if length is 0 */
    size_t length;    /* bytes */
    int64_t time_ns;  /* CLOCK_MONOTONIC of its publication by the server */
    uint32_t kind;    /* enum ur_kind */
    uint32_t final;   /* 1: the last, or only, slot of a message */
} ur_slot;

/* What ur_next_flat says of a request, beside its text. */
typedef struct ur_flat_request {
    ur_request request;
    uint64_t stream_id;
    uint64_t text_length; /* bytes */
    uint64_t header_count;
    const void *body;      /* NULL if it has no bytes, or not all have come */
    uint64_t body_length;  /* bytes */
    uint32_t whole;        /* 1: body is all there is, and no trailers follow */
    uint32_t http_version; /* as ur_http_version */
} ur_flat_request;

/* Where the segments of a link are mapped. */
typedef struct ur_memory {
    const void *requests;
    size_t requests_size; /* bytes */
    void *responses;
    size_t responses_size; /* bytes */
} ur_memory;

/* Why a request was cancelled. Be ready for one that is not here. */
enum ur_reason {
    UR_NOT_CANCELLED = 0,
    UR_CLIENT_GONE = 1,     /* it closed its connection, or its upload broke off */
    UR_DEADLINE = 2,        /* this worker made no progress for too long */
    UR_INVALID = 3,         /* the response broke a rule */
    UR_SERVER_SHUTDOWN = 4, /* the server stopped */
    UR_CLIENT_SLOW = 5,     /* it neither sent nor took bytes for too long */
    UR_TOO_LARGE = 6,       /* the request body passed the limit */
    UR_FINISHED = 7,        /* the exchange is over, for whatever reason */
    UR_SERVER_GONE = 8      /* the server died, or closed the link */
};

enum ur_bell {
    UR_BELL_FUTEX = 0,  /* for threads that block in these functions */
    UR_BELL_EVENTFD = 1 /* for event loops: ur_fd() */
};

/* What ur_wait() and ur_arm() wait for. The end of the link and a cancellation
 * always count. */
enum ur_wait_for {
    UR_WAIT_STREAM = 1, /* a request for ur_next() */
    UR_WAIT_READY = 2,  /* something for ur_ready() */
    UR_WAIT_STATE = 4   /* reported only: the server drains, or the link ends */
};

#define UR_NOW 0
#define UR_FOREVER (-1)

/* In ur_release(): every slot there is and every slot that may come. */
#define UR_ALL_SLOTS UINT64_MAX

#define UR_TEXT_BYTES 256

typedef struct ur_options {
    const char *socket; /* path of the server's worker socket; "": see ur_default_socket */
    const char *pool;   /* pool to serve; "default" */
    const char *name;   /* for the server's logs; its default is the pid */
    const char *sdk;    /* for an SDK on top of this one; "c" */
    const char *sdk_version;
    uint32_t lanes;     /* requests served at once, 1 to 4096; 16 */
    uint32_t bell;      /* enum ur_bell; UR_BELL_FUTEX */
    int32_t timeout_ms; /* to connect, and as much for the answer; 10000 */

    /* Out: what the last attach said. */
    uint32_t layout_min, layout_max; /* of a server that refused for the layout */
    char refusal[UR_TEXT_BYTES];     /* why it failed, for a person */

    /* In: a user whose server is believed, too, beside our own effective user and root.
     * 0 is none, and then what UPLOAD_RESPONSE_SERVER_UID says, if it is set. */
    uint32_t server_uid;
    uint64_t reserved[8]; /* 0 */
} ur_options;

typedef struct ur_counters {
    uint64_t requests;              /* taken */
    uint64_t passed_over;           /* taken back by the server before we took them */
    uint64_t ended;                 /* ur_end, complete */
    uint64_t aborted;               /* ur_abort */
    uint64_t cancelled;             /* seen to be cancelled */
    uint64_t slots_in, bytes_in;    /* request slots tailed, and their bytes */
    uint64_t slots_out, bytes_out;  /* response slots committed, and their bytes */
    uint64_t sleeps;                /* times we slept, or armed */
    uint64_t rings;                 /* times we woke the server: a system call each */
    uint64_t active;                /* requests in progress now */
    uint64_t buffers, buffers_free; /* response buffers: all, and in no lane's hands */
} ur_counters;

/* ------------------------------------------------------------------- link */

/* Sets every option to its default. Always the first thing to do with one. */
UR_INLINE void ur_options_init(ur_options *options);

/* Connects to the server and maps the shared memory. Options are read only
 * during the call, but for its answer in them. A server of a user who is not to be
 * believed (server_uid) is told nothing: -EPERM. Release: ur_close. */
UR_INLINE int ur_attach(ur_link **link, ur_options *options);

/* Where a server listens that was not told otherwise: the first there is of
 * $UPLOAD_RESPONSE_SOCKET; upload-response.sock in $XDG_RUNTIME_DIR, in /run/user/UID
 * and, for root, in /run, if these are ours alone to write; and the same name in
 * /tmp/upload-response-UID. -EACCES: that one is there, and others can write it.
 * -ENAMETOOLONG: the size is not enough, which 108 bytes always are for a socket. */
UR_INLINE int ur_default_socket(char *path, size_t size);

/* Reports whether an error of ur_attach may pass if it is tried again later. */
UR_INLINE int ur_is_temporary(int error);

/* Ends the link at once and frees everything; requests in progress break off. A
 * link that has to end cleanly is drained first. NULL is no link. */
UR_INLINE void ur_close(ur_link *link);

/* Asks the server for no more requests. Go on with ur_next, which returns what
 * was assigned before, until it returns -ESHUTDOWN; finish all; close. */
UR_INLINE int ur_drain(ur_link *link);

/* Reports whether the server has said that it is about to end. It lets requests
 * in progress finish; there is nothing that has to be done. */
UR_INLINE int ur_server_drains(const ur_link *link);

/* Why the link is dead, for a person; empty while it lives. Valid until close. */
UR_INLINE const char *ur_error_text(const ur_link *link);

/* The most bytes that a slot can have. */
UR_INLINE size_t ur_slot_size(const ur_link *link);

/* The server's process id; what it calls itself; and the number that differs for
 * every start of a server. Each may be NULL. */
UR_INLINE void ur_server(const ur_link *link, uint32_t *pid, const char **name, uint64_t *instance);

/* How long the server lets a worker make no progress, in milliseconds. */
UR_INLINE uint64_t ur_response_timeout_ms(const ur_link *link);

UR_INLINE int ur_get_counters(const ur_link *link, ur_counters *counters);

/* For an SDK that hands out views of slots in its own terms. */
UR_INLINE void ur_get_memory(const ur_link *link, ur_memory *memory);

/* --------------------------------------------------------------- requests */

/* Returns the next request in *r. Release: ur_end or ur_abort. While it waits,
 * news of other requests is not lost but not returned either: see ur_wait. While
 * as many responses are still to be ended as the link has lanes there is none:
 * -EAGAIN, or -EBUSY for a caller that would wait in vain. */
UR_INLINE int ur_next(ur_link *link, int timeout_ms, ur_request *r);

/* As ur_next, and copies the request's head into text: method, scheme, authority,
 * path, and name and value of each header, each followed by a NUL. Slot 1 is not
 * released by it. A request that cannot be decoded, or that nobody wants any more,
 * is aborted and passed over. -EINVAL if size is less than ur_slot_size(). */
UR_INLINE int ur_next_flat(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size);

/* As ur_next_flat, with the text in another order: method, scheme, authority, path, the value
 * of each header, and then their names, which are its last *names bytes. Clients send
 * the same names again and again, so that what a caller makes of them can be kept. */
UR_INLINE int ur_next_split(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                            uint64_t *names);

/* Returns in *r a request in progress for which there may be something new: a
 * slot, room, a cancellation. -EAGAIN: none, or no other. Each is named once for
 * what has happened up to now. */
UR_INLINE int ur_ready(ur_link *link, ur_request *r);

/* Waits until there is something for ur_next (UR_WAIT_STREAM), for ur_ready
 * (UR_WAIT_READY), or the state of the link changes; says in *what, which may be
 * NULL, what it was. */
UR_INLINE int ur_wait(ur_link *link, unsigned reasons, int timeout_ms, unsigned *what);

/* For a language with a lock around its threads, which is held: as ur_wait, but sleeps
 * once, and says of no request that it has news: look at those that you wait for. leave
 * is called before the sleep, and enter after it with what leave has returned; between
 * the two, other threads may call what does not wait, but for ur_close. -EINTR: a signal
 * came, or the descriptor also, which may be -1, is readable. -ENOTSUP with a futex bell. */
UR_INLINE int ur_sleep(ur_link *link, unsigned reasons, int timeout_ms, int also, void *(*leave)(void),
                       void (*enter)(void *));

/* A pointer of the caller's, kept with the request. NULL at first. */
UR_INLINE int ur_set_user(ur_link *link, ur_request r, void *user);
UR_INLINE void *ur_user(ur_link *link, ur_request r);

/* ------------------------------------------------------------ event loops */

/* A descriptor that is readable when there may be something to do: the bell and
 * the end of the server in one. It is the link's: never read it, never close it.
 * -ENOTSUP with a futex bell. */
UR_INLINE int ur_fd(const ur_link *link);

/* Announces that the caller is about to sleep until ur_fd is readable, and looks
 * once more. 0: go to sleep. -EAGAIN: there is something to do; nothing is
 * announced. -ENOTCONN: the link is dead. */
UR_INLINE int ur_arm(ur_link *link, unsigned reasons);

/* Takes the announcement back; call it after every sleep. It is harmless when
 * nothing was announced. -ENOTCONN: the link is dead. */
UR_INLINE int ur_disarm(ur_link *link);

/* --------------------------------------------------------- reading a request */

/* Of the headers; the path is with the query. {NULL, 0} where there is none, for a
 * request of the past, and after the release of slot 1 (see ur_keep_headers). */
UR_INLINE ur_str ur_method(ur_link *link, ur_request r);
UR_INLINE ur_str ur_scheme(ur_link *link, ur_request r);
UR_INLINE ur_str ur_authority(ur_link *link, ur_request r);
UR_INLINE ur_str ur_path(ur_link *link, ur_request r);

/* 1 HTTP/1.1 (and 1.0), 2 HTTP/2, 3 HTTP/3; 0 as above. */
UR_INLINE int ur_http_version(ur_link *link, ur_request r);

/* Whether the client asks for a WebSocket: the scheme is ws or wss. Also after the
 * release of slot 1, if something of the headers was asked for before. */
UR_INLINE int ur_is_websocket(ur_link *link, ur_request r);

/* The address and the port of the client, as the server knows them:
 * 203.0.113.7:40001 or [2001:db8::1]:443, with port 0 if nobody knows it. {NULL, 0} if
 * the client has no address, as over a Unix socket, and as above. It is the value of the
 * first header, upload-response-client, which no client can send. X-Forwarded-For begins
 * with what clients write: do not take it for the client's address. */
UR_INLINE ur_str ur_client_address(ur_link *link, ur_request r);

/* Unique among all streams of the server, and in its logs. 0 as above. */
UR_INLINE uint64_t ur_stream_id(ur_link *link, ur_request r);

/* The number of headers, and header i, from 0. Ask for them in order: that is
 * what costs least. */
UR_INLINE size_t ur_header_count(ur_link *link, ur_request r);
UR_INLINE int ur_header_at(ur_link *link, ur_request r, size_t i, ur_header *header);

/* The value of the first header of a name, which is a C string in any case. After
 * an error *value is as it was. */
UR_INLINE int ur_find_header(ur_link *link, ur_request r, const char *name, ur_str *value);

/* Copies the headers frame into memory of the caller, where the functions above
 * find it after the release of slot 1. -ENOSPC if size is less than the length
 * of slot 1. */
UR_INLINE int ur_keep_headers(ur_link *link, ur_request r, void *memory, size_t size);

/* Returns slot n of the request, as soon as there is one. */
UR_INLINE int ur_tail(ur_link *link, ur_request r, uint64_t n, int timeout_ms, ur_slot *slot);

/* Returns the slot after the last one that it returned; at first slot 2. */
UR_INLINE int ur_next_slot(ur_link *link, ur_request r, int timeout_ms, ur_slot *slot);

/* As ur_next_slot with UR_NOW, for several slots of a body at once: returns how many it
 * has put into slots, at least 1 and at most as many as there is room for, or an error.
 * A slot of another kind comes alone. */
UR_INLINE int ur_next_slots(ur_link *link, ur_request r, ur_slot *slots, int most);

/* Gives the slots up to and including n back. With UR_ALL_SLOTS nothing more of
 * the body is wanted: it is received and thrown away. */
UR_INLINE int ur_release(ur_link *link, ur_request r, uint64_t n);

/* Returns field *at of a trailers slot and moves *at, at first 0, on. -ENOENT
 * after the last. */
UR_INLINE int ur_trailer(const ur_slot *slot, size_t *at, ur_header *field);

/* Returns the code of a close slot, 1005 if it has none, and in *reason, which may be
 * NULL, what follows it. -EINVAL: it is no such slot. */
UR_INLINE int ur_close_code(const ur_slot *slot, ur_str *reason);

/* Returns 0, or -ECANCELED if nobody wants the response any more. */
UR_INLINE int ur_cancelled(ur_link *link, ur_request r);
/* Why, as enum ur_reason. Of a request that has ended, what was known then, for as
 * long as its lane serves no other; after that UR_NOT_CANCELLED. */
UR_INLINE uint32_t ur_reason(ur_link *link, ur_request r);
UR_INLINE const char *ur_reason_text(uint32_t reason);

/* ------------------------------------------------------- writing a response */

/* Sends a response that precedes the final one, with a status from 102 to 199. */
UR_INLINE int ur_interim(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms);

/* Starts the response with a status from 200 to 999; or opens the WebSocket that the
 * client asks for, at once, with 101. Of sec-websocket-protocol the headers may then
 * name one that the client offers. */
UR_INLINE int ur_respond(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms);

/* Returns room for body bytes, or for a message, in shared memory: at least one byte
 * and mostly a good part of a slot. */
UR_INLINE int ur_reserve(ur_link *link, ur_request r, int timeout_ms, void **room, size_t *size);

/* Makes the first n bytes of the reserved room part of the body. */
UR_INLINE int ur_commit(ur_link *link, ur_request r, size_t n);

/* Adds bytes to the body, over as many slots as it takes. *written, which may be
 * NULL, says how many were, also after an error: with -EAGAIN go on behind them. */
UR_INLINE int ur_write(ur_link *link, ur_request r, const void *data, size_t size, int timeout_ms, size_t *written);

/* Sends what has been written so far. */
UR_INLINE int ur_flush(ur_link *link, ur_request r);

/* Adds trailers. Only ur_end may follow. */
UR_INLINE int ur_trailers(ur_link *link, ur_request r, const ur_header *fields, size_t count, int timeout_ms);

/* Sends a message of the kind UR_TEXT or UR_BINARY, or a part of one: the last, or
 * only, part is final. *sent, which may be NULL, says how many bytes were, also after
 * an error: with -EAGAIN go on behind them. That text is UTF-8 is checked by the
 * server. */
UR_INLINE int ur_send(ur_link *link, ur_request r, uint32_t kind, const void *data, size_t size, int final,
                      int timeout_ms, size_t *sent);

/* Sends the first n bytes of the reserved room, as ur_send. */
UR_INLINE int ur_commit_message(ur_link *link, ur_request r, uint32_t kind, size_t n, int final);

/* Closes the WebSocket with a code that may be sent - 1000 to 1003, 1007 to 1014, 3000 to
 * 4999 - and a reason of at most 123 bytes of UTF-8; or with 1005, which is no code, and
 * no reason. Only ur_end may follow. -EINVAL: any other code, such as 999, 1006 or 1015,
 * or a reason that is longer or not UTF-8; nothing was sent, and the WebSocket is open. */
UR_INLINE int ur_send_close(ur_link *link, ur_request r, int code, const char *reason, size_t length, int timeout_ms);

/* As ur_send_close and ur_end. After -EAGAIN or -ETIMEDOUT call it again; after -EINVAL,
 * too, with a code that may be sent. */
UR_INLINE int ur_close_websocket(ur_link *link, ur_request r, int code, const char *reason, size_t length,
                                 int timeout_ms);

/* Ends the response and, unless it returns -EAGAIN, -ETIMEDOUT or -EINVAL, the
 * request. -ECANCELED: it has ended, but nobody saw all of it. */
UR_INLINE int ur_end(ur_link *link, ur_request r, int timeout_ms);

/* Ends the request without an end of its response. */
UR_INLINE int ur_abort(ur_link *link, ur_request r);

/* As ur_end and ur_abort, but the request goes on: its slots can be read and
 * released, and nothing can be written, until ur_let_go. They return 0, too, when
 * the response had ended before. */
UR_INLINE int ur_end_response(ur_link *link, ur_request r, int timeout_ms);
UR_INLINE int ur_abort_response(ur_link *link, ur_request r);

/* Ends a request whose response has ended. -EINVAL: it has not. */
UR_INLINE int ur_let_go(ur_link *link, ur_request r);

/* As ur_interim, ur_respond and ur_trailers, with flat fields of so many bytes.
 * -EINVAL if the last does not end with a NUL, or is a name. */
UR_INLINE int ur_interim_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms);
UR_INLINE int ur_respond_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms);
UR_INLINE int ur_trailers_flat(ur_link *link, ur_request r, const char *fields, size_t length, int timeout_ms);

/* Returns 0, or -EINVAL if ur_respond_flat would refuse these, of whatever size. The
 * status 101 it refuses always. */
UR_INLINE int ur_check_flat(int status, const char *fields, size_t length);

/* The whole response: as ur_respond_flat, ur_write and ur_end. -EAGAIN, -ETIMEDOUT:
 * the response has begun and has *written bytes of the body; go on with ur_write
 * and ur_end. -EINVAL, -EALREADY, -EMSGSIZE, -ESTALE, and -EBUSY, which is no room for
 * the headers behind interim responses: nothing has been done. After anything else the
 * request has ended, as after ur_end. written may be NULL. */
UR_INLINE int ur_respond_whole(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                               const void *body, size_t size, int timeout_ms, size_t *written);

/* As ur_respond_whole with UR_NOW, for languages that pass an int at less cost than a
 * size_t. After -EAGAIN ur_unsent() says how many bytes at the end of the body were not
 * written; it is 0 for every other request. */
UR_INLINE int ur_respond_whole_flat(ur_link *link, ur_request r, int status, const char *fields, int length,
                                    const void *body, int size);
UR_INLINE size_t ur_unsent(ur_link *link, ur_request r);

#ifdef __cplusplus
}
#endif
#endif /* UPLOAD_RESPONSE_H */
