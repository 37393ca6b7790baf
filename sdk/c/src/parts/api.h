#ifndef UPLOAD_RESPONSE_H
#define UPLOAD_RESPONSE_H

#if !defined(UR_SHARED) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* clock_gettime and madvise; too late if features.h was read before */
#endif

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

/** @file
 * @brief All of the C SDK: types, functions and, with a main page of its own, the manual. */

/** The version of the SDK. */
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

/** @defgroup types Types and constants
 * @{ */

/** A link to a server, from ur_attach() to ur_close(). */
typedef struct ur_link ur_link;

/** A request in progress. 0 is none. Numbers are never reused within a link. */
typedef uint64_t ur_request;

/** Bytes, without a terminating NUL. */
typedef struct ur_str {
    const char *data; /**< the first byte */
    size_t length;    /**< bytes */
} ur_str;

/** A string literal as a ur_str, in an initializer. */
#define UR_LIT(literal) {literal, sizeof(literal) - 1}

/** A header field, or a trailer field. */
typedef struct ur_header {
    ur_str name;  /**< lower-case when read, in any case when written */
    ur_str value; /**< no control characters but tabs */
} ur_header;

/** The kind of a slot. Text and binary slots carry the messages of a WebSocket, close
 * slots its end. */
enum ur_kind {
    UR_HEADERS = 1,  /**< the headers: slot 1 */
    UR_BODY = 2,     /**< bytes of a body */
    UR_TRAILERS = 3, /**< trailers: see ur_trailer() */
    UR_END = 4,      /**< the end; no bytes */
    UR_TEXT = 7,     /**< a text message, or a part of one */
    UR_BINARY = 8,   /**< a binary message, or a part of one */
    UR_CLOSE = 9     /**< a close: see ur_close_code() */
};

/** A slot of a request. */
typedef struct ur_slot {
    uint64_t number;  /**< the first is 1 */
    const void *data; /**< NULL if length is 0 */
    size_t length;    /**< bytes */
    int64_t time_ns;  /**< when the server published it: CLOCK_MONOTONIC, ns */
    uint32_t kind;    /**< enum ur_kind */
    uint32_t final;   /**< 1: the last, or only, slot of a message */
} ur_slot;

/** What ur_next_flat() returns about a request, besides its text. */
typedef struct ur_flat_request {
    ur_request request;    /**< the request */
    uint64_t stream_id;    /**< as ur_stream_id() */
    uint64_t text_length;  /**< bytes */
    uint64_t header_count; /**< fields in the text */
    const void *body;      /**< NULL if it has no bytes, or not all have arrived */
    uint64_t body_length;  /**< bytes */
    uint32_t whole;        /**< 1: body is complete, and no trailers follow */
    uint32_t http_version; /**< as ur_http_version() */
} ur_flat_request;

/** Where the segments of a link are mapped. */
typedef struct ur_memory {
    const void *requests;  /**< the request segment, read-only */
    size_t requests_size;  /**< bytes */
    void *responses;       /**< the response segment */
    size_t responses_size; /**< bytes */
} ur_memory;

/** Why a request was cancelled. Expect values that are not in this list. */
enum ur_reason {
    UR_NOT_CANCELLED = 0,   /**< it was not */
    UR_CLIENT_GONE = 1,     /**< the client closed its connection, or its upload broke off */
    UR_DEADLINE = 2,        /**< this worker made no progress for too long */
    UR_INVALID = 3,         /**< the response broke a rule */
    UR_SERVER_SHUTDOWN = 4, /**< the server stopped */
    UR_CLIENT_SLOW = 5,     /**< the client neither sent nor received bytes for too long */
    UR_TOO_LARGE = 6,       /**< the request body exceeded the limit */
    UR_FINISHED = 7,        /**< the exchange has ended, for whatever reason */
    UR_SERVER_GONE = 8      /**< the server died, or closed the link */
};

/** How the server wakes a worker. */
enum ur_bell {
    UR_BELL_FUTEX = 0,  /**< for threads that block in these functions */
    UR_BELL_EVENTFD = 1 /**< for event loops: ur_fd() */
};

/** What ur_wait(), ur_sleep() and ur_arm() wait for. The end of the link and a
 * cancellation always end a wait. */
enum ur_wait_for {
    UR_WAIT_STREAM = 1, /**< a request for ur_next() */
    UR_WAIT_READY = 2,  /**< a request for ur_ready() */
    UR_WAIT_STATE = 4   /**< reported only: the server drains, or the link ends */
};

/** As a time: do not wait. */
#define UR_NOW 0
/** As a time: wait without a bound. */
#define UR_FOREVER (-1)

/** In ur_release(): every slot that exists and every slot that may come. */
#define UR_ALL_SLOTS UINT64_MAX

/** The size of the texts in ur_options, bytes with the terminating NUL. */
#define UR_TEXT_BYTES 256

/** How to attach, and what the server answered. */
typedef struct ur_options {
    const char *socket;      /**< path of the server's worker socket; "": as ur_default_socket() says */
    const char *pool;        /**< pool to serve; "default" */
    const char *name;        /**< for the server's logs; by default the pid */
    const char *sdk;         /**< name of an SDK that builds on this one; "c" */
    const char *sdk_version; /**< the version of that SDK */
    uint32_t lanes;          /**< requests served at once, 1 to 4096; 16 */
    uint32_t bell;           /**< enum ur_bell; UR_BELL_FUTEX */
    int32_t timeout_ms;      /**< to connect, and the same again for the answer; 10000 */

    uint32_t layout_min;         /**< out: the oldest layout of a server that refused ours */
    uint32_t layout_max;         /**< out: the newest layout of a server that refused ours */
    char refusal[UR_TEXT_BYTES]; /**< out: why the attach failed, for a person */

    /** A user whose server is trusted, besides our own effective user and root. 0 is none;
     * then UPLOAD_RESPONSE_SERVER_UID names that user, if it is set. */
    uint32_t server_uid;
    /** The signal on which this process prints its stacks to standard error, and goes on; 0
     * is none. Its handler is the program's: see "When a worker is stuck". */
    uint32_t stacks;
    uint64_t reserved[7]; /**< 0 */
} ur_options;

/** What a link has done, and holds. */
typedef struct ur_counters {
    uint64_t requests;     /**< requests accepted */
    uint64_t passed_over;  /**< requests that the server took back before we accepted them */
    uint64_t ended;        /**< complete responses: ur_end() */
    uint64_t aborted;      /**< ur_abort() */
    uint64_t cancelled;    /**< requests seen to be cancelled */
    uint64_t slots_in;     /**< request slots returned */
    uint64_t bytes_in;     /**< bytes of those */
    uint64_t slots_out;    /**< response slots committed */
    uint64_t bytes_out;    /**< bytes of those */
    uint64_t sleeps;       /**< times that we slept, or armed */
    uint64_t rings;        /**< times that we woke the server, with a system call each */
    uint64_t active;       /**< requests in progress now */
    uint64_t buffers;      /**< response buffers */
    uint64_t buffers_free; /**< response buffers that no lane holds */
} ur_counters;

/** @} */

/* ------------------------------------------------------------------- link */

/** @defgroup link The link
 * @{ */

/** Sets every option to its default. Always call it first. */
UR_INLINE void ur_options_init(ur_options *options);

/** Connects to the server and maps the shared memory. It reads the options only during
 * the call, and writes the server's answer into them. It sends nothing to a server whose
 * user is not trusted (server_uid): -EPERM. Release: ur_close(). */
UR_INLINE int ur_attach(ur_link **link, ur_options *options);

/** Returns in `path` where a server listens by default: the first that exists of
 * $UPLOAD_RESPONSE_SOCKET; upload-response.sock in $XDG_RUNTIME_DIR, in /run/user/UID
 * and, for root, in /run, if only we can write these; and the same name in
 * /tmp/upload-response-UID. -EACCES: that folder exists, and others can write it.
 * -ENAMETOOLONG: `size` is too small; 108 bytes are always enough for a socket. */
UR_INLINE int ur_default_socket(char *path, size_t size);

/** Reports whether an error of ur_attach() may disappear when you try again later. */
UR_INLINE int ur_is_temporary(int error);

/** Ends the link at once and frees all its memory; requests in progress break off. For a
 * clean end call ur_drain() first. NULL is no link. */
UR_INLINE void ur_close(ur_link *link);

/** Asks the server for no more requests. Continue to call ur_next(), which returns the
 * requests that were assigned before, until it returns -ESHUTDOWN; finish all; close. */
UR_INLINE int ur_drain(ur_link *link);

/** Reports whether the server has announced that it is about to end. It lets requests in
 * progress finish; you need not do anything. */
UR_INLINE int ur_server_drains(const ur_link *link);

/** Returns why the link is dead, for a person; empty while it lives. Valid until
 * ur_close(). */
UR_INLINE const char *ur_error_text(const ur_link *link);

/** Returns the most bytes that a slot can have. */
UR_INLINE size_t ur_slot_size(const ur_link *link);

/** Returns the server's process id; its name for itself, valid until ur_close(); and a
 * number that differs for every start of a server. Each pointer may be NULL. */
UR_INLINE void ur_server(const ur_link *link, uint32_t *pid, const char **name, uint64_t *instance);

/** Returns how long the server lets a worker make no progress, in milliseconds. */
UR_INLINE uint64_t ur_response_timeout_ms(const ur_link *link);

/** Returns the counters of the link. */
UR_INLINE int ur_get_counters(const ur_link *link, ur_counters *counters);

/** Returns where the segments are, for an SDK that represents views of slots in its own
 * way. Valid until ur_close(). */
UR_INLINE void ur_get_memory(const ur_link *link, ur_memory *memory);

/** @} */

/* --------------------------------------------------------------- requests */

/** @defgroup requests Requests
 * @{ */

/** Returns the next request in `r`. Release: ur_end() or ur_abort(). While it waits, it
 * keeps events of other requests but does not return them: see ur_wait(). While the link
 * has as many unfinished responses as lanes, it returns no request: -EAGAIN, or -EBUSY if
 * you would wait in vain. */
UR_INLINE int ur_next(ur_link *link, int timeout_ms, ur_request *r);

/** As ur_next(), and copies the head of the request into `text`: method, scheme,
 * authority, path, and name and value of each header, each followed by a NUL. It does not
 * release slot 1. It aborts and skips a request that cannot be decoded, or whose response
 * is no longer wanted. -EINVAL if `size` is less than ur_slot_size(). */
UR_INLINE int ur_next_flat(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size);

/** As ur_next_flat(), with the text in another order: method, scheme, authority, path, the
 * value of each header, and then their names, which are the last `names` bytes of the
 * text. Clients send the same names again and again, so callers can cache what they
 * derive from them. */
UR_INLINE int ur_next_split(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                            uint64_t *names);

/** Returns in `r` a request in progress that may be able to continue: there may be a slot,
 * room, or a cancellation. -EAGAIN: none, or no other. It names a request once for all
 * that has happened up to now. */
UR_INLINE int ur_ready(ur_link *link, ur_request *r);

/** Waits until there is a request for ur_next() (UR_WAIT_STREAM) or for ur_ready()
 * (UR_WAIT_READY), or the state of the link changes. Returns in `what`, which may be NULL,
 * which of them occurred. */
UR_INLINE int ur_wait(ur_link *link, unsigned reasons, int timeout_ms, unsigned *what);

/** As ur_wait(), for a language with a lock around its threads, which the caller holds; it
 * sleeps only once and names no request as ready: check the requests that you wait for.
 * It calls `leave` before the sleep and, after it, `enter` with the value that `leave`
 * returned; in between, other threads may call functions that do not wait, except
 * ur_close(). -EINTR: a signal arrived, or the descriptor `also`, which may be -1, is
 * readable. -ENOTSUP with a futex bell. */
UR_INLINE int ur_sleep(ur_link *link, unsigned reasons, int timeout_ms, int also, void *(*leave)(void),
                       void (*enter)(void *));

/** Keeps a pointer of yours with the request. */
UR_INLINE int ur_set_user(ur_link *link, ur_request r, void *user);
/** Returns the pointer of ur_set_user(), at first NULL. */
UR_INLINE void *ur_user(ur_link *link, ur_request r);

/** @} */

/* ------------------------------------------------------------ event loops */

/** @defgroup loops Event loops
 * @{ */

/** Returns a descriptor that is readable when there may be work to do: it combines the
 * bell and the end of the server. The link owns it: never read it, never close it.
 * -ENOTSUP with a futex bell. */
UR_INLINE int ur_fd(const ur_link *link);

/** Announces that the caller is about to sleep until ur_fd() is readable, and checks once
 * more. 0: go to sleep. -EAGAIN: there is work to do, and nothing is announced.
 * -ENOTCONN: the link is dead. */
UR_INLINE int ur_arm(ur_link *link, unsigned reasons);

/** Withdraws the announcement; call it after every sleep. It does no harm when nothing
 * was announced. -ENOTCONN: the link is dead. */
UR_INLINE int ur_disarm(ur_link *link);

/** @} */

/* --------------------------------------------------------- reading a request */

/** @defgroup reading Reading a request
 * @{ */

/** Returns the method. Like the three below: {NULL, 0} where there is none, for a request
 * that has ended, and after the release of slot 1 (see ur_keep_headers()). */
UR_INLINE ur_str ur_method(ur_link *link, ur_request r);
/** Returns the scheme, such as http or wss. */
UR_INLINE ur_str ur_scheme(ur_link *link, ur_request r);
/** Returns the authority: a host, and perhaps a port. */
UR_INLINE ur_str ur_authority(ur_link *link, ur_request r);
/** Returns the path, with the query. */
UR_INLINE ur_str ur_path(ur_link *link, ur_request r);

/** Returns 1 for HTTP/1.1 (and 1.0), 2 for HTTP/2, 3 for HTTP/3; 0 where ur_method() has
 * none. */
UR_INLINE int ur_http_version(ur_link *link, ur_request r);

/** Reports whether the client asks for a WebSocket: the scheme is ws or wss. Also works
 * after the release of slot 1, if you read any of the headers before. */
UR_INLINE int ur_is_websocket(ur_link *link, ur_request r);

/** Returns the address and the port of the client, as the server knows them:
 * 203.0.113.7:40001 or [2001:db8::1]:443, with port 0 if it is unknown. {NULL, 0} if the
 * client has no address, as over a Unix socket, and where ur_method() has none. It is the
 * value of the first header, upload-response-client, which no client can send.
 * X-Forwarded-For begins with text from clients: do not use it as the client's address. */
UR_INLINE ur_str ur_client_address(ur_link *link, ur_request r);

/** Returns a number that is unique among all streams of the server, and in its logs. 0 for
 * a request that has ended. */
UR_INLINE uint64_t ur_stream_id(ur_link *link, ur_request r);

/** Returns the number of headers. */
UR_INLINE size_t ur_header_count(ur_link *link, ur_request r);
/** Returns header `i`, from 0. Reading them in order costs least. */
UR_INLINE int ur_header_at(ur_link *link, ur_request r, size_t i, ur_header *header);

/** Returns the value of the first header of a name, which is a C string in any case. After
 * an error `value` is unchanged. */
UR_INLINE int ur_find_header(ur_link *link, ur_request r, const char *name, ur_str *value);

/** Copies the headers frame into memory of the caller, where the functions above find it
 * after the release of slot 1. -ENOSPC if `size` is less than the length of slot 1. */
UR_INLINE int ur_keep_headers(ur_link *link, ur_request r, void *memory, size_t size);

/** Returns slot `n` of the request, as soon as it exists. */
UR_INLINE int ur_tail(ur_link *link, ur_request r, uint64_t n, int timeout_ms, ur_slot *slot);

/** Returns the slot after the last one that it returned; at first slot 2. */
UR_INLINE int ur_next_slot(ur_link *link, ur_request r, int timeout_ms, ur_slot *slot);

/** As ur_next_slot() with UR_NOW, for several slots of a body at once: returns how many it
 * wrote to `slots`, at least 1 and at most `most`, or an error. It returns a slot of
 * another kind alone. */
UR_INLINE int ur_next_slots(ur_link *link, ur_request r, ur_slot *slots, int most);

/** Gives the slots up to and including `n` back. UR_ALL_SLOTS means that no more of the
 * body is wanted: the server receives and discards it. */
UR_INLINE int ur_release(ur_link *link, ur_request r, uint64_t n);

/** Returns field `at` of a trailers slot, and advances `at`, at first 0. -ENOENT after the
 * last. */
UR_INLINE int ur_trailer(const ur_slot *slot, size_t *at, ur_header *field);

/** Returns the code of a close slot, 1005 if it has none, and in `reason`, which may be
 * NULL, the text after it. -EINVAL: it is not a close slot. */
UR_INLINE int ur_close_code(const ur_slot *slot, ur_str *reason);

/** Returns 0, or -ECANCELED if the response is no longer wanted. */
UR_INLINE int ur_cancelled(ur_link *link, ur_request r);
/** Returns why, as enum ur_reason. For a request that has ended it returns what was known
 * then, while its lane serves no other request; after that UR_NOT_CANCELLED. */
UR_INLINE uint32_t ur_reason(ur_link *link, ur_request r);
/** Returns a text for a reason, for a person. */
UR_INLINE const char *ur_reason_text(uint32_t reason);

/** @} */

/* ------------------------------------------------------- writing a response */

/** @defgroup writing Writing a response
 * @{ */

/** Sends a response that precedes the final one, with a status from 102 to 199. */
UR_INLINE int ur_interim(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms);

/** Starts the response with a status from 200 to 999; or, with 101, opens the WebSocket
 * that the client asks for, at once. Then sec-websocket-protocol in the headers may name
 * one protocol that the client offers. */
UR_INLINE int ur_respond(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms);

/** Returns room for body bytes, or for a message, in shared memory: at least one byte and
 * mostly a good part of a slot. Valid until the next call that writes. */
UR_INLINE int ur_reserve(ur_link *link, ur_request r, int timeout_ms, void **room, size_t *size);

/** Makes the first `n` bytes of the reserved room part of the body. */
UR_INLINE int ur_commit(ur_link *link, ur_request r, size_t n);

/** Adds bytes to the body, in as many slots as needed. `written`, which may be NULL, says
 * how many, also after an error: after -EAGAIN continue with the byte after them. */
UR_INLINE int ur_write(ur_link *link, ur_request r, const void *data, size_t size, int timeout_ms, size_t *written);

/** Sends all bytes written so far. */
UR_INLINE int ur_flush(ur_link *link, ur_request r);

/** Adds trailers. Only ur_end() may follow. */
UR_INLINE int ur_trailers(ur_link *link, ur_request r, const ur_header *fields, size_t count, int timeout_ms);

/** Sends a message of the kind UR_TEXT or UR_BINARY, or a part of one: the last, or only,
 * part is final. `sent`, which may be NULL, says how many bytes were sent, also after an
 * error: after -EAGAIN continue with the byte after them. The server checks that text is
 * UTF-8. */
UR_INLINE int ur_send(ur_link *link, ur_request r, uint32_t kind, const void *data, size_t size, int final,
                      int timeout_ms, size_t *sent);

/** Sends the first `n` bytes of the reserved room, as ur_send(). */
UR_INLINE int ur_commit_message(ur_link *link, ur_request r, uint32_t kind, size_t n, int final);

/** Closes the WebSocket with a code that may be sent - 1000 to 1003, 1007 to 1014, 3000 to
 * 4999 - and a reason of at most 123 bytes of UTF-8; or with 1005, which stands for no
 * code, and no reason. Only ur_end() may follow. -EINVAL: any other code, such as 999,
 * 1006 or 1015, or a reason that is longer or not UTF-8; nothing was sent, and the
 * WebSocket is open. */
UR_INLINE int ur_send_close(ur_link *link, ur_request r, int code, const char *reason, size_t length, int timeout_ms);

/** As ur_send_close() and ur_end(). After -EAGAIN or -ETIMEDOUT call it again; after
 * -EINVAL, too, with a code that may be sent. */
UR_INLINE int ur_close_websocket(ur_link *link, ur_request r, int code, const char *reason, size_t length,
                                 int timeout_ms);

/** Ends the response and, unless it returns -EAGAIN, -ETIMEDOUT or -EINVAL, the request.
 * -ECANCELED: the request has ended, but the client did not receive the whole response. */
UR_INLINE int ur_end(ur_link *link, ur_request r, int timeout_ms);

/** Ends the request without an end of its response. */
UR_INLINE int ur_abort(ur_link *link, ur_request r);

/** As ur_end(), but the request continues until ur_let_go(): its slots can be read and
 * released, and nothing can be written. Returns 0, too, when the response had ended
 * before. */
UR_INLINE int ur_end_response(ur_link *link, ur_request r, int timeout_ms);
/** As ur_abort(), but the request continues as after ur_end_response(). */
UR_INLINE int ur_abort_response(ur_link *link, ur_request r);

/** Ends a request whose response has ended. -EINVAL: it has not. */
UR_INLINE int ur_let_go(ur_link *link, ur_request r);

/** As ur_interim(), with flat fields of `length` bytes. -EINVAL if the last one does not
 * end with a NUL, or is a name. */
UR_INLINE int ur_interim_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms);
/** As ur_respond(), with flat fields as ur_interim_flat() takes them. */
UR_INLINE int ur_respond_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms);
/** As ur_trailers(), with flat fields as ur_interim_flat() takes them. */
UR_INLINE int ur_trailers_flat(ur_link *link, ur_request r, const char *fields, size_t length, int timeout_ms);

/** Returns 0, or -EINVAL if ur_respond_flat() would refuse these fields, whatever their
 * size. It always refuses the status 101. */
UR_INLINE int ur_check_flat(int status, const char *fields, size_t length);

/** Sends the whole response, with flat fields: as ur_respond_flat(), ur_write() and
 * ur_end(). -EAGAIN, -ETIMEDOUT: the response has begun and has `written` bytes of the
 * body; continue with ur_write() and ur_end(). -EINVAL, -EALREADY, -EMSGSIZE, -ESTALE, and
 * -EBUSY, which means no room for the headers behind interim responses: it did nothing.
 * After any other result the request has ended, as after ur_end(). `written` may be
 * NULL. */
UR_INLINE int ur_respond_whole(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                               const void *body, size_t size, int timeout_ms, size_t *written);

/** As ur_respond_whole() with UR_NOW, for languages that pass an int at less cost than a
 * size_t. After -EAGAIN ur_unsent() says how many bytes at the end of the body it did not
 * write. */
UR_INLINE int ur_respond_whole_flat(ur_link *link, ur_request r, int status, const char *fields, int length,
                                    const void *body, int size);
/** Returns how many bytes of its body ur_respond_whole_flat() left unwritten when it
 * returned -EAGAIN; 0 for any other request. */
UR_INLINE size_t ur_unsent(ur_link *link, ur_request r);

/** @} */

#ifdef __cplusplus
}
#endif
#endif /* UPLOAD_RESPONSE_H */
