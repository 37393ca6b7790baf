/**
 * @mainpage upload_response.h: the C SDK of upload-response, in one file
 *
 * An upload-response server accepts HTTP/1.1, HTTP/2 and HTTP/3 requests and streams
 * each of them, slot by slot, into shared memory. A worker is a process that attaches
 * to the server, reads the slots of its requests while the upload is still running, and
 * writes response slots that the server streams back. No bytes are copied between the
 * two processes and, while both are busy, no system call is made. The SDK needs Linux
 * 5.10 or later on a 64-bit machine, C11 or C++17, and gcc or clang.
 *
 *
 * ## A worker
 *
 *     #include <upload_response.h>
 *
 *     int main(void) {
 *         ur_options options;
 *         ur_link *link;
 *         ur_request r;
 *         ur_options_init(&options);
 *         options.socket = "/run/upload-response.sock";
 *         if (ur_attach(&link, &options) != 0) {
 *             return 1;                                  // options.refusal says why
 *         }
 *         while (ur_next(link, UR_FOREVER, &r) == 0) {
 *             ur_header type = {UR_LIT("content-type"), UR_LIT("text/plain")};
 *             ur_respond(link, r, 200, &type, 1, UR_FOREVER);
 *             ur_write(link, r, "hello world\n", 12, UR_FOREVER, NULL);
 *             ur_end(link, r, UR_FOREVER);
 *         }
 *         ur_close(link);
 *         return 0;
 *     }
 *
 * The folder examples/ has complete workers: they handle errors, end cleanly on SIGTERM
 * and attach again when the server comes back.
 *
 *
 * ## How to use this file
 *
 * Header only: include it. Every function is static inline, and there is nothing to
 * link. As a library: define UR_SHARED before the include (pkg-config and the CMake
 * package do), which leaves only declarations, and link upload_response. With
 * -std=c11, define _GNU_SOURCE before the first include of your file.
 *
 * This file is made of those in sdk/c/src/parts of the repository, where it is changed.
 *
 *
 * ## Requests and slots
 *
 * A request is a lane of slots, counted from 1. Slot 1 holds the headers; then come body
 * slots (UR_BODY), at most one slot of trailers (UR_TRAILERS), and an empty slot (UR_END).
 * A body slot has at least one byte and at most ur_slot_size() bytes; its boundaries have
 * no meaning. ur_next_slot() returns the slots after the headers in order, ur_tail() any
 * slot by its number. ur_release() gives slots back. Release the slots that you no longer
 * need: a client is held back while its slots are not released.
 *
 * A response is ur_respond() with status and headers; then any number of ur_write(), or
 * of ur_reserve() and ur_commit(), which fill a slot in place; optionally ur_trailers();
 * and ur_end(). It may begin before the request has ended; ur_interim() sends responses
 * that precede it, such as 103 Early Hints. Written bytes are sent when a slot is full,
 * by ur_flush(), and by ur_end(). End a request that you cannot answer with ur_abort():
 * its client sees an error, or a response that visibly breaks off.
 *
 * End every request that ur_next() returned with ur_end() or ur_abort(), also after a
 * cancellation: until then its lane serves no other request. Several requests may be in
 * progress on a link, and they may end in any order.
 *
 * A response may end before its request: ur_end_response() sends the end to the client
 * and leaves the slots of the request readable until ur_let_go(). Until then the lane
 * serves no other request.
 *
 *
 * ## WebSockets
 *
 * ur_is_websocket() recognises a request for a WebSocket. Answer it like any GET, or
 * accept it: ur_respond() with the status 101. From then on both lanes carry messages
 * instead of a body. A message is one or more slots, all of them UR_TEXT or all UR_BINARY,
 * the last with `final` set; a slot may be empty. A client that closes sends a slot
 * UR_CLOSE, which ur_close_code() decodes; then comes UR_END.
 *
 *     ur_respond(link, r, 101, NULL, 0, UR_FOREVER);
 *     while (ur_next_slot(link, r, UR_FOREVER, &slot) == 0 && slot.kind != UR_CLOSE) {
 *         ur_send(link, r, slot.kind, slot.data, slot.length, (int)slot.final, UR_FOREVER, NULL);
 *         ur_release(link, r, slot.number);
 *     }
 *     ur_close_websocket(link, r, 1000, NULL, 0, UR_FOREVER);
 *
 * ur_send() sends a message, or a part of one, immediately; ur_reserve() and
 * ur_commit_message() do so in place. ur_close_websocket() closes with a code and ends the
 * request; ur_send_close() with ur_end_response() leaves its slots readable. ur_end() alone
 * closes with 1000, ur_abort() with 1011. A client that disappears without a close is a
 * cancellation. The server handles masks, pings and compression.
 *
 *
 * ## Fewer calls
 *
 * Most requests and responses are small. Where a call is expensive, as it is from another
 * language, two calls serve a whole request: ur_next_flat() or ur_next_split() returns the
 * next request with its whole head as text, and its body if that has arrived;
 * ur_respond_whole() or ur_respond_whole_flat() sends status, headers, body and end in one
 * call; ur_sleep() is a complete sleep. They, and ur_respond_flat(), ur_interim_flat() and
 * ur_trailers_flat(), represent a header list as one flat text: name and value alternate,
 * each followed by a NUL, which neither can contain. ur_next_slots() returns several slots
 * of a large body at once.
 *
 *
 * ## Lifetimes
 *
 * - `ur_link`: from ur_attach() to ur_close()
 * - `ur_request`: from ur_next() to ur_end() or ur_abort(); it is a number, and a call
 *   with one that has ended returns -ESTALE
 * - bytes of a slot: from ur_tail() or ur_next_slot() to the release of that slot or a
 *   later one, or the end of the request
 * - `ur_str` of ur_method() and the other functions of the headers: as the bytes of slot
 *   1; after ur_keep_headers(), as the memory passed to it
 * - `ur_flat_request.body`: as the bytes of slot 2
 * - reserved room: from ur_reserve() to the next call that writes
 *
 * All of them end with ur_close().
 *
 *
 * ## Threads and processes
 *
 * One thread at a time uses a link, which has no locks; create a link for each thread
 * that serves. Threads and links share no state. After a fork the child has no part in
 * the links of its parent: there, every call returns -ECHILD, and only ur_close() has an
 * effect: it closes the child's copies of the descriptors. Attach after the fork.
 *
 * The SDK does not print, exit, start a thread, or touch a signal handler.
 *
 *
 * ## Waiting
 *
 * Calls that may wait take a time in milliseconds: UR_NOW (0) to try and return -EAGAIN,
 * UR_FOREVER (-1) to wait without a bound, or a bound after which they return -ETIMEDOUT.
 * A blocking call waits for one event. To wait for several at once use ur_wait(), then
 * ur_next() with UR_NOW and ur_ready(), which names the requests that may be able to
 * continue; repeat for those the calls that returned -EAGAIN.
 *
 * With an event loop, attach with UR_BELL_EVENTFD and watch ur_fd() for reading:
 *
 *     for (;;) {
 *         if (ur_arm(link, UR_WAIT_STREAM | UR_WAIT_READY) == 0) {
 *             ... sleep in the loop until ur_fd(link) is readable, or
 *                 another event of yours occurs ...
 *         }
 *         ur_disarm(link);
 *         while (ur_next(link, UR_NOW, &r) == 0) ... start r ...
 *         while (ur_ready(link, &r) == 0) ... continue r ...
 *     }
 *
 * ur_arm() announces that you are about to sleep and checks once more: -EAGAIN means that
 * there is work to do. Without the announcement the server does not ring, so never sleep
 * without it. ur_disarm() withdraws the announcement and clears the descriptor.
 *
 *
 * ## When a worker is stuck
 *
 * The server replaces a worker process that it started when a request there makes no
 * progress: when for a time no slot of it is read, written or released. It logs the
 * request, sends the process SIGTERM, and after a while SIGKILL. A request that moves
 * bytes, however slowly, is not stuck.
 *
 * To learn where it hangs, install a handler that prints the stacks of your threads to
 * standard error, and name its signal in ur_options.stacks: SIGUSR1, SIGUSR2, SIGQUIT,
 * SIGWINCH, or a real-time signal (34 to 64), which fewer libraries use. The server sends
 * it before SIGTERM. The process has to survive the signal, and the handler may call only
 * functions that are safe in one (signal-safety(7)). The SDK installs no handler, and does
 * not know how to print a stack: glibc has backtrace_symbols_fd(), others have libunwind.
 * examples/common.h shows a handler that reaches every thread.
 *
 *
 * ## Errors
 *
 * Functions return 0, or one of these. They return other errors of the system unchanged.
 *
 * - -EAGAIN: not yet: no request, no slot, no room
 * - -ETIMEDOUT: not within the given time
 * - -ECANCELED: the response is no longer wanted, and ur_reason() says why: stop, and end
 *   the request
 * - -ESTALE: the request has ended, or never was one of this link
 * - -ENOTCONN: the link is dead: the server died or closed it, and ur_error_text() says
 *   more. Requests in progress are cancelled with UR_SERVER_GONE. Close the link, and
 *   attach again
 * - -ESHUTDOWN: after ur_drain(): no more requests will come
 * - -EPROTO: the server broke the protocol, for example by assigning a lane whose request
 *   has not ended; the link is dead, its requests are cancelled, and ur_error_text()
 *   describes the violation
 * - -ECHILD: the link belongs to the parent process
 * - -EINVAL: an argument out of range; a body before the headers or after the trailers; a
 *   header name or value with a forbidden byte; a body in a WebSocket, a message anywhere
 *   else or after the close
 * - -EALREADY: headers twice, or an interim response after them
 * - -EBUSY: a wait for a request while all lanes of the link are in use; see also
 *   ur_respond_whole()
 * - -EMSGSIZE: the headers do not fit one slot
 * - -ENOENT: no such header; or a slot that was released
 * - -EBADMSG: a headers frame or trailers that cannot be decoded
 * - -ENOMEM: no memory for the copy of a headers frame
 *
 * ur_attach() also returns these; ur_is_temporary() tells which of them may disappear.
 *
 * - -EPROTONOSUPPORT: no common layout
 * - -EACCES: this user may not attach, or others can write the folder of the default
 *   socket
 * - -EPERM: the user of the server is not trusted
 * - -ENXIO: no such pool
 * - -EBUSY: the server has no room for another link
 * - -ESHUTDOWN: the server is about to end
 * - -ECONNREFUSED, -ENOENT: no server listens
 */

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

/* ======================================================== implementation === */
#if !defined(UR_SHARED) && !defined(UR_IMPLEMENTED)
#define UR_IMPLEMENTED

#if !defined(__linux__) || !defined(__LP64__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "upload_response.h: Linux on a 64-bit little-endian machine is needed"
#endif

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if defined(__GLIBC__) && !defined(__USE_MISC)
#error "upload_response.h: define _GNU_SOURCE before the first #include, or compile with -std=gnu11"
#endif

#ifdef __cplusplus
extern "C" {
#define UR__PIN(claim) static_assert(claim, #claim)
#else
#define UR__PIN(claim) _Static_assert(claim, #claim)
#endif

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

/* ---------------------------------------------------------------- atomics
 *
 * The five. Ownership of memory passes between the processes along edges that have the
 * same labels in Go: a release store (A1) pairs with an acquire load (A2).
 *
 *   A  request slots to us           B  their release, back
 *   C  response slots to the server  D  their release, back
 *   E  assignments to us             F  taken, back   (G: revoked; F and G fenced)
 *   H  notices to us                 I  notices to the server
 *   J  the lane, on accepting        K  the lane, the row, on letting go
 *   L  cancellation                  S  sleep announced; fenced on both sides */

static inline uint8_t ur__load8(const uint8_t *byte) { return __atomic_load_n(byte, __ATOMIC_RELAXED); }
static inline uint32_t ur__load32(const uint32_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline uint64_t ur__load64(const uint64_t *word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
static inline void ur__store32(uint32_t *word, uint32_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }
static inline void ur__store64(uint64_t *word, uint64_t value) { __atomic_store_n(word, value, __ATOMIC_RELEASE); }

#if defined(__SANITIZE_THREAD__)
#define UR__TSAN
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UR__TSAN
#endif
#endif

/* A full fence: a peer whose store we do not see after it sees our store before it. */
static inline void ur__fence(void) {
#ifdef UR__TSAN
    static __thread uint32_t word; /* TSan does not model fences; one word per thread, so that it orders no threads */
    (void)__atomic_fetch_add(&word, 1, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/* Copies bytes that another process may change. From here on the compiler has to use the
 * copy, and may not read the original again instead. */
static inline void ur__copy_shared(void *to, const void *from, size_t size) {
    memcpy(to, from, size);
    __asm__ __volatile__("" ::: "memory");
}

/* Orders reads of bytes that may change before the loads that say whether they were ours. */
static inline void ur__after_reads(void) {
#ifdef UR__TSAN
    ur__fence();
#else
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
}

/* CLOCK_MONOTONIC, nanoseconds. */
static inline int64_t ur__clock(clockid_t clock) {
    struct timespec t;
    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline int64_t ur__now(void) { return ur__clock(CLOCK_MONOTONIC); }

/* The error of the last system call, as the SDK returns it. */
static inline int ur__errno(void) { return errno > 0 ? -errno : -EIO; }

static inline uint64_t ur__min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t ur__max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* ------------------------------------------------------------------- HPKS
 *
 * The format of the headers slot, version 1: "HPKS", u8 1, u8 frame (1 headers),
 * u64 big-endian stream id, u8 kind (1 request, 2 response), u8 HTTP version; then
 * method, scheme, authority and path, each a varint length and bytes, or a u16
 * big-endian status; then fields: a varint count, and for each the lengths and
 * bytes of name and value. A varint is unsigned LEB128 of at most 10 bytes. A
 * trailers slot holds fields alone.
 *
 * Decoding is in place: its results point into the input. Trailers are decoded in shared
 * memory, which may change: every length is read once and checked before it is used. A
 * head is copied first, and the copy is walked again. */

enum ur__fault {
    UR__OK,
    UR__TRUNCATED,
    UR__BAD_MAGIC,
    UR__BAD_STREAM_VERSION,
    UR__BAD_FRAME_TYPE,
    UR__BAD_KIND,
    UR__BAD_HTTP_VERSION,
    UR__BAD_VARINT,
    UR__BAD_LENGTH,
    UR__TOO_MANY_FIELDS,
    UR__BAD_METHOD,
    UR__BAD_SCHEME,
    UR__BAD_AUTHORITY,
    UR__BAD_PATH,
    UR__BAD_STATUS,
    UR__BAD_NAME,
    UR__BAD_VALUE
};

enum {
    UR__MAX_FIELDS = 8192,
    UR__MAX_NAME = 65535,
    UR__HEAD_BYTES = 14,
    UR__NOT_TOKEN = 1,
    UR__NOT_VALUE = 2,
    UR__NOT_PATH = 4,
    UR__NOT_SCHEME = 8,
    UR__NOT_AUTHORITY = 16,
    UR__UPPER = 32 /* also the bit that makes a letter lower-case */
};

/* Where each ASCII byte is forbidden; other bytes are forbidden in tokens, schemes and
 * authorities. */
/* clang-format off */
static const uint8_t ur__classes[128] = {
    31, 31, 31, 31, 31, 31, 31, 31, 31, 29, 31, 31, 31, 31, 31, 31,
    31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31, 31,
    29,  8, 25, 24,  8,  8,  8,  8,  9,  9,  8,  0,  9,  0,  0, 25,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  9,  9, 25,  9, 25, 25,
     9, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,
    32, 32, 32, 32, 32, 32, 32, 32, 32, 32, 32,  9, 25,  9, 24,  8,
    24,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,
     0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0, 25, 24, 25,  8, 31};
/* clang-format on */

static inline unsigned ur__class(uint8_t c) {
    return c < 128 ? ur__classes[c] : (unsigned)(UR__NOT_TOKEN | UR__NOT_SCHEME | UR__NOT_AUTHORITY);
}

/* The union of the classes of all bytes. */
static inline unsigned ur__classes_of(ur_str s) {
    unsigned all = 0;
    for (size_t i = 0; i < s.length; i++) {
        all |= ur__class((uint8_t)s.data[i]);
    }
    return all;
}

static inline uint8_t ur__lower(uint8_t c) { return (uint8_t)(c | (ur__class(c) & UR__UPPER)); }

/* A position in bytes. After the first fault it is at the end of them, so that a parser
 * reads like the layout that it parses, and checks fault only at its end. */
struct ur__cursor {
    const uint8_t *bytes;
    size_t length, at;
    enum ur__fault fault;
};

static inline struct ur__cursor ur__cursor_at(const void *bytes, size_t length) {
    struct ur__cursor c;
    c.bytes = (const uint8_t *)bytes;
    c.length = length;
    c.at = 0;
    c.fault = UR__OK;
    return c;
}

static inline void ur__cursor_fail(struct ur__cursor *c, enum ur__fault fault) {
    if (c->fault == UR__OK) {
        c->fault = fault;
        c->length = c->at;
    }
}

static inline uint64_t ur__varint(struct ur__cursor *c) {
    uint64_t n = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (c->at + i >= c->length) {
            ur__cursor_fail(c, UR__TRUNCATED);
            return 0;
        }
        uint8_t b = ur__load8(c->bytes + c->at + i);
        if (i == 9 && b > 1) {
            break;
        }
        n |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) {
            c->at += i + 1;
            return n;
        }
    }
    ur__cursor_fail(c, UR__BAD_VARINT);
    return 0;
}

/* A length, and as many bytes. */
static inline ur_str ur__string(struct ur__cursor *c) {
    ur_str s = {NULL, 0};
    uint64_t n = ur__varint(c);
    if (n > INT64_MAX) {
        ur__cursor_fail(c, UR__BAD_LENGTH);
    } else if (n > c->length - c->at) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (c->fault == UR__OK) {
        s.data = (const char *)c->bytes + c->at;
        s.length = (size_t)n;
        c->at += (size_t)n;
    }
    return s;
}

static inline ur_str ur__checked_string(struct ur__cursor *c, unsigned forbidden, enum ur__fault fault) {
    ur_str s = ur__string(c);
    if (ur__classes_of(s) & forbidden) {
        ur__cursor_fail(c, fault);
    }
    return s;
}

/* The first 16 bytes of a headers frame. Returns the HTTP version. */
static inline uint8_t ur__frame_head(struct ur__cursor *c, uint8_t kind, uint64_t *stream_id) {
    const uint8_t *b = c->bytes;
    *stream_id = 0;
    if (c->length < 4) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (memcmp(b, "HPKS", 4) != 0) {
        ur__cursor_fail(c, UR__BAD_MAGIC);
    } else if (c->length < 6) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[4] != 1) {
        ur__cursor_fail(c, UR__BAD_STREAM_VERSION);
    } else if (c->length < UR__HEAD_BYTES) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[5] != 1) {
        ur__cursor_fail(c, UR__BAD_FRAME_TYPE);
    } else if (c->length < UR__HEAD_BYTES + 2) {
        ur__cursor_fail(c, UR__TRUNCATED);
    } else if (b[14] != kind) {
        ur__cursor_fail(c, UR__BAD_KIND);
    } else if (b[15] < 1 || b[15] > 3) {
        ur__cursor_fail(c, UR__BAD_HTTP_VERSION);
    }
    if (c->fault != UR__OK) {
        return 0;
    }
    for (int i = 6; i < UR__HEAD_BYTES; i++) {
        *stream_id = *stream_id << 8 | b[i];
    }
    c->at = UR__HEAD_BYTES + 2;
    return b[15];
}

static inline size_t ur__field_count(struct ur__cursor *c) {
    uint64_t n = ur__varint(c);
    if (n > UR__MAX_FIELDS) {
        ur__cursor_fail(c, UR__TOO_MANY_FIELDS);
    } else if (n * 3 > c->length - c->at) { /* a field has at least three bytes */
        ur__cursor_fail(c, UR__TRUNCATED);
    }
    return c->fault == UR__OK ? (size_t)n : 0;
}

static inline int ur__good_name(ur_str name) {
    return name.length >= 1 && name.length <= UR__MAX_NAME && !(ur__classes_of(name) & UR__NOT_TOKEN);
}

static inline ur_header ur__field(struct ur__cursor *c) {
    ur_header f;
    f.name = ur__string(c);
    if (c->fault == UR__OK && !ur__good_name(f.name)) {
        ur__cursor_fail(c, UR__BAD_NAME);
    }
    f.value = ur__checked_string(c, UR__NOT_VALUE, UR__BAD_VALUE);
    return f;
}

/* Checks a header list and returns how many fields it has. */
static inline size_t ur__skip_fields(struct ur__cursor *c) {
    size_t count = ur__field_count(c);
    for (size_t i = 0; i < count && c->fault == UR__OK; i++) {
        (void)ur__field(c);
    }
    return count;
}

/* A decoded headers frame of a request. */
struct ur__head {
    uint64_t stream_id;
    ur_str method, scheme, authority, path;
    size_t fields_at, count; /* the first field, in bytes from the start of the frame */
    size_t length;           /* of the frame */
    uint8_t version;
};

static inline enum ur__fault ur__parse_request(struct ur__head *h, const void *bytes, size_t length) {
    struct ur__cursor c = ur__cursor_at(bytes, length);
    memset(h, 0, sizeof *h);
    h->version = ur__frame_head(&c, 1, &h->stream_id);
    h->method = ur__checked_string(&c, UR__NOT_TOKEN, UR__BAD_METHOD);
    if (h->method.length == 0) {
        ur__cursor_fail(&c, UR__BAD_METHOD);
    }
    h->scheme = ur__checked_string(&c, UR__NOT_SCHEME, UR__BAD_SCHEME);
    h->authority = ur__checked_string(&c, UR__NOT_AUTHORITY, UR__BAD_AUTHORITY);
    h->path = ur__checked_string(&c, UR__NOT_PATH, UR__BAD_PATH);
    if (h->path.length == 0) {
        ur_str root = UR_LIT("/");
        h->path = root;
    }
    struct ur__cursor list = c;
    h->count = ur__skip_fields(&c);
    (void)ur__field_count(&list);
    h->fields_at = list.at;
    h->length = c.at;
    return c.fault;
}

/* A decoded headers frame of a response, for tests. */
static inline enum ur__fault ur__parse_response(struct ur__head *h, unsigned *status, const void *bytes,
                                                size_t length) {
    struct ur__cursor c = ur__cursor_at(bytes, length);
    memset(h, 0, sizeof *h);
    *status = 0;
    h->version = ur__frame_head(&c, 2, &h->stream_id);
    if (c.length - c.at < 2) {
        ur__cursor_fail(&c, UR__TRUNCATED);
    } else {
        *status = (unsigned)c.bytes[c.at] << 8 | c.bytes[c.at + 1];
        if (*status < 100 || *status > 999) {
            ur__cursor_fail(&c, UR__BAD_STATUS);
        } else {
            c.at += 2;
        }
    }
    struct ur__cursor list = c;
    h->count = ur__skip_fields(&c);
    (void)ur__field_count(&list);
    h->fields_at = list.at;
    h->length = c.at;
    return c.fault;
}

static inline size_t ur__varint_size(uint64_t n) {
    size_t size = 1;
    for (; n >= 0x80; n >>= 7) {
        size++;
    }
    return size;
}

static inline uint8_t *ur__put_varint(uint8_t *to, uint64_t n) {
    for (; n >= 0x80; n >>= 7) {
        *to++ = (uint8_t)(n | 0x80);
    }
    *to++ = (uint8_t)n;
    return to;
}

static inline uint8_t *ur__put_string(uint8_t *to, ur_str s) {
    to = ur__put_varint(to, s.length);
    if (s.length > 0) {
        memcpy(to, s.data, s.length);
    }
    return to + s.length;
}

/* A header list as the caller has it: an array, or a flat text. */
struct ur__list {
    const ur_header *fields; /* NULL: flat */
    const char *flat;
    size_t count, length;
};

static inline struct ur__list ur__array(const ur_header *fields, size_t count) {
    struct ur__list list;
    memset(&list, 0, sizeof list);
    list.fields = fields;
    list.count = count;
    return list;
}

/* Takes the text up to the next NUL off a flat list. data is NULL without one. */
static inline ur_str ur__flat_text(struct ur__list *list) {
    ur_str s = {NULL, 0};
    const char *end = list->length > 0 ? (const char *)memchr(list->flat, '\0', list->length) : NULL;
    if (end != NULL) {
        s.data = list->flat;
        s.length = (size_t)(end - list->flat);
        list->flat += s.length + 1;
        list->length -= s.length + 1;
    }
    return s;
}

/* Counts the fields of a flat list. A list that is cut off counts as too long. */
static inline struct ur__list ur__flat(const char *flat, size_t length) {
    struct ur__list list = ur__array(NULL, 0), rest;
    list.flat = flat;
    list.length = length;
    for (rest = list; rest.length > 0; list.count++) {
        (void)ur__flat_text(&rest);
        if (ur__flat_text(&rest).data == NULL) {
            list.count = UR__MAX_FIELDS + 1;
            return list;
        }
    }
    return list;
}

/* Takes the next field off a list. Preconditions: there is one. */
static inline ur_header ur__next_field(struct ur__list *list) {
    ur_header f;
    if (list->fields != NULL) {
        return *list->fields++;
    }
    f.name = ur__flat_text(list);
    f.value = ur__flat_text(list);
    return f;
}

/* The length of a header list in a frame, or 0 if one of its fields is not allowed. */
static inline size_t ur__list_size(struct ur__list list) {
    if (list.count > UR__MAX_FIELDS) {
        return 0;
    }
    size_t size = ur__varint_size(list.count);
    for (size_t i = 0; i < list.count; i++) {
        ur_header f = ur__next_field(&list);
        if (!ur__good_name(f.name) || (ur__classes_of(f.value) & UR__NOT_VALUE)) {
            return 0;
        }
        size += ur__varint_size(f.name.length) + f.name.length + ur__varint_size(f.value.length) + f.value.length;
    }
    return size;
}

/* Preconditions: ur__list_size is not 0, and `to` has that many bytes. */
static inline uint8_t *ur__put_list(uint8_t *to, struct ur__list list) {
    to = ur__put_varint(to, list.count);
    for (size_t i = 0; i < list.count; i++) {
        ur_header f = ur__next_field(&list);
        to = ur__put_string(to, f.name);
        for (uint8_t *c = to - f.name.length; c < to; c++) {
            *c = ur__lower(*c);
        }
        to = ur__put_string(to, f.value);
    }
    return to;
}

/* Writes the headers frame of a response. Preconditions: `to` has room for 18 bytes and
 * the fields. */
static inline uint8_t *ur__put_response(uint8_t *to, uint64_t stream_id, uint8_t version, unsigned status,
                                        struct ur__list list) {
    memcpy(to, "HPKS\x01\x01", 6);
    for (int i = 0; i < 8; i++) {
        to[6 + i] = (uint8_t)(stream_id >> (56 - 8 * i));
    }
    to[14] = 2;
    to[15] = version;
    to[16] = (uint8_t)(status >> 8);
    to[17] = (uint8_t)status;
    return ur__put_list(to + 18, list);
}

/* --------------------------------------------------------- attach messages
 *
 * A packet of at most 4096 bytes is one MessagePack map: keys are strings, values are
 * uints, strings, bins or bools. Key "t" is the type. Unknown keys are ignored; a known
 * key that occurs twice, has another type, or is too large makes the message malformed. */

enum ur__message_fault {
    UR__MESSAGE_OK,
    UR__MESSAGE_TRUNCATED,
    UR__MESSAGE_FORMAT,
    UR__MESSAGE_TYPE,
    UR__MESSAGE_TOO_LONG
};

enum { UR__MAX_MESSAGE = 4096, UR__MAX_KEYS = 64 };

enum ur__message_kind { UR__NO_MESSAGE, UR__HELLO, UR__WELCOME, UR__REFUSAL, UR__DRAIN, UR__BYE };

/* The union of all messages: each kind uses some fields. Strings point into the packet. */
struct ur__message {
    enum ur__message_kind kind;
    uint64_t layout_min, layout_max, features, pid, lanes, stacks;
    uint64_t layout, layout_hash, instance, server_pid, link, link_generation, request_bytes, response_bytes,
        response_timeout_ms;
    uint64_t deadline_ms;
    ur_str pool, name, sdk, sdk_version, bell, server, code, message, reason;
};

struct ur__key {
    enum ur__message_kind kind;
    const char *name;
    size_t at;     /* in struct ur__message */
    uint64_t most; /* of a uint; 0: a string */
};

#define UR__UINT(kind, name, most) {kind, #name, offsetof(struct ur__message, name), most}
#define UR__STRING(kind, name) {kind, #name, offsetof(struct ur__message, name), 0}

/* The keys of each message, in the order in which they are written. */
/* clang-format off */
static const struct ur__key ur__keys[] = {
    UR__UINT(UR__HELLO, layout_min, UINT16_MAX), UR__UINT(UR__HELLO, layout_max, UINT16_MAX),
    UR__UINT(UR__HELLO, features, UINT64_MAX), UR__STRING(UR__HELLO, pool), UR__STRING(UR__HELLO, name),
    UR__UINT(UR__HELLO, pid, UINT32_MAX), UR__STRING(UR__HELLO, sdk), UR__STRING(UR__HELLO, sdk_version),
    UR__UINT(UR__HELLO, lanes, UINT32_MAX), UR__STRING(UR__HELLO, bell), UR__UINT(UR__HELLO, stacks, UINT32_MAX),

    UR__UINT(UR__WELCOME, layout, UINT16_MAX), UR__UINT(UR__WELCOME, features, UINT64_MAX),
    UR__UINT(UR__WELCOME, layout_hash, UINT64_MAX), UR__UINT(UR__WELCOME, instance, UINT64_MAX),
    UR__UINT(UR__WELCOME, server_pid, UINT32_MAX), UR__STRING(UR__WELCOME, server),
    UR__UINT(UR__WELCOME, link, UINT32_MAX), UR__UINT(UR__WELCOME, link_generation, UINT32_MAX),
    UR__UINT(UR__WELCOME, lanes, UINT32_MAX), UR__UINT(UR__WELCOME, request_bytes, UINT64_MAX),
    UR__UINT(UR__WELCOME, response_bytes, UINT64_MAX), UR__UINT(UR__WELCOME, response_timeout_ms, UINT64_MAX),

    UR__STRING(UR__REFUSAL, code), UR__STRING(UR__REFUSAL, message),
    UR__UINT(UR__REFUSAL, layout_min, UINT16_MAX), UR__UINT(UR__REFUSAL, layout_max, UINT16_MAX),

    UR__UINT(UR__DRAIN, deadline_ms, UINT64_MAX),

    UR__STRING(UR__BYE, reason),
};
/* clang-format on */
enum { UR__KEYS = sizeof ur__keys / sizeof ur__keys[0] };

static const char *const ur__message_names[] = {"", "hello", "welcome", "error", "drain", "bye"};

static inline int ur__equals(ur_str s, const char *text) {
    return s.length == strlen(text) && (s.length == 0 || memcmp(s.data, text, s.length) == 0);
}

static inline int ur__valid_utf8(ur_str s) {
    if (s.length == 0) {
        return 1;
    }
    const uint8_t *p = (const uint8_t *)s.data, *end = p + s.length;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x80) {
            continue;
        }
        int more = c >= 0xc2 && c <= 0xdf ? 1 : c >= 0xe0 && c <= 0xef ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
        uint8_t low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80, high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if (more == 0 || end - p < more || *p < low || *p > high) {
            return 0;
        }
        for (p++; --more > 0; p++) {
            if ((*p & 0xc0) != 0x80) {
                return 0;
            }
        }
    }
    return 1;
}

enum ur__type { UR__A_UINT, UR__A_STRING, UR__ANOTHER };

/* A decoded value of a message. */
struct ur__value {
    enum ur__type type;
    uint64_t uint;
    ur_str string;
};

/* A position in a packet, as ur__cursor. */
struct ur__packet {
    const uint8_t *bytes;
    size_t length, at;
    enum ur__message_fault fault;
};

static inline void ur__packet_fail(struct ur__packet *p, enum ur__message_fault fault) {
    if (p->fault == UR__MESSAGE_OK) {
        p->fault = fault;
        p->length = p->at;
    }
}

/* A big-endian number of n bytes. */
static inline uint64_t ur__packet_number(struct ur__packet *p, unsigned n) {
    uint64_t v = 0;
    if (p->length - p->at < n) {
        ur__packet_fail(p, UR__MESSAGE_TRUNCATED);
        return 0;
    }
    for (unsigned i = 0; i < n; i++) {
        v = v << 8 | p->bytes[p->at++];
    }
    return v;
}

static inline ur_str ur__packet_bytes(struct ur__packet *p, uint64_t n) {
    ur_str s = {NULL, 0};
    if (n > p->length - p->at) {
        ur__packet_fail(p, UR__MESSAGE_TRUNCATED);
        return s;
    }
    s.data = (const char *)p->bytes + p->at;
    s.length = (size_t)n;
    p->at += (size_t)n;
    return s;
}

static inline struct ur__value ur__packet_value(struct ur__packet *p) {
    struct ur__value v;
    memset(&v, 0, sizeof v);
    unsigned code = (unsigned)ur__packet_number(p, 1);
    uint64_t length = 0;
    int string = 0;
    if (p->fault != UR__MESSAGE_OK || code <= 0x7f) {
        v.uint = code;
        return v;
    }
    if (code >= 0xcc && code <= 0xcf) { /* uint8 to uint64 */
        v.uint = ur__packet_number(p, 1u << (code - 0xcc));
        return v;
    }
    if (code >= 0xd0 && code <= 0xd3) { /* int8 to int64 */
        unsigned power = code & 3;
        v.uint = ur__packet_number(p, 1u << power);
        if (v.uint >> ((8u << power) - 1)) {
            ur__packet_fail(p, UR__MESSAGE_FORMAT); /* negative */
        }
        return v;
    }
    if (code >= 0xa0 && code <= 0xbf) { /* fixstr */
        length = code & 0x1f;
        string = 1;
    } else if (code >= 0xd9 && code <= 0xdb) { /* str8 to str32 */
        length = ur__packet_number(p, 1u << (code - 0xd9));
        string = 1;
    } else if (code >= 0xc4 && code <= 0xc6) { /* bin8 to bin32 */
        length = ur__packet_number(p, 1u << (code - 0xc4));
    } else if (code != 0xc2 && code != 0xc3) { /* not a bool either */
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    v.type = string ? UR__A_STRING : UR__ANOTHER;
    v.string = ur__packet_bytes(p, length);
    if (string && !ur__valid_utf8(v.string)) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    return v;
}

static inline uint64_t ur__packet_map(struct ur__packet *p) {
    unsigned code = (unsigned)ur__packet_number(p, 1);
    uint64_t n = code & 0xf;
    if (code == 0xde || code == 0xdf) {
        n = ur__packet_number(p, code == 0xde ? 2 : 4);
    } else if (code >> 4 != 8) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    if (n > UR__MAX_KEYS) {
        ur__packet_fail(p, UR__MESSAGE_FORMAT);
    }
    return p->fault == UR__MESSAGE_OK ? n : 0;
}

/* Stores the value of a key in its field. */
static inline enum ur__message_fault ur__store_value(struct ur__message *m, const struct ur__key *key,
                                                     const struct ur__value *v) {
    char *at = (char *)m + key->at;
    if (key->most == 0) {
        memcpy(at, &v->string, sizeof v->string);
        return v->type == UR__A_STRING ? UR__MESSAGE_OK : UR__MESSAGE_FORMAT;
    }
    memcpy(at, &v->uint, sizeof v->uint);
    return v->type == UR__A_UINT && v->uint <= key->most ? UR__MESSAGE_OK : UR__MESSAGE_FORMAT;
}

static inline enum ur__message_kind ur__message_kind_of(ur_str name) {
    for (int kind = UR__HELLO; kind <= UR__BYE; kind++) {
        if (ur__equals(name, ur__message_names[kind])) {
            return (enum ur__message_kind)kind;
        }
    }
    return UR__NO_MESSAGE;
}

/* Decodes a packet. Strings of the message are valid until the packet changes. */
static inline enum ur__message_fault ur__decode(struct ur__message *m, const void *bytes, size_t length) {
    struct ur__packet p;
    ur_str names[UR__MAX_KEYS];
    struct ur__value values[UR__MAX_KEYS];
    memset(m, 0, sizeof *m);
    memset(&p, 0, sizeof p);
    p.bytes = (const uint8_t *)bytes;
    p.length = length;
    if (length > UR__MAX_MESSAGE) {
        return UR__MESSAGE_TOO_LONG;
    }
    size_t pairs = (size_t)ur__packet_map(&p), types = 0;
    struct ur__value type;
    memset(&type, 0, sizeof type);
    for (size_t i = 0; i < pairs && p.fault == UR__MESSAGE_OK; i++) {
        struct ur__value name = ur__packet_value(&p);
        if (name.type != UR__A_STRING) {
            ur__packet_fail(&p, UR__MESSAGE_FORMAT);
        }
        names[i] = name.string;
        values[i] = ur__packet_value(&p);
        if (p.fault == UR__MESSAGE_OK && ur__equals(names[i], "t")) {
            type = values[i];
            types++;
        }
    }
    if (p.fault == UR__MESSAGE_OK && p.at < p.length) {
        ur__packet_fail(&p, UR__MESSAGE_FORMAT);
    }
    if (p.fault != UR__MESSAGE_OK) {
        return p.fault;
    }
    if (types > 1 || (types == 1 && type.type != UR__A_STRING)) {
        return UR__MESSAGE_FORMAT;
    }
    m->kind = ur__message_kind_of(type.string);
    if (m->kind == UR__NO_MESSAGE) {
        return UR__MESSAGE_TYPE;
    }
    for (size_t k = 0; k < UR__KEYS; k++) {
        int stored = 0;
        for (size_t i = 0; ur__keys[k].kind == m->kind && i < pairs; i++) {
            if (!ur__equals(names[i], ur__keys[k].name)) {
                continue;
            }
            if (stored++ || ur__store_value(m, &ur__keys[k], &values[i]) != UR__MESSAGE_OK) {
                return UR__MESSAGE_FORMAT;
            }
        }
    }
    return UR__MESSAGE_OK;
}

/* The packet being written. Bytes beyond its end are dropped, but `at` still counts them. */
struct ur__out {
    uint8_t *bytes;
    size_t size, at;
};

static inline void ur__out_byte(struct ur__out *o, unsigned b) {
    if (o->at < o->size) {
        o->bytes[o->at] = (uint8_t)b;
    }
    o->at++;
}

/* A code and a big-endian number of 1 << power bytes. */
static inline void ur__out_number(struct ur__out *o, unsigned code, uint64_t n, unsigned power) {
    ur__out_byte(o, code);
    for (unsigned bits = 8u << power; bits > 0; bits -= 8) {
        ur__out_byte(o, (unsigned)(n >> (bits - 8)) & 0xff);
    }
}

static inline void ur__out_uint(struct ur__out *o, uint64_t n) {
    if (n < 0x80) {
        ur__out_byte(o, (unsigned)n);
    } else {
        unsigned power = n <= UINT8_MAX ? 0 : n <= UINT16_MAX ? 1 : n <= UINT32_MAX ? 2 : 3;
        ur__out_number(o, 0xcc + power, n, power);
    }
}

static inline void ur__out_string(struct ur__out *o, ur_str s) {
    if (s.length < 32) {
        ur__out_byte(o, 0xa0 | (unsigned)s.length);
    } else {
        unsigned power = s.length <= UINT8_MAX ? 0 : s.length <= UINT16_MAX ? 1 : 2;
        ur__out_number(o, 0xd9 + power, s.length, power);
    }
    for (size_t i = 0; i < s.length; i++) {
        ur__out_byte(o, (uint8_t)s.data[i]);
    }
}

static inline ur_str ur__text(const char *s) {
    ur_str t;
    t.data = s;
    t.length = strlen(s);
    return t;
}

/* Encodes a message and returns its length, or 0 if it exceeds a packet or has a string
 * that is not UTF-8. Preconditions: bytes has room for a packet; the message has at most
 * 15 keys, as every kind has. */
static inline size_t ur__encode(const struct ur__message *m, uint8_t *bytes) {
    struct ur__out o;
    unsigned keys = 1;
    o.bytes = bytes;
    o.size = UR__MAX_MESSAGE;
    o.at = 1;
    ur__out_string(&o, ur__text("t"));
    ur__out_string(&o, ur__text(ur__message_names[m->kind]));
    for (size_t k = 0; k < UR__KEYS; k++) {
        const char *at = (const char *)m + ur__keys[k].at;
        ur_str s;
        uint64_t n;
        if (ur__keys[k].kind != m->kind) {
            continue;
        }
        keys++;
        ur__out_string(&o, ur__text(ur__keys[k].name));
        if (ur__keys[k].most != 0) {
            memcpy(&n, at, sizeof n);
            ur__out_uint(&o, n);
            continue;
        }
        memcpy(&s, at, sizeof s);
        if (!ur__valid_utf8(s)) {
            return 0;
        }
        ur__out_string(&o, s);
    }
    bytes[0] = (uint8_t)(0x80 | keys);
    return o.at <= o.size ? o.at : 0;
}

/* ------------------------------------------------------------------- pool
 *
 * The buffers of one segment, in private memory of the process that writes it. The
 * buffer that was freed last is handed out first: it is still in the cache. Each lane is
 * always guaranteed one buffer, which no other lane can take, so that none starves. */

struct ur__span {
    uint64_t last; /* the last slot that has bytes in the buffer */
    uint32_t next; /* the lane's next full buffer */
};

struct ur__pool {
    uint32_t *stack;
    struct ur__span *spans;           /* per buffer */
    uint32_t free, guaranteed, total; /* buffers; guaranteed: to lanes that hold none */
};

/* Preconditions: buffers >= lanes. Release: ur__pool_close. */
static inline int ur__pool_open(struct ur__pool *p, uint32_t buffers, uint32_t lanes) {
    p->stack = (uint32_t *)calloc(buffers, sizeof *p->stack);
    p->spans = (struct ur__span *)calloc(buffers, sizeof *p->spans);
    if (p->stack == NULL || p->spans == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < buffers; i++) {
        p->stack[i] = buffers - 1 - i;
    }
    p->free = p->total = buffers;
    p->guaranteed = lanes;
    return 0;
}

static inline void ur__pool_close(struct ur__pool *p) {
    free(p->stack);
    free(p->spans);
    memset(p, 0, sizeof *p);
}

/* Returns a buffer for a lane that holds `held` of them, or UR__NO_BUFFER. */
static inline uint32_t ur__pool_take(struct ur__pool *p, uint32_t held) {
    if (held == 0) {
        p->guaranteed--;
    } else if (p->free <= p->guaranteed) {
        return UR__NO_BUFFER;
    }
    return p->stack[--p->free];
}

/* Takes a buffer back from a lane that now holds `held` of them. */
static inline void ur__pool_give(struct ur__pool *p, uint32_t buffer, uint32_t held) {
    p->stack[p->free++] = buffer;
    if (held == 0) {
        p->guaranteed++;
    }
}

/* ------------------------------------------------------- the ends of a lane */

/* A counter that the peer writes and that belongs to one stream at a time: while
 * owner shows the id of another stream, its value is unowned. */
struct ur__counter {
    const uint64_t *word, *owner; /* owner: the stream for which the word counts */
    uint64_t stream_id, unowned;
};

static inline struct ur__counter ur__counter_for(const uint64_t *word, const uint64_t *owner, uint64_t stream_id,
                                                 uint64_t unowned) {
    struct ur__counter c;
    c.word = word;
    c.owner = owner;
    c.stream_id = stream_id;
    c.unowned = unowned;
    return c;
}

static inline uint64_t ur__counter_load(const struct ur__counter *c) {
    if (ur__load64(c->owner) != c->stream_id) { /* J2 */
        return c->unowned;
    }
    uint64_t n = ur__load64(c->word);
    if (ur__load64(c->owner) != c->stream_id) { /* the peer moved on: n may be the next stream's */
        return c->unowned;
    }
    return n;
}

/* The writing end: reserve, fill, commit, publish. */
struct ur__writer {
    struct ur_shm_descriptor *ring;
    uint64_t mask, limit; /* most outstanding slots */
    uint8_t *buffers;
    uint32_t slot_size;
    struct ur__pool *pool;
    uint64_t *published;         /* ours: C1, and A1 of a server */
    struct ur__counter released; /* the reader's: D2, B2 */

    uint64_t committed;      /* slots committed, published or not */
    uint64_t visible;        /* slots published */
    uint64_t reclaimed;      /* slots whose bytes we have back */
    uint32_t held;           /* buffers */
    uint32_t oldest, newest; /* full ones, a list through the pool's spans */
    uint32_t current;        /* buffer that is being filled */
    uint64_t last;           /* last slot in it */
    uint32_t used;           /* bytes of it that slots cover */
    uint32_t reserved;       /* bytes of it beyond used that are reserved */
};

static inline void ur__writer_give(struct ur__writer *w, uint32_t buffer) { ur__pool_give(w->pool, buffer, --w->held); }

/* Gives all buffers back and starts again. Preconditions: the reader is done with the
 * lane, or dead. */
static inline void ur__writer_reset(struct ur__writer *w) {
    while (w->oldest != UR__NO_BUFFER) {
        uint32_t buffer = w->oldest;
        w->oldest = w->pool->spans[buffer].next;
        ur__writer_give(w, buffer);
    }
    if (w->current != UR__NO_BUFFER) {
        ur__writer_give(w, w->current);
    }
    w->newest = w->current = UR__NO_BUFFER;
    w->committed = w->visible = w->reclaimed = w->last = 0;
    w->used = w->reserved = 0;
}

/* Reuses the present buffer from its start when the reader is done with it. */
static inline void ur__rewind(struct ur__writer *w) {
    if (w->reserved == 0 && w->last <= w->reclaimed) {
        w->used = 0;
    }
}

/* Takes back the bytes of released slots.
 *
 * D2 (B2 of a server): the acquire load of the reader's counter pairs with the
 * reader's release store (D1): the reader no longer looks at those bytes. */
static inline int ur__reclaim(struct ur__writer *w) {
    uint64_t released = ur__counter_load(&w->released);
    if (released == UR_ALL_SLOTS) {
        released = w->visible;
    }
    if (released == w->reclaimed) {
        return 0;
    }
    if (released < w->reclaimed || released > w->visible) {
        return -EPROTO;
    }
    w->reclaimed = released;
    while (w->oldest != UR__NO_BUFFER && w->pool->spans[w->oldest].last <= released) {
        uint32_t buffer = w->oldest;
        w->oldest = w->pool->spans[buffer].next;
        ur__writer_give(w, buffer);
    }
    ur__rewind(w);
    return 0;
}

/* Appends the present buffer to the full ones and takes another. */
static inline int ur__next_buffer(struct ur__writer *w) {
    uint32_t buffer = ur__pool_take(w->pool, w->held);
    if (buffer == UR__NO_BUFFER) {
        return -EAGAIN;
    }
    w->held++;
    if (w->current != UR__NO_BUFFER) {
        struct ur__span *full = &w->pool->spans[w->current];
        full->last = w->last;
        full->next = UR__NO_BUFFER;
        if (w->oldest == UR__NO_BUFFER) {
            w->oldest = w->current;
        } else {
            w->pool->spans[w->newest].next = w->current;
        }
        w->newest = w->current;
    }
    w->current = buffer;
    w->last = w->reclaimed;
    w->used = 0;
    return 0;
}

static inline int ur__writer_full(struct ur__writer *w) {
    int err = ur__reclaim(w);
    if (err != 0) {
        return err;
    }
    return w->committed - w->reclaimed >= w->limit ? -EAGAIN : 0;
}

/* Returns room for the next slot: at least min bytes and up to the rest of the
 * buffer. It continues the present buffer when that has room, so that small slots share
 * one. The room belongs to the caller until the commit or the next reservation; the
 * reader sees none of it before the publication. -EAGAIN: the
 * lane or the pool is full. Preconditions: 1 <= min <= slot size. */
static inline int ur__writer_reserve(struct ur__writer *w, uint32_t min, uint8_t **room, uint32_t *size) {
    w->reserved = 0;
    int err = ur__writer_full(w);
    if (err != 0) {
        return err;
    }
    ur__rewind(w); /* an abandoned reservation may have prevented it */
    if (w->current == UR__NO_BUFFER || w->slot_size - w->used < min) {
        err = ur__next_buffer(w);
        if (err != 0) {
            return err;
        }
    }
    w->reserved = w->slot_size - w->used;
    *room = w->buffers + (size_t)w->current * w->slot_size + w->used;
    *size = w->reserved;
    return 0;
}

static inline void ur__put_descriptor(struct ur__writer *w, uint32_t buffer, uint32_t offset, uint32_t length,
                                      uint32_t kind) {
    struct ur_shm_descriptor *d = &w->ring[w->committed & w->mask];
    w->committed++;
    d->number = w->committed;
    d->buffer = buffer;
    d->offset = offset;
    d->length = length;
    d->kind = kind;
    d->time = (uint64_t)ur__now();
}

/* Makes the first n bytes of the reservation the next slot. Preconditions:
 * 0 < n <= the size of the last reservation. */
static inline void ur__writer_commit(struct ur__writer *w, uint32_t n, uint32_t kind) {
    ur__put_descriptor(w, w->current, w->used, n, kind);
    w->last = w->committed;
    w->used = (uint32_t)ur__min(((uint64_t)w->used + n + UR__ALIGN - 1) / UR__ALIGN * UR__ALIGN, w->slot_size);
    w->reserved = 0;
}

/* Commits a slot without bytes. */
static inline int ur__writer_commit_empty(struct ur__writer *w, uint32_t kind) {
    int err = ur__writer_full(w);
    if (err == 0) {
        ur__put_descriptor(w, UR__NO_BUFFER, 0, 0, kind);
    }
    return err;
}

/* Hands every committed slot to the reader, and reports whether there was one.
 *
 * C1 (A1 of a server): the slots' bytes and descriptors pass to the reader, which
 * sees them after its acquire load of the counter (C2). */
static inline int ur__writer_publish(struct ur__writer *w) {
    if (w->visible == w->committed) {
        return 0;
    }
    w->visible = w->committed;
    ur__store64(w->published, w->committed);
    return 1;
}

/* The reading end: tail a slot, use it, release it. */
struct ur__reader {
    const struct ur_shm_descriptor *ring;
    uint64_t mask, limit;
    const uint8_t *buffers;
    uint32_t slot_size, count;    /* of the buffers */
    struct ur__counter published; /* the writer's: A2, C2 of a server */
    uint64_t *released;           /* ours: B1, D1 of a server */
    uint64_t seen;                /* published slots, checked */
    uint64_t done;                /* slots released */
};

/* Loads the writer's counter.
 *
 * A2 (C2 of a server): after this acquire load the slots up to that number are ours. */
static inline int ur__reader_update(struct ur__reader *r) {
    uint64_t published = ur__counter_load(&r->published);
    if (published < r->seen || (r->done != UR_ALL_SLOTS && published - r->done > r->limit)) {
        return -EPROTO;
    }
    r->seen = published;
    return 0;
}

/* Reports whether slot n of a request lane may have this kind, final bit and length. */
static inline int ur__reader_allows(uint64_t n, uint32_t kind, uint32_t final, uint32_t length) {
    switch (kind) {
    case UR_HEADERS: return n == 1 && length > 0 && final == 0;
    case UR_BODY:
    case UR_TRAILERS: return n > 1 && length > 0 && final == 0;
    case UR_TEXT:
    case UR_BINARY: return n > 1;
    case UR_CLOSE: return n > 1 && final == 0;
    case UR_END: return n > 1 && length == 0 && final == 0;
    case UR__ABORT: return length == 0 && final == 0;
    default: return 0;
    }
}

/* Returns slot n, which is known to be published: a copy of its descriptor, checked
 * before it is used. */
static inline int ur__reader_slot(const struct ur__reader *r, uint64_t n, ur_slot *slot) {
    const struct ur_shm_descriptor *d = &r->ring[(n - 1) & r->mask];
    uint64_t number = ur__load64(&d->number), time = ur__load64(&d->time);
    uint32_t buffer = ur__load32(&d->buffer), offset = ur__load32(&d->offset);
    uint32_t length = ur__load32(&d->length), kind = ur__load32(&d->kind);
    memset(slot, 0, sizeof *slot);
    slot->number = n;
    slot->kind = kind & ~UR__FINAL;
    slot->final = (kind & UR__FINAL) != 0;
    slot->time_ns = (int64_t)time;
    if (number != n || !ur__reader_allows(n, slot->kind, slot->final, length)) {
        return -EPROTO;
    }
    if (length == 0) {
        return 0;
    }
    if (buffer >= r->count || length > r->slot_size || offset > r->slot_size - length) {
        return -EPROTO;
    }
    slot->data = r->buffers + (size_t)buffer * r->slot_size + offset;
    slot->length = length;
    return 0;
}

/* Returns slot n; -EAGAIN until it is published, -ENOENT after its release. */
static inline int ur__reader_tail(struct ur__reader *r, uint64_t n, ur_slot *slot) {
    if (n <= r->done) {
        return n == 0 ? -EINVAL : -ENOENT;
    }
    if (n > r->seen) {
        int err = ur__reader_update(r);
        if (err != 0) {
            return err;
        }
        if (n > r->seen) {
            return -EAGAIN;
        }
    }
    return ur__reader_slot(r, n, slot);
}

/* Gives the slots up to and including n back; the writer may overwrite their bytes
 * immediately.
 *
 * B1 (D1 of a server): our reads of those bytes happen before the writer's reuse,
 * which follows its acquire load of the counter (B2). */
static inline int ur__reader_release(struct ur__reader *r, uint64_t n) {
    if (n > r->seen && n != UR_ALL_SLOTS) {
        return -EINVAL;
    }
    if (n > r->done) {
        r->done = n;
        ur__store64(r->released, n);
    }
    return 0;
}

/* ----------------------------------------------------------- notice rings
 *
 * A ring of lane indices: "look at this lane". A notice is a hint, so a ring may
 * overflow: the reader then looks at every lane. */

/* H1/I1: earlier publications on the lane are visible to the reader after its acquire
 * load of the head (H2/I2). */
static inline void ur__push_notice(uint64_t *head, struct ur_shm_notice *ring, uint64_t mask, uint32_t lane) {
    uint64_t n = ur__load64(head);
    ur__store32(&ring[n & mask].lane, lane);
    ur__store64(head, n + 1);
}

/* The reading end. */
struct ur__notices {
    const uint64_t *head;
    const struct ur_shm_notice *ring;
    uint64_t mask, seen;
};

static inline int ur__notices_empty(const struct ur__notices *r) { return ur__load64(r->head) == r->seen; }

/* ------------------------------------------------------------ assignments */

/* The worker's end of an inbox. */
struct ur__inbox {
    const uint64_t *head;
    const struct ur_shm_inbox_entry *ring;
    uint64_t mask;
    const uint32_t *generation; /* of the mailbox */
    uint32_t attach;            /* the generation while the mailbox is ours */
    uint64_t *word;             /* ours: F1 */
    uint64_t taken;
};

struct ur__assignment {
    uint64_t stream_id;
    uint32_t row, lane;
    int revoked; /* only let go of it, before another is taken */
};

static inline int ur__inbox_empty(const struct ur__inbox *b) { return ur__load64(b->head) == b->taken; }

/* Takes the next assignment. -EAGAIN: there is none. -ENOTCONN: the mailbox
 * belongs to another link by now. -EPROTO: there are more than the ring has entries.
 *
 * E2: after the acquire load of the head the stream's row and first slots are
 * ours to read. F1, full fence, G2 against the server's G1, full fence, F2:
 * the second of the two sees the first, so that no stream is served twice. */
static inline int ur__inbox_take(struct ur__inbox *b, struct ur__assignment *a) {
    uint64_t waiting = ur__load64(b->head) - b->taken; /* E2 */
    if (waiting == 0) {
        return -EAGAIN;
    }
    const struct ur_shm_inbox_entry *e = &b->ring[b->taken & b->mask];
    a->stream_id = ur__load64(&e->stream_id);
    a->row = ur__load32(&e->row);
    a->lane = ur__load32(&e->lane);
    if (ur__load32(b->generation) != b->attach) {
        return -ENOTCONN;
    }
    if (waiting > b->mask + 1) {
        return -EPROTO;
    }
    b->taken++;
    ur__store64(b->word, b->taken); /* F1 */
    ur__fence();
    a->revoked = ur__load32(&e->revoked) != 0; /* G2 */
    return 0;
}

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

/* ---------------------------------------------------------- control socket */

static inline void ur__send_message(const ur_link *l, enum ur__message_kind kind, const char *reason) {
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE];
    memset(&m, 0, sizeof m);
    m.kind = kind;
    m.reason = ur__text(reason);
    size_t n = ur__encode(&m, packet);
    (void)!send(l->socket, packet, n, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Reads the server's messages. The end of the connection reveals its death. A server that
 * never stops sending does not keep us here. */
static inline void ur__read_socket(ur_link *l) {
    uint8_t packet[UR__MAX_MESSAGE + 1];
    struct ur__message m;
    ur_str none = {NULL, 0};
    l->socket_read_at = ur__clock(CLOCK_MONOTONIC_COARSE);
    for (int i = 0; i < UR__MAX_PACKETS && !l->dead; i++) {
        ssize_t n = recv(l->socket, packet, sizeof packet, MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
            return;
        }
        if (n <= 0) {
            ur__fail_link(l, "the server is gone", none);
            return;
        }
        if (ur__decode(&m, packet, (size_t)n) != UR__MESSAGE_OK) {
            m.kind = UR__NO_MESSAGE;
        }
        switch (m.kind) {
        case UR__DRAIN: /* the server finishes the running requests, and so do we */
            l->server_drains = l->state_changed = 1;
            break;
        case UR__BYE: ur__fail_link(l, "the server said goodbye: ", m.reason); break;
        case UR__REFUSAL: ur__fail_link(l, "the server closed the link: ", m.message); break;
        default: ur__fail_link(l, "unexpected message from the server", none);
        }
    }
}

/* Reads the socket from time to time, for callers that never sleep. */
static inline void ur__poll_socket(ur_link *l) {
    if (!l->dead && ur__clock(CLOCK_MONOTONIC_COARSE) - l->socket_read_at > UR__SOCKET_CHECK_NS) {
        ur__read_socket(l);
    }
}

/* ------------------------------------------------------ notices and sleep */

/* Marks the lane of a notice ready, and clears the wants that are fulfilled: while a want
 * is announced, the server believes that we wait. */
static inline void ur__handle_notice(ur_link *l, struct ur__lane *lane) {
    if (lane->handle == 0) {
        return;
    }
    if (lane->wants_slot && ur__counter_load(&lane->reader.published) > lane->reader.seen) {
        lane->wants_slot = 0;
        ur__store32(&lane->words->wants_request, 0);
    }
    if (lane->wants_room && ur__counter_load(&lane->writer.released) >= lane->room_at) {
        lane->wants_room = 0;
        ur__store64(&lane->words->wants_room, 0);
    }
    ur__make_ready(l, lane);
}

/* Reads the notice ring. A full one counts as overwritten: a writer stores the next
 * notice over the oldest one before it moves the head. */
static inline void ur__read_notices(ur_link *l) {
    struct ur__notices *r = &l->notices;
    uint64_t head = ur__load64(r->head), first = r->seen; /* H2 */
    if (head == first) {
        return;
    }
    if (head < first) {
        (void)ur__protocol_error(l, "notices run backwards");
        return;
    }
    r->seen = head;
    for (uint64_t i = first; i != head && head - first <= r->mask; i++) {
        uint32_t lane = ur__load32(&r->ring[i & r->mask].lane);
        if (lane >= l->lane_count) {
            (void)ur__protocol_error(l, "notice of a lane that is not there");
            return;
        }
        ur__handle_notice(l, &l->lanes[lane]);
    }
    if (ur__load64(r->head) - first <= r->mask) {
        return;
    }
    for (uint32_t i = 0; i < l->lane_count; i++) {
        ur__handle_notice(l, &l->lanes[i]);
    }
}

/* The state of the link; closed once the mailbox serves another attach. A server changes
 * the generation first. */
static inline uint32_t ur__state(const ur_link *l) {
    uint32_t state = ur__load32(&l->box->state);
    return ur__load32(&l->box->generation) == l->inbox.attach ? state : (uint32_t)UR__LINK_CLOSED;
}

/* Reads the notices and the state of the link. */
static inline void ur__refresh(ur_link *l) {
    ur_str none = {NULL, 0};
    if (l->dead) {
        return;
    }
    uint32_t state = ur__state(l); /* before the notices: those before the end count */
    if (state != UR__LINK_CLOSED) {
        ur__read_notices(l);
    }
    if (state == l->state) {
        return;
    }
    l->state = state;
    l->state_changed = 1;
    if (state == UR__LINK_CLOSED) {
        ur__read_socket(l); /* it may say why */
        ur__fail_link(l, "the server closed the link", none);
    }
}

/* Reports whether as many requests are in progress as the caller serves at once. */
static inline int ur__at_capacity(const ur_link *l) { return l->counters.active - l->ended_responses >= l->max_active; }

/* Reports whether there is a stream to take. */
static inline int ur__stream_waits(const ur_link *l) { return !ur__at_capacity(l) && !ur__inbox_empty(&l->inbox); }

/* Announces for which reasons the server has to ring our bell, and reports whether we may
 * sleep; if not, there is something to do.
 *
 * S1: announcement, full fence, second look; against the server's publication,
 * full fence, look at the announcement (S2): one of the two sees the other. */
static inline int ur__announce(ur_link *l, unsigned reasons) {
    l->sleeps++;
    l->counters.sleeps++;
    l->bell_count = ur__load32(&l->box->bell);
    if (ur__at_capacity(l)) {
        reasons &= ~(unsigned)UR_WAIT_STREAM;
    }
    ur__store64(&l->words->asleep, l->sleeps << 8 | reasons); /* S1 */
    ur__fence();
    return !((reasons & UR_WAIT_STREAM) && ur__stream_waits(l)) && ur__notices_empty(&l->notices) &&
           ur__state(l) == l->state;
}

static inline void ur__clear_asleep(ur_link *l) { ur__store64(&l->words->asleep, 0); }

/* Sleeps on the futex bell. The kernel compares the count before it sleeps, so that no
 * ring since the load is missed. */
static inline void ur__sleep_futex(ur_link *l, int64_t ns) {
    struct timespec t;
    int64_t slice = ns < UR__SLEEP_SLICE_NS ? ns : UR__SLEEP_SLICE_NS;
    t.tv_sec = slice / 1000000000;
    t.tv_nsec = slice % 1000000000;
    long rc = syscall(SYS_futex, &l->box->bell, 0 /* FUTEX_WAIT, not private */, l->bell_count, &t, NULL, 0);
    if (rc < 0 && errno == ETIMEDOUT) {
        ur__read_socket(l);
    }
}

/* Clears the bell for a level-triggered poller, and reports whether it had rung.
 * The bell is an epoll instance around the server's eventfd. */
static inline int ur__clear_bell(const ur_link *l) {
    struct epoll_event event;
    uint64_t rings;
    int n = epoll_wait(l->bell, &event, 1, 0);
    return n >= 0 ? n : read(l->bell, &rings, sizeof rings) > 0; /* or a bare eventfd */
}

static inline void ur__sleep_eventfd(ur_link *l, int64_t ns) {
    struct pollfd fds[2];
    int64_t ms = ns / 1000000 + 1;
    fds[0].fd = l->bell;
    fds[1].fd = l->socket;
    fds[0].events = fds[1].events = POLLIN;
    if (poll(fds, 2, ms > INT32_MAX ? -1 : (int)ms) <= 0) {
        return;
    }
    if (fds[0].revents != 0) {
        (void)ur__clear_bell(l);
    }
    if (fds[1].revents != 0) {
        ur__read_socket(l);
    }
}

/* The time that a call may wait. */
struct ur__timeout {
    int timeout_ms;
    int64_t deadline; /* CLOCK_MONOTONIC, ns; 0: the clock was not read yet */
};

static inline struct ur__timeout ur__timeout_of(int timeout_ms) {
    struct ur__timeout t;
    t.timeout_ms = timeout_ms;
    t.deadline = 0;
    return t;
}

/* The time left, in nanoseconds. Preconditions: it is not UR_NOW. */
static inline int64_t ur__time_left(struct ur__timeout *t, int64_t now) {
    if (t->timeout_ms <= 0) {
        return INT64_MAX;
    }
    t->deadline = t->deadline == 0 ? now + (int64_t)t->timeout_ms * 1000000 : t->deadline;
    return t->deadline - now;
}

/* Waits once, between two checks of a blocking call. -EAGAIN, -ETIMEDOUT: the time is
 * over. */
static inline int ur__wait_once(ur_link *l, unsigned reasons, struct ur__timeout *t) {
    if (t->timeout_ms == UR_NOW) {
        ur__poll_socket(l);
        return -EAGAIN;
    }
    int64_t left = ur__time_left(t, ur__now());
    if (left <= 0) {
        return -ETIMEDOUT;
    }
    if (!l->dead && ur__announce(l, reasons)) {
        if (l->bell >= 0) {
            ur__sleep_eventfd(l, left);
        } else {
            ur__sleep_futex(l, left);
        }
    }
    ur__clear_asleep(l);
    ur__poll_socket(l); /* a caller that is woken all the time never sleeps a whole slice */
    ur__refresh(l);
    return 0;
}

/* ---------------------------------------------------------------- requests */

/* J1: the reset counters pass to the server, which counts them as zero until it
 * sees the stream's id (J2). */
static inline void ur__accept(ur_link *l, struct ur__lane *lane, const struct ur__assignment *a) {
    const struct ur_shm_header *h = &l->header;
    const struct ur_shm_row *rows = (const struct ur_shm_row *)(const void *)(l->requests + h->rows_offset);
    struct ur__reader *in = &lane->reader;
    lane->row = &rows[a->row];
    lane->stream_id = a->stream_id;
    ur__writer_reset(&lane->writer); /* the server is done with the lane's last response */
    lane->writer.released =
        ur__counter_for(&lane->position->released, &lane->position->stream_id, a->stream_id, UR_ALL_SLOTS);
    in->ring = (const struct ur_shm_descriptor *)(const void *)(l->requests + h->descriptors_offset) +
               (size_t)a->row * (size_t)(in->mask + 1);
    in->published = ur__counter_for(&lane->row->published, &lane->row->stream_id, a->stream_id, 0);
    in->seen = in->done = 0;

    lane->handle = ++l->accepted * UR__MAX_LANES + ur__index(l, lane);
    lane->ended = 0;
    lane->user = NULL;
    lane->reason = 0;
    lane->headers_sent = lane->closing = lane->response_ended = lane->wants_websocket = lane->websocket_open =
        lane->wants_slot = lane->wants_room = 0;
    lane->message = 0;
    lane->unsent = 0;
    lane->head_state = UR__HEAD_UNSEEN;
    lane->next_slot = 2;
    lane->tailed = 0;
    ur__drop_room(lane);

    ur__store64(&lane->words->published, 0);
    ur__store64(&lane->words->released, 0);
    ur__store64(&lane->words->wants_room, 0);
    ur__store32(&lane->words->wants_request, 0);
    ur__store64(&lane->words->stream_id, a->stream_id); /* J1 */
    l->counters.requests++;
    l->counters.active++;
}

/* K1: the row, the request slots and the lane pass to the server, which reuses
 * them after it sees this (K2). */
static inline void ur__let_go(ur_link *l, struct ur__lane *lane, uint64_t stream_id) {
    ur__store64(&lane->words->let_go, stream_id); /* K1 */
    ur__notify(l, lane);
}

/* Returns why an assignment is invalid, or NULL. */
static inline const char *ur__bad_assignment(const ur_link *l, const struct ur__assignment *a) {
    if (a->stream_id == 0) {
        return "an assignment of no stream";
    }
    if (a->row >= l->header.rows) {
        return "an assignment of a row that is not there";
    }
    if (a->lane >= l->lane_count) {
        return "an assignment to a lane that is not there";
    }
    return l->lanes[a->lane].handle != 0 ? "an assignment to a lane whose request has not ended" : NULL;
}

/* Takes the next stream that the server has not revoked. It passes over at most one ring
 * of revoked ones, so that it returns whatever the server does. */
static inline int ur__take_assignment(ur_link *l, ur_request *r) {
    struct ur__assignment a;
    for (uint64_t n = 0; n <= l->inbox.mask; n++) {
        int err = ur__inbox_take(&l->inbox, &a);
        if (err != 0) {
            return err == -EPROTO ? ur__protocol_error(l, "more assignments than the inbox has entries") : err;
        }
        const char *wrong = ur__bad_assignment(l, &a);
        if (wrong != NULL) {
            return ur__protocol_error(l, wrong);
        }
        if (!a.revoked) {
            ur__accept(l, &l->lanes[a.lane], &a);
            *r = l->lanes[a.lane].handle;
            return 0;
        }
        l->counters.passed_over++;
        ur__let_go(l, &l->lanes[a.lane], a.stream_id);
    }
    return -EAGAIN;
}

/* Frees the copy of a large head. */
static inline void ur__drop_copy(struct ur__lane *lane) {
    if (lane->copy_size > UR__KEPT_COPY) {
        free(lane->copy);
        lane->copy = NULL;
        lane->copy_size = 0;
    }
}

/* Publishes the committed slots and ends the request. A response that has ended can no
 * longer be cancelled. */
static inline int ur__finish(ur_link *l, struct ur__lane *lane) {
    uint32_t why = lane->response_ended ? lane->reason : ur__check_cancelled(l, lane);
    (void)ur__writer_publish(&lane->writer); /* C1 */
    lane->ended = lane->handle;
    lane->handle = 0;
    l->ended_responses -= lane->response_ended;
    l->counters.active--;
    ur__drop_copy(lane);
    ur__let_go(l, lane, lane->stream_id); /* notifies the server, too */
    return why != 0 ? -ECANCELED : 0;
}

/* Reports whether bytes read before belong to the request: row and slots pass to others
 * when we let go, and when the server closes the link, which it announces first. */
static inline int ur__still_ours(const ur_link *l, const struct ur__lane *lane) {
    return ur__load64(&lane->row->stream_id) == lane->stream_id && ur__state(l) != UR__LINK_CLOSED;
}

/* Looks for slot n. */
static inline int ur__try_tail(ur_link *l, struct ur__lane *lane, uint64_t n, ur_slot *slot) {
    int err = ur__reader_tail(&lane->reader, n, slot);
    if (err == -ENOENT || err == -EINVAL) {
        return err;
    }
    int ours = ur__still_ours(l, lane);
    if (err == 0 && ours && slot->kind != UR__ABORT) {
        return 0;
    }
    if (err == 0 && ours && lane->reason == 0) {
        lane->reason = UR_CLIENT_GONE;
    }
    if (!ours) {
        ur__refresh(l); /* finds out whether the link is closed */
    }
    if (ur__check_cancelled(l, lane) != 0) {
        return -ECANCELED;
    }
    return err == -EAGAIN ? err : ur__protocol_error(l, "request slot");
}

/* Returns slot n; if it does not exist yet, asks the server to notify us. S1: the
 * announcement comes before the last check. */
static inline int ur__tail_or_announce(ur_link *l, struct ur__lane *lane, uint64_t n, ur_slot *slot) {
    int err = ur__try_tail(l, lane, n, slot);
    if (err == -EAGAIN && !lane->wants_slot) {
        lane->wants_slot = 1;
        ur__store32(&lane->words->wants_request, 1); /* S1 */
        ur__fence();
        if (ur__load64(&lane->row->wants_room) != 0) { /* S2: the server may wait until we want more */
            ur__notify(l, lane);
        }
        err = ur__try_tail(l, lane, n, slot);
    }
    if (err == 0 && lane->wants_slot) {
        lane->wants_slot = 0;
        ur__store32(&lane->words->wants_request, 0);
    }
    return err;
}

/* Copies slot 1 into private memory, where checked bytes cannot change. */
static inline int ur__copy_frame(ur_link *l, struct ur__lane *lane, const ur_slot *slot) {
    if (slot->length > lane->copy_size) {
        size_t size = (size_t)ur__max(slot->length, UR__SMALL_COPY);
        free(lane->copy);
        lane->copy_size = 0;
        lane->copy = (uint8_t *)malloc(size);
        if (lane->copy == NULL) {
            return -ENOMEM;
        }
        lane->copy_size = size;
    }
    ur__copy_shared(lane->copy, slot->data, slot->length);
    ur__after_reads();
    if (ur__still_ours(l, lane)) {
        return 0;
    }
    ur__refresh(l);
    return ur__check_cancelled(l, lane) != 0 ? -ECANCELED : -EBADMSG;
}

/* Decodes slot 1. Returns NULL when it can no longer be read, or not at all. */
static inline struct ur__lane *ur__headers(ur_link *l, ur_request r, int *err) {
    struct ur__lane *lane;
    ur_slot slot;
    *err = ur__find(l, r, &lane);
    if (*err != 0) {
        return NULL;
    }
    if (lane->head_state == UR__HEAD_UNSEEN) {
        *err = ur__try_tail(l, lane, 1, &slot);
        if (*err == 0) {
            *err = ur__copy_frame(l, lane, &slot);
        }
        if (*err == 0 && ur__parse_request(&lane->head, lane->copy, slot.length) != UR__OK) {
            *err = -EBADMSG;
        }
        if (*err != 0) {
            return NULL;
        }
        lane->head_state = UR__HEAD_IN_SLOT;
        lane->wants_websocket = ur__equals(lane->head.scheme, "ws") || ur__equals(lane->head.scheme, "wss");
        lane->frame = lane->copy;
        lane->field = 0;
        lane->field_at = lane->head.fields_at;
    }
    *err = lane->head_state == UR__HEAD_GONE ? -ENOENT : 0;
    return *err == 0 ? lane : NULL;
}

/* --------------------------------------------------------------- responses */

/* Hands the committed slots to the server, and notifies it if it waits. */
static inline void ur__publish(ur_link *l, struct ur__lane *lane) {
    if (ur__writer_publish(&lane->writer)) { /* C1 */
        ur__fence();
        if (ur__load32(&lane->position->wants_response) != 0) { /* S2 */
            ur__notify(l, lane);
        }
    }
}

/* Commits the bytes written into the reserved room as a slot, and reports whether there
 * were any. */
static inline int ur__commit_room(ur_link *l, struct ur__lane *lane) {
    uint32_t filled = lane->filled;
    ur__drop_room(lane);
    if (filled == 0) {
        return 0;
    }
    ur__writer_commit(&lane->writer, filled, UR_BODY);
    l->counters.slots_out++;
    l->counters.bytes_out += filled;
    return 1;
}

/* Takes back the buffers of responses that the server has read, in all lanes: also those
 * whose request has ended, or whose writer is not running. */
static inline void ur__reclaim_all(ur_link *l) {
    for (uint32_t i = 0; i < l->lane_count; i++) {
        struct ur__lane *lane = &l->lanes[i];
        if (lane->writer.held == 0) {
            continue;
        }
        (void)ur__reclaim(&lane->writer); /* the lane's own writer finds an error again */
        if (lane->handle == 0 && lane->writer.visible == lane->writer.reclaimed) {
            ur__writer_reset(&lane->writer);
        }
    }
}

/* The release for which a writer without room waits: one that gives a buffer back, and
 * half of the outstanding slots, so that not every slot wakes us while the server always
 * has something to send. */
static inline uint64_t ur__room_at(const struct ur__writer *w) {
    uint64_t useful = w->oldest != UR__NO_BUFFER ? w->pool->spans[w->oldest].last : w->last;
    uint64_t half = w->reclaimed + (w->visible - w->reclaimed + 1) / 2;
    return ur__max(1, ur__min(ur__max(useful, half), w->visible));
}

/* Waits between two attempts to get room. An announcement precedes each check (S1). */
static inline int ur__await_room(ur_link *l, struct ur__lane *lane, struct ur__timeout *t, int *announced) {
    if (*announced) {
        *announced = 0;
        return ur__check_cancelled(l, lane) != 0 ? -ECANCELED : ur__wait_once(l, UR_WAIT_READY, t);
    }
    *announced = 1;
    ur__publish(l, lane); /* the server cannot release slots that it does not see */
    lane->wants_room = 1;
    lane->room_at = ur__room_at(&lane->writer);
    ur__store64(&lane->words->wants_room, lane->room_at); /* S1 */
    ur__fence();
    ur__reclaim_all(l);
    return 0;
}

static inline int ur__room_result(ur_link *l, struct ur__lane *lane, int err) {
    if (err == 0 && lane->wants_room) {
        lane->wants_room = 0;
        ur__store64(&lane->words->wants_room, 0);
    }
    return err == -EPROTO ? ur__protocol_error(l, "released response slots") : err;
}

/* Reserves at least min bytes, waiting for them. */
static inline int ur__get_room(ur_link *l, struct ur__lane *lane, uint32_t min, int timeout_ms, uint8_t **room,
                               uint32_t *size) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    int announced = 0;
    for (;;) {
        int err = ur__room_result(l, lane, ur__writer_reserve(&lane->writer, min, room, size));
        if (err == -EAGAIN) {
            err = ur__await_room(l, lane, &t, &announced);
        } else {
            return err;
        }
        if (err != 0) {
            return err;
        }
    }
}

/* Reserves room for a number of bytes, or for a good part of them. */
static inline int ur__get_some_room(ur_link *l, struct ur__lane *lane, uint64_t bytes, int timeout_ms, uint8_t **room,
                                    uint32_t *size) {
    if (ur__check_cancelled(l, lane) != 0) {
        return -ECANCELED;
    }
    uint32_t enough = (uint32_t)ur__min(bytes, l->slot_size / 4);
    int err = ur__room_result(l, lane, ur__writer_reserve(&lane->writer, enough, room, size));
    return err == -EAGAIN ? ur__get_room(l, lane, 1, timeout_ms, room, size) : err;
}

/* Publishes the full slot and reserves the next. */
static inline int ur__refill(ur_link *l, struct ur__lane *lane, int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0;
    if (ur__commit_room(l, lane)) {
        ur__publish(l, lane);
    }
    int err = ur__get_some_room(l, lane, UINT64_MAX, timeout_ms, &room, &size);
    if (err == 0) {
        lane->room = room;
        lane->room_size = size;
    }
    return err;
}

/* Finds the lane of a request that may be given body bytes, or messages. */
static inline int ur__find_writable(ur_link *l, ur_request r, struct ur__lane **lane) {
    int err = ur__find(l, r, lane);
    if (err == 0 && (!(*lane)->headers_sent || (*lane)->closing)) {
        err = -EINVAL;
    }
    return err;
}

/* The same for body bytes. */
static inline int ur__find_body(ur_link *l, ur_request r, struct ur__lane **lane) {
    int err = ur__find_writable(l, r, lane);
    return err == 0 && (*lane)->websocket_open ? -EINVAL : err;
}

/* The same for a part of a message of a kind. */
static inline int ur__find_message(ur_link *l, ur_request r, uint32_t kind, struct ur__lane **lane) {
    int err = ur__find_writable(l, r, lane);
    if (err == 0 && (!(*lane)->websocket_open || (kind != UR_TEXT && kind != UR_BINARY) ||
                     ((*lane)->message != 0 && (*lane)->message != kind))) {
        err = -EINVAL;
    }
    return err;
}

/* Waits for room for a slot without bytes, and commits it. */
static inline int ur__put_empty(ur_link *l, struct ur__lane *lane, uint32_t kind, int timeout_ms) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    int announced = 0;
    for (;;) {
        int err = ur__room_result(l, lane, ur__writer_commit_empty(&lane->writer, kind));
        if (err == 0) {
            l->counters.slots_out++;
        }
        if (err != -EAGAIN) {
            return err;
        }
        err = ur__await_room(l, lane, &t, &announced);
        if (err != 0) {
            return err;
        }
    }
}

/* ------------------------------------------------------------------ attach */

struct ur__area {
    uint64_t at, length;
};

/* Reports whether the areas follow one another, aligned, within a number of bytes. */
static inline int ur__areas_fit(uint64_t bytes, const struct ur__area *areas, size_t count) {
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        struct ur__area a = areas[i];
        if (a.at < end || a.at % 64 != 0 || a.at > bytes || a.length > bytes - a.at) {
            return 0;
        }
        end = a.at + a.length;
    }
    return 1;
}

static inline int ur__pow2(uint64_t n, uint64_t most) { return n != 0 && (n & (n - 1)) == 0 && n <= most; }

/* Bytes from the start of a mailbox to its positions, behind its rings. */
static inline uint64_t ur__positions_at(const struct ur_shm_header *h) {
    return sizeof(struct ur_shm_mailbox) + (uint64_t)h->inbox_entries * sizeof(struct ur_shm_inbox_entry) +
           ((uint64_t)h->notice_entries * 4 + 63) / 64 * 64;
}

/* Reports whether a header fits a segment of a number of bytes. */
static inline int ur__header_fits(const struct ur_shm_header *h, uint64_t bytes) {
    if (h->slot_size < UR__MIN_SLOT || h->slot_size > UR__MAX_SLOT || h->slot_size % UR__ALIGN != 0 ||
        h->slot_limit == 0 || h->rows == 0 || h->rows > UR__MAX_ROWS || h->links == 0 || h->links > UR__MAX_LINKS ||
        h->buffers > UR__MAX_BUFFERS) {
        return 0;
    }
    if (!ur__pow2(h->ring, UR__MAX_RING) || !ur__pow2(h->inbox_entries, UINT64_C(2) * UR__MAX_LANES) ||
        !ur__pow2(h->notice_entries, UINT64_C(4) * UR__MAX_LANES)) {
        return 0;
    }
    if (h->mailbox_stride < ur__positions_at(h) + (uint64_t)h->inbox_entries * sizeof(struct ur_shm_position) ||
        h->mailbox_stride % 64 != 0) {
        return 0;
    }
    const struct ur__area areas[] = {
        {0, sizeof *h},
        {h->mailboxes_offset, (uint64_t)h->links * h->mailbox_stride},
        {h->rows_offset, (uint64_t)h->rows * sizeof(struct ur_shm_row)},
        {h->descriptors_offset, (uint64_t)h->rows * h->ring * sizeof(struct ur_shm_descriptor)},
        {h->buffers_offset, (uint64_t)h->buffers * h->slot_size},
    };
    return h->segment_bytes <= bytes && ur__areas_fit(h->segment_bytes, areas, 5);
}

/* Reports whether a mailbox fits a response segment of a number of bytes. */
static inline int ur__mailbox_fits(const struct ur_shm_header *h, const struct ur_shm_mailbox *b, uint64_t bytes) {
    if (b->lanes == 0 || b->lanes > UR__MAX_LANES || b->lanes > h->inbox_entries || b->buffers < b->lanes ||
        b->buffers > UR__MAX_BUFFERS) {
        return 0;
    }
    if (!ur__pow2(b->ring, UR__MAX_RING) || !ur__pow2(b->outbox_entries, UINT64_C(4) * UR__MAX_LANES)) {
        return 0;
    }
    const struct ur__area areas[] = {
        {sizeof(struct ur_shm_link), (uint64_t)b->outbox_entries * sizeof(struct ur_shm_notice)},
        {b->lanes_offset, (uint64_t)b->lanes * sizeof(struct ur_shm_lane)},
        {b->descriptors_offset, (uint64_t)b->lanes * b->ring * sizeof(struct ur_shm_descriptor)},
        {b->buffers_offset, (uint64_t)b->buffers * h->slot_size},
    };
    return b->response_bytes <= bytes && ur__areas_fit(b->response_bytes, areas, 4);
}

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

/* Maps a sealed memory file. The seals prevent a resize under us; forked children do not
 * inherit the mapping. */
static inline int ur__map(int fd, int protection, int seals, uint8_t **memory, size_t *bytes) {
    struct stat info;
    int got = fcntl(fd, F_GET_SEALS);
    if (got < 0 || (got & seals) != seals) {
        return -EPROTO;
    }
    if (fstat(fd, &info) != 0) { /* after the check of the seals: without them the size may change */
        return ur__errno();
    }
    if (info.st_size < 4096) {
        return -EPROTO;
    }
    void *at = mmap(NULL, (size_t)info.st_size, protection, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        return ur__errno();
    }
    (void)madvise(at, (size_t)info.st_size, 10 /* MADV_DONTFORK */);
    *memory = (uint8_t *)at;
    *bytes = (size_t)info.st_size;
    return 0;
}

/* A page that a forked child finds zeroed. */
static inline const uint32_t *ur__make_guard(void) {
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return NULL;
    }
    if (madvise(page, 4096, 18 /* MADV_WIPEONFORK */) != 0) {
        (void)munmap(page, 4096);
        return NULL;
    }
    *(uint32_t *)page = 1;
    return (const uint32_t *)page;
}

static inline void ur__close_fd(int fd) {
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Frees a link and all it holds. In a forked child the mappings do not exist, and others
 * may be at their addresses. */
static inline void ur__free_link(ur_link *l) {
    int forked = ur__forked(l);
    ur__close_fd(l->poll);
    ur__close_fd(l->socket);
    ur__close_fd(l->server_bell);
    ur__close_fd(l->bell);
    if (l->requests != NULL && !forked) {
        (void)munmap((void *)(uintptr_t)l->requests, l->requests_bytes);
    }
    if (l->responses != NULL && !forked) {
        (void)munmap(l->responses, l->responses_bytes);
    }
    if (l->guard != NULL) {
        (void)munmap((void *)(uintptr_t)l->guard, 4096);
    }
    ur__pool_close(&l->pool);
    for (uint32_t i = 0; l->lanes != NULL && i < l->lane_count; i++) {
        free(l->lanes[i].copy);
    }
    free(l->lanes);
    free(l);
}

/* Stores why an attach failed, and returns the error. */
static inline int ur__fail_attach(ur_options *o, int err, const char *why, ur_str more) {
    (void)snprintf(o->refusal, sizeof o->refusal, "%s%.*s", why, (int)ur__min(more.length, UR_TEXT_BYTES),
                   more.data == NULL ? "" : more.data);
    return err;
}

/* The error for a server's refusal. */
static inline int ur__refused(ur_options *o, const struct ur__message *m) {
    static const struct {
        const char *code;
        int error;
    } codes[] = {
        {"layout", EPROTONOSUPPORT}, {"denied", EACCES}, {"pool", ENXIO}, {"full", EBUSY}, {"draining", ESHUTDOWN}};
    o->layout_min = (uint32_t)m->layout_min;
    o->layout_max = (uint32_t)m->layout_max;
    (void)ur__fail_attach(o, 0, "", m->message);
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (ur__equals(m->code, codes[i].code)) {
            return -codes[i].error;
        }
    }
    return -EINVAL;
}

/* A variable of the environment, or NULL. A program with more rights than the user that
 * started it ignores the environment. */
static inline const char *ur__environment(const char *name) {
    const char *value = getauxval(23 /* AT_SECURE */) != 0 ? NULL : getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* Reports whether a path is a folder, and no link to one, that belongs to our user and
 * that no other user can write. */
static inline int ur__is_private_folder(const char *folder) {
    struct stat info;
    return lstat(folder, &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == geteuid() && (info.st_mode & 022) == 0;
}

/* Stores the path of the socket in a folder. */
static inline int ur__socket_in(char *path, size_t size, const char *folder) {
    int n = snprintf(path, size, "%s/upload-response.sock", folder);
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* As ur_default_socket, with other folders in place of /run and /tmp. */
static inline int ur__find_socket(char *path, size_t size, const char *run, const char *tmp) {
    char folder[256];
    struct stat info;
    const char *given = ur__environment("UPLOAD_RESPONSE_SOCKET"), *session = ur__environment("XDG_RUNTIME_DIR");
    if (given != NULL) {
        int n = snprintf(path, size, "%s", given);
        return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
    }
    if (session != NULL && session[0] == '/') {
        return ur__socket_in(path, size, session);
    }
    (void)snprintf(folder, sizeof folder, "%s/user/%u", run, (unsigned)geteuid());
    if (ur__is_private_folder(folder)) {
        return ur__socket_in(path, size, folder);
    }
    if (geteuid() == 0 && ur__is_private_folder(run) && access(run, W_OK) == 0) {
        return ur__socket_in(path, size, run);
    }
    (void)snprintf(folder, sizeof folder, "%s/upload-response-%u", tmp, (unsigned)geteuid());
    int err = ur__socket_in(path, size, folder);
    if (err == 0 && !ur__is_private_folder(folder) && (lstat(folder, &info) == 0 || errno != ENOENT)) {
        return -EACCES;
    }
    return err;
}

/* Returns the user whose server is trusted besides ours and root's. 0: none. */
static inline int ur__trusted_user(const ur_options *o, uint32_t *uid) {
    const char *digits = o->server_uid == 0 ? ur__environment("UPLOAD_RESPONSE_SERVER_UID") : NULL;
    uint64_t n = o->server_uid;
    for (; digits != NULL && *digits != '\0'; digits++) {
        if (*digits < '0' || *digits > '9' || (n = n * 10 + (uint64_t)(*digits - '0')) > UINT32_MAX) {
            return -EINVAL;
        }
    }
    *uid = (uint32_t)n;
    return 0;
}

/* Reports whether the user of a server is trusted. */
static inline int ur__is_trusted(uint32_t server, uint32_t named) {
    return server == 0 || server == geteuid() || (named != 0 && server == named);
}

/* Checks the user of the server at the other end. */
static inline int ur__check_server(const ur_link *l, ur_options *o, const char *path) {
    struct {
        int32_t pid;
        uint32_t uid, gid;
    } peer; /* struct ucred */
    socklen_t size = sizeof peer;
    uint32_t named = 0;
    if (ur__trusted_user(o, &named) != 0) {
        return ur__fail_attach(o, -EINVAL, "UPLOAD_RESPONSE_SERVER_UID is not the number of a user", ur__text(""));
    }
    if (getsockopt(l->socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
        return ur__fail_attach(o, ur__errno(), "cannot tell whose server it is at ", ur__text(path));
    }
    if (ur__is_trusted(peer.uid, named)) {
        return 0;
    }
    /* clang-format off */
    (void)snprintf(o->refusal, sizeof o->refusal,
                   "the server at %.80s is of user %u, not of ours (%u) or root: "
                   "name it with UPLOAD_RESPONSE_SERVER_UID or server_uid if that is right",
                   path, (unsigned)peer.uid, (unsigned)geteuid());
    /* clang-format on */
    return -EPERM;
}

/* Bounds the next call on a socket by a time of the clock. */
static inline int ur__wait_until(int fd, int64_t deadline) {
    struct timeval t;
    int64_t left = deadline - ur__now();
    if (left <= 0) {
        return -ETIMEDOUT;
    }
    t.tv_sec = (time_t)(left / 1000000000);
    t.tv_usec = (suseconds_t)(left % 1000000000 / 1000 + 1); /* 0 would mean no bound */
    if (t.tv_usec == 1000000) {
        t.tv_usec = 999999;
    }
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t) != 0 ||
                   setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t) != 0
               ? ur__errno()
               : 0;
}

static inline int64_t ur__deadline(const ur_options *o) { return ur__now() + (int64_t)o->timeout_ms * 1000000; }

static inline int ur__connect(ur_link *l, ur_options *o, const char *path) {
    struct sockaddr_un address;
    size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        return ur__fail_attach(o, length == 0 ? -EINVAL : -ENAMETOOLONG, "bad path of the socket", ur__text(""));
    }
    memset(&address, 0, sizeof address);
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path, length);
    int64_t deadline = ur__deadline(o);
    l->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int err = l->socket < 0 ? ur__errno() : ur__wait_until(l->socket, deadline);
    if (err != 0) {
        return ur__fail_attach(o, err, "cannot make a socket", ur__text(""));
    }
    while (connect(l->socket, (const struct sockaddr *)&address, sizeof address) != 0) {
        err = errno == EINTR ? ur__wait_until(l->socket, deadline) : ur__errno();
        if (err != 0) {
            (void)snprintf(o->refusal, sizeof o->refusal, "cannot connect to %s: %s", path, strerror(-err));
            return err;
        }
    }
    return ur__check_server(l, o, path);
}

/* Connects to the socket that the caller names, or to the default one. */
static inline int ur__connect_server(ur_link *l, ur_options *o) {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (o->timeout_ms <= 0) {
        return ur__fail_attach(o, -EINVAL, "timeout_ms is not positive", ur__text(""));
    }
    if (o->socket != NULL && o->socket[0] != '\0') {
        return ur__connect(l, o, o->socket);
    }
    int err = ur_default_socket(path, sizeof path);
    if (err == -EACCES) {
        (void)snprintf(o->refusal, sizeof o->refusal, "%.*s: not a folder that only user %u can write",
                       (int)(strrchr(path, '/') - path), path, (unsigned)geteuid());
        return err;
    }
    return err != 0 ? ur__fail_attach(o, err, "the path of the socket is too long", ur__text(""))
                    : ur__connect(l, o, path);
}

static inline int ur__send_hello(const ur_link *l, ur_options *o) {
    struct ur__message m;
    uint8_t packet[UR__MAX_MESSAGE];
    memset(&m, 0, sizeof m);
    m.kind = UR__HELLO;
    m.layout_min = UR__LAYOUT_MIN;
    m.layout_max = UR__LAYOUT_MAX;
    m.pool = ur__text(o->pool);
    m.name = ur__text(o->name);
    m.pid = (uint64_t)getpid();
    m.sdk = ur__text(o->sdk);
    m.sdk_version = ur__text(o->sdk_version);
    m.lanes = o->lanes;
    m.bell = ur__text(o->bell == UR_BELL_EVENTFD ? "eventfd" : "futex");
    m.stacks = o->stacks;
    size_t n = ur__encode(&m, packet);
    if (n == 0) {
        return ur__fail_attach(o, -EINVAL, "the names in the options are not UTF-8 or too long", ur__text(""));
    }
    if (send(l->socket, packet, n, MSG_NOSIGNAL) < 0) {
        return ur__fail_attach(o, ur__errno(), "cannot say hello", ur__text(""));
    }
    return 0;
}

/* Receives one packet and its descriptors. EAGAIN: not in time. */
static inline ssize_t ur__receive(int fd, int64_t deadline, uint8_t *packet, size_t size, int *fds, int most,
                                  int *count) {
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(8 * sizeof(int))];
    } control;
    struct iovec part;
    struct msghdr message;
    ssize_t n;
    memset(&message, 0, sizeof message);
    part.iov_base = packet;
    part.iov_len = size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    *count = 0;
    do {
        if (ur__wait_until(fd, deadline) != 0) {
            errno = EAGAIN;
            return -1;
        }
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t received = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < received; i++) {
            int one;
            memcpy(&one, CMSG_DATA(c) + i * sizeof one, sizeof one);
            if (*count < most) {
                fds[(*count)++] = one;
            } else {
                (void)close(one);
            }
        }
    }
    return n;
}

/* Reads the answer to our hello. The caller owns the descriptors. */
static inline int ur__read_welcome(ur_link *l, ur_options *o, struct ur__message *m, uint8_t *packet, int *fds,
                                   int *count) {
    ssize_t n = ur__receive(l->socket, ur__deadline(o), packet, UR__MAX_MESSAGE + 1, fds, 4, count);
    if (n <= 0) {
        int err = n == 0 ? -ECONNRESET : errno == EAGAIN || errno == EWOULDBLOCK ? -ETIMEDOUT : ur__errno();
        return ur__fail_attach(o, err, "no answer from the server", ur__text(""));
    }
    if (ur__decode(m, packet, (size_t)n) != UR__MESSAGE_OK) {
        return ur__fail_attach(o, -EPROTO, "the server's answer cannot be decoded", ur__text(""));
    }
    if (m->kind == UR__REFUSAL) {
        return ur__refused(o, m);
    }
    if (m->kind != UR__WELCOME || *count != (o->bell == UR_BELL_EVENTFD ? 4 : 3)) {
        return ur__fail_attach(o, -EPROTO, "the server answered with something else than a welcome", ur__text(""));
    }
    return 0;
}

/* Checks the headers of the segments. */
static inline int ur__check_segments(ur_link *l, ur_options *o, const struct ur__message *m) {
    const struct ur_shm_header *h = &l->header;
    uint64_t hash = ur__layout_hash();
    if (l->requests == NULL || l->responses == NULL) {
        return -EIO; /* impossible; tells a static analyser so */
    }
    ur__copy_shared(&l->header, l->requests, sizeof l->header); /* read once; the copy is checked and used */
    if (m->layout < UR__LAYOUT_MIN || m->layout > UR__LAYOUT_MAX || h->magic != UR__MAGIC || h->layout != m->layout ||
        h->layout_hash != hash || m->layout_hash != hash) {
        return ur__fail_attach(o, -EPROTO, "server and SDK do not agree on the layout of the memory", ur__text(""));
    }
    if (!ur__header_fits(h, l->requests_bytes) || m->link >= h->links) {
        return ur__fail_attach(o, -EPROTO, "the header of the request segment makes no sense", ur__text(""));
    }
    l->box =
        (const struct ur_shm_mailbox *)(const void *)(l->requests + h->mailboxes_offset + m->link * h->mailbox_stride);
    ur__copy_shared(&l->geometry, l->box, sizeof l->geometry);
    ur__after_reads(); /* the generation is read after the bytes that it covers */
    if (ur__load32(&l->box->generation) != m->link_generation ||
        !ur__mailbox_fits(h, &l->geometry, l->responses_bytes)) {
        return ur__fail_attach(o, -EPROTO, "the mailbox of the link makes no sense", ur__text(""));
    }
    return 0;
}

/* Sets up one lane. Preconditions: the segments were checked. */
static inline void ur__open_lane(ur_link *l, uint32_t i) {
    const struct ur_shm_header *h = &l->header;
    struct ur__lane *lane = &l->lanes[i];
    struct ur__writer *w = &lane->writer;
    lane->words = (struct ur_shm_lane *)(void *)(l->responses + l->geometry.lanes_offset) + i;
    lane->position = (const struct ur_shm_position *)(const void *)((const uint8_t *)l->box + ur__positions_at(h)) + i;

    w->ring = (struct ur_shm_descriptor *)(void *)(l->responses + l->geometry.descriptors_offset) +
              (size_t)i * l->geometry.ring;
    w->mask = l->geometry.ring - 1;
    w->limit = ur__min(h->slot_limit, l->geometry.ring);
    w->buffers = l->responses + l->geometry.buffers_offset;
    w->slot_size = h->slot_size;
    w->pool = &l->pool;
    w->published = &lane->words->published;
    w->oldest = w->newest = w->current = UR__NO_BUFFER;

    lane->reader.mask = h->ring - 1;
    lane->reader.limit = ur__min(h->slot_limit, h->ring);
    lane->reader.buffers = l->requests + h->buffers_offset;
    lane->reader.slot_size = h->slot_size;
    lane->reader.count = h->buffers;
    lane->reader.released = &lane->words->released;
}

/* Sets up the link. Preconditions: the segments were checked. */
static inline int ur__open_link(ur_link *l, const ur_options *o, const struct ur__message *m) {
    const struct ur_shm_header *h = &l->header;
    const uint8_t *rings = (const uint8_t *)(l->box + 1);
    l->words = (struct ur_shm_link *)(void *)l->responses;
    l->slot_size = h->slot_size;
    l->lane_count = l->geometry.lanes;
    l->max_active = o->lanes;
    l->outbox = (struct ur_shm_notice *)(void *)(l->words + 1);
    l->outbox_mask = l->geometry.outbox_entries - 1;
    l->inbox.head = &l->box->inbox_head;
    l->inbox.ring = (const struct ur_shm_inbox_entry *)(const void *)rings;
    l->inbox.mask = h->inbox_entries - 1;
    l->inbox.generation = &l->box->generation;
    l->inbox.attach = (uint32_t)m->link_generation;
    l->inbox.word = &l->words->taken;
    l->notices.head = &l->box->notice_head;
    l->notices.ring = (const struct ur_shm_notice *)(const void *)(rings + (size_t)h->inbox_entries *
                                                                               sizeof(struct ur_shm_inbox_entry));
    l->notices.mask = h->notice_entries - 1;
    l->first_ready = l->last_ready = UR__NO_LANE;
    l->state = UR__LINK_OPEN;
    l->server_pid = (uint32_t)m->server_pid;
    l->instance = m->instance;
    l->response_timeout_ms = m->response_timeout_ms;
    (void)snprintf(l->server, sizeof l->server, "%.*s", (int)ur__min(m->server.length, UR_TEXT_BYTES), m->server.data);

    l->lanes = (struct ur__lane *)calloc(l->lane_count, sizeof *l->lanes);
    if (l->lanes == NULL || ur__pool_open(&l->pool, l->geometry.buffers, l->lane_count) != 0) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < l->lane_count; i++) {
        ur__open_lane(l, i);
    }
    return 0;
}

/* Creates the one descriptor that an event loop watches. */
static inline int ur__open_poll(ur_link *l) {
    struct epoll_event event;
    l->poll = epoll_create1(EPOLL_CLOEXEC);
    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    if (l->poll < 0 || fcntl(l->bell, F_SETFL, O_NONBLOCK) != 0 || /* for a bare eventfd */
        epoll_ctl(l->poll, EPOLL_CTL_ADD, l->bell, &event) != 0 ||
        epoll_ctl(l->poll, EPOLL_CTL_ADD, l->socket, &event) != 0) {
        return ur__errno();
    }
    return 0;
}

/* Seals that a segment must have: no process can resize it, and only the server can write
 * the requests. */
#define UR__SEALS (2 | 4)                  /* F_SEAL_SHRINK | F_SEAL_GROW */
#define UR__REQUEST_SEALS (UR__SEALS | 16) /* and F_SEAL_FUTURE_WRITE */

/* Reports whether a descriptor is like an eventfd or an epoll instance, which have no type
 * of file: a write to a pipe or a socket may raise SIGPIPE, one to a file SIGXFSZ. */
static inline int ur__is_bell(int fd) {
    struct stat info;
    return fd >= 0 && fstat(fd, &info) == 0 && (info.st_mode & S_IFMT) == 0;
}

/* Checks the bells that the server handed out; only event loops have one of their own. */
static inline int ur__check_bells(const ur_link *l, ur_options *o) {
    if (!ur__is_bell(l->server_bell) || (l->bell >= 0 && !ur__is_bell(l->bell))) {
        return ur__fail_attach(o, -EPROTO, "the server handed out something else than bells", ur__text(""));
    }
    int flags = fcntl(l->server_bell, F_GETFL);
    return flags < 0 || fcntl(l->server_bell, F_SETFL, flags | O_NONBLOCK) != 0 ? ur__errno() : 0;
}

static inline int ur__handshake(ur_link *l, ur_options *o) {
    uint8_t packet[UR__MAX_MESSAGE + 1];
    struct ur__message m;
    int fds[4] = {-1, -1, -1, -1}, count = 0;
    uint8_t *requests = NULL;
    memset(&m, 0, sizeof m);
    int err = ur__send_hello(l, o);
    if (err == 0) {
        err = ur__read_welcome(l, o, &m, packet, fds, &count);
    }
    l->server_bell = fds[2];
    l->bell = fds[3];
    if (err == 0) {
        err = ur__check_bells(l, o);
    }
    if (err == 0) {
        err = ur__map(fds[0], PROT_READ, UR__REQUEST_SEALS, &requests, &l->requests_bytes);
        l->requests = requests;
    }
    if (err == 0) {
        err = ur__map(fds[1], PROT_READ | PROT_WRITE, UR__SEALS, &l->responses, &l->responses_bytes);
    }
    ur__close_fd(fds[0]);
    ur__close_fd(fds[1]);
    if (err == 0) {
        err = ur__check_segments(l, o, &m);
    }
    if (err == 0) {
        err = ur__open_link(l, o, &m);
    }
    if (err == 0 && l->bell >= 0) {
        err = ur__open_poll(l);
    }
    if (err != 0 && o->refusal[0] == '\0') {
        (void)ur__fail_attach(o, err, "cannot map the shared memory", ur__text(""));
    }
    return err;
}

/* ------------------------------------------------------- the public functions */

UR_INLINE void ur_options_init(ur_options *options) {
    memset(options, 0, sizeof *options);
    options->socket = "";
    options->pool = "default";
    options->name = "";
    options->sdk = "c";
    options->sdk_version = UR_VERSION;
    options->lanes = 16;
    options->timeout_ms = 10000;
}

UR_INLINE int ur_attach(ur_link **link, ur_options *options) {
    *link = NULL;
    options->refusal[0] = '\0';
    options->layout_min = options->layout_max = 0;
    ur_link *l = (ur_link *)calloc(1, sizeof *l);
    if (l == NULL) {
        return ur__fail_attach(options, -ENOMEM, "out of memory", ur__text(""));
    }
    l->socket = l->server_bell = l->bell = l->poll = -1;
    l->pid = getpid();
    l->guard = ur__make_guard();
    int err = ur__connect_server(l, options);
    if (err == 0) {
        err = ur__handshake(l, options);
    }
    if (err != 0) {
        ur__free_link(l);
        return err;
    }
    *link = l;
    return 0;
}

UR_INLINE int ur_default_socket(char *path, size_t size) { return ur__find_socket(path, size, "/run", "/tmp"); }

UR_INLINE int ur_is_temporary(int error) {
    switch (error) {
    case -ENOENT: /* no socket yet */
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -EPIPE:
    case -EAGAIN: /* too many are connecting */
    case -ETIMEDOUT:
    case -EBUSY:
    case -ESHUTDOWN: return 1;
    default: return 0;
    }
}

UR_INLINE void ur_close(ur_link *link) {
    if (link == NULL) {
        return;
    }
    if (!ur__forked(link) && !link->dead) {
        ur__send_message(link, UR__BYE, "closed");
    }
    ur__free_link(link);
}

UR_INLINE int ur_drain(ur_link *link) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->dead) {
        return -ENOTCONN;
    }
    if (!link->drain_sent) {
        link->drain_sent = 1;
        ur__send_message(link, UR__DRAIN, "");
    }
    return 0;
}

UR_INLINE int ur_server_drains(const ur_link *link) { return link->server_drains; }

UR_INLINE const char *ur_error_text(const ur_link *link) { return link->why; }

UR_INLINE size_t ur_slot_size(const ur_link *link) { return link->slot_size; }

UR_INLINE void ur_server(const ur_link *link, uint32_t *pid, const char **name, uint64_t *instance) {
    if (pid != NULL) {
        *pid = link->server_pid;
    }
    if (name != NULL) {
        *name = link->server;
    }
    if (instance != NULL) {
        *instance = link->instance;
    }
}

UR_INLINE uint64_t ur_response_timeout_ms(const ur_link *link) { return link->response_timeout_ms; }

UR_INLINE int ur_get_counters(const ur_link *link, ur_counters *counters) {
    *counters = link->counters;
    counters->buffers = link->pool.total;
    counters->buffers_free = link->pool.free;
    return ur__forked(link) ? -ECHILD : 0;
}

UR_INLINE void ur_get_memory(const ur_link *link, ur_memory *memory) {
    memory->requests = link->requests;
    memory->requests_size = link->requests_bytes;
    memory->responses = link->responses;
    memory->responses_size = link->responses_bytes;
}

static inline int ur__next(ur_link *link, struct ur__timeout *t, ur_request *r) {
    *r = 0;
    for (;;) {
        if (ur__forked(link)) {
            return -ECHILD;
        }
        ur__refresh(link); /* the state is read before the inbox: nothing follows the last stream */
        if (link->dead) {
            return -ENOTCONN;
        }
        if (ur__at_capacity(link)) {
            return t->timeout_ms == UR_NOW ? -EAGAIN : -EBUSY; /* only the caller can end one of them */
        }
        int err = ur__take_assignment(link, r);
        if (err == -EAGAIN && link->state == UR__LINK_DRAINING) {
            return -ESHUTDOWN;
        }
        if (err == -EAGAIN) {
            err = ur__wait_once(link, UR_WAIT_STREAM, t);
        } else {
            return err;
        }
        if (err != 0) {
            return err;
        }
    }
}

UR_INLINE int ur_next(ur_link *link, int timeout_ms, ur_request *r) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    return ur__next(link, &t, r);
}

static inline char *ur__put_text(char *to, ur_str s) {
    if (s.length > 0) {
        memcpy(to, s.data, s.length);
    }
    to[s.length] = '\0';
    return to + s.length + 1;
}

/* Copies the parts of a head that precede the headers. */
static inline char *ur__put_target(char *to, const struct ur__head *h) {
    to = ur__put_text(to, h->method);
    to = ur__put_text(to, h->scheme);
    to = ur__put_text(to, h->authority);
    return ur__put_text(to, h->path);
}

/* Copies the head and returns its length. It is no longer than its frame, in which a
 * length precedes each string, in place of the NUL, and 16 bytes come first.
 * Preconditions: the head was decoded. */
static inline size_t ur__copy_flat(const struct ur__lane *lane, char *text) {
    const struct ur__head *h = &lane->head;
    struct ur__cursor c = ur__cursor_at(lane->frame, h->length);
    char *to = ur__put_target(text, h);
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        to = ur__put_text(to, ur__string(&c));
        to = ur__put_text(to, ur__string(&c));
    }
    return (size_t)(to - text);
}

/* The same, with the names last. Returns their length in *names. */
static inline size_t ur__copy_split(const struct ur__lane *lane, char *text, uint64_t *names) {
    const struct ur__head *h = &lane->head;
    struct ur__cursor c = ur__cursor_at(lane->frame, h->length);
    char *to = ur__put_target(text, h);
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        (void)ur__string(&c);
        to = ur__put_text(to, ur__string(&c));
    }
    const char *values_end = to;
    c.at = h->fields_at;
    for (size_t i = 0; i < h->count; i++) {
        to = ur__put_text(to, ur__string(&c));
        (void)ur__string(&c);
    }
    *names = (uint64_t)(to - values_end);
    return (size_t)(to - text);
}

static inline void ur__count_slot(ur_link *l, struct ur__lane *lane, const ur_slot *slot) {
    if (slot->number > lane->tailed) {
        lane->tailed = slot->number;
        l->counters.slots_in++;
        l->counters.bytes_in += slot->length;
    }
}

/* Returns the body if it has arrived in one slot at most. */
static inline void ur__find_whole_body(ur_link *l, struct ur__lane *lane, ur_flat_request *t) {
    ur_slot body, end;
    int err = ur__try_tail(l, lane, 2, &body);
    end = body;
    if (err == 0 && body.kind == UR_BODY) {
        err = ur__try_tail(l, lane, 3, &end);
    }
    if (err != 0 || end.kind != UR_END) {
        return;
    }
    t->whole = 1;
    t->body = body.data;
    t->body_length = body.length;
    ur__count_slot(l, lane, &body);
    ur__count_slot(l, lane, &end);
}

/* Between two attempts to take a request: a caller that never waits gives up after as many
 * as there are lanes, one with a deadline at the latest then. */
static inline int ur__check_attempts(const ur_link *l, struct ur__timeout *t, uint32_t passed) {
    if (t->timeout_ms == UR_NOW) {
        return passed > l->lane_count ? -EAGAIN : 0;
    }
    return ur__time_left(t, ur__now()) <= 0 ? -ETIMEDOUT : 0;
}

/* Takes a request with its text: flat if names is NULL, else split. */
static inline int ur__next_with_text(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                                     uint64_t *names) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    ur_request r;
    memset(taken, 0, sizeof *taken);
    if (size < link->slot_size) {
        return -EINVAL;
    }
    for (uint32_t passed = 0;; passed++) {
        int err = passed > 0 ? ur__check_attempts(link, &t, passed) : 0;
        if (err == 0) {
            err = ur__next(link, &t, &r);
        }
        if (err != 0) {
            return err;
        }
        struct ur__lane *lane = ur__headers(link, r, &err);
        if (lane == NULL) {
            (void)ur_abort(link, r);
            continue;
        }
        taken->request = r;
        taken->stream_id = lane->stream_id;
        taken->text_length = names == NULL ? ur__copy_flat(lane, text) : ur__copy_split(lane, text, names);
        taken->header_count = lane->head.count;
        taken->http_version = lane->head.version;
        ur__find_whole_body(link, lane, taken);
        return 0;
    }
}

UR_INLINE int ur_next_flat(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size) {
    return ur__next_with_text(link, timeout_ms, taken, text, size, NULL);
}

UR_INLINE int ur_next_split(ur_link *link, int timeout_ms, ur_flat_request *taken, char *text, size_t size,
                            uint64_t *names) {
    *names = 0;
    return ur__next_with_text(link, timeout_ms, taken, text, size, names);
}

UR_INLINE int ur_ready(ur_link *link, ur_request *r) {
    *r = 0;
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->first_ready == UR__NO_LANE) {
        ur__refresh(link);
    }
    while (link->first_ready != UR__NO_LANE) {
        struct ur__lane *lane = &link->lanes[link->first_ready];
        link->first_ready = lane->next_ready;
        lane->ready = 0;
        if (lane->handle != 0) {
            *r = lane->handle;
            return 0;
        }
    }
    return -EAGAIN;
}

/* The reasons to end a wait that have occurred. */
static inline unsigned ur__pending(const ur_link *l, unsigned reasons) {
    unsigned what = l->state_changed ? (unsigned)UR_WAIT_STATE : 0;
    if ((reasons & UR_WAIT_STREAM) && ur__stream_waits(l)) {
        what |= UR_WAIT_STREAM;
    }
    if ((reasons & UR_WAIT_READY) && l->first_ready != UR__NO_LANE) {
        what |= UR_WAIT_READY;
    }
    return what;
}

UR_INLINE int ur_wait(ur_link *link, unsigned reasons, int timeout_ms, unsigned *what) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    for (;;) {
        if (ur__forked(link)) {
            return -ECHILD;
        }
        ur__refresh(link);
        unsigned pending = ur__pending(link, reasons);
        if (link->dead && !(pending & UR_WAIT_READY)) {
            return -ENOTCONN;
        }
        if (pending != 0) {
            link->state_changed = 0;
            if (what != NULL) {
                *what = pending;
            }
            return 0;
        }
        int err = ur__wait_once(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY), &t);
        if (err != 0) {
            return err;
        }
    }
}

/* Empties the list for ur_ready. */
static inline void ur__clear_ready(ur_link *l) {
    while (l->first_ready != UR__NO_LANE) {
        struct ur__lane *lane = &l->lanes[l->first_ready];
        l->first_ready = lane->next_ready;
        lane->ready = 0;
    }
}

/* Sleeps at the bell, the socket and another descriptor, and returns why it woke, as
 * ur_sleep does. It touches the link only while the caller's lock is held. */
static inline int ur__sleep_unlocked(ur_link *l, int timeout_ms, int also, void *(*leave)(void),
                                     void (*enter)(void *)) {
    struct pollfd fds[3];
    fds[0].fd = l->bell;
    fds[1].fd = l->socket;
    fds[2].fd = also; /* poll ignores -1 */
    fds[0].events = fds[1].events = fds[2].events = POLLIN;
    fds[0].revents = fds[1].revents = fds[2].revents = 0;
    void *kept = leave();
    int n = poll(fds, 3, timeout_ms);
    enter(kept);
    if (n == 0) {
        return -ETIMEDOUT;
    }
    if (fds[0].revents != 0) {
        (void)ur__clear_bell(l);
    }
    if (fds[1].revents != 0) {
        ur__read_socket(l);
    }
    return fds[0].revents != 0 || fds[1].revents != 0 ? 0 : -EINTR;
}

UR_INLINE int ur_sleep(ur_link *link, unsigned reasons, int timeout_ms, int also, void *(*leave)(void),
                       void (*enter)(void *)) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->bell < 0) {
        return -ENOTSUP;
    }
    int err = 0;
    ur__refresh(link);
    unsigned pending = ur__pending(link, reasons);
    if (pending == 0 && !link->dead) {
        if (ur__announce(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY))) {
            err = ur__sleep_unlocked(link, timeout_ms, also, leave, enter);
        }
        ur__clear_asleep(link);
        ur__poll_socket(link);
        ur__refresh(link);
    }
    link->state_changed = 0;
    ur__clear_ready(link);
    return link->dead ? -ENOTCONN : err;
}

UR_INLINE int ur_set_user(ur_link *link, ur_request r, void *user) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        lane->user = user;
    }
    return err;
}

UR_INLINE void *ur_user(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->user : NULL;
}

UR_INLINE int ur_fd(const ur_link *link) { return link->poll >= 0 ? link->poll : -ENOTSUP; }

UR_INLINE int ur_arm(ur_link *link, unsigned reasons) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->poll < 0) {
        return -ENOTSUP;
    }
    ur__refresh(link);
    unsigned pending = ur__pending(link, reasons);
    if (pending != 0) {
        link->state_changed = 0;
        return link->dead && !(pending & UR_WAIT_READY) ? -ENOTCONN : -EAGAIN;
    }
    if (link->dead) {
        return -ENOTCONN;
    }
    if (!ur__announce(link, reasons & (UR_WAIT_STREAM | UR_WAIT_READY))) {
        ur__clear_asleep(link);
        return -EAGAIN;
    }
    link->armed = 1;
    return 0;
}

UR_INLINE int ur_disarm(ur_link *link) {
    if (ur__forked(link)) {
        return -ECHILD;
    }
    if (link->armed) {
        link->armed = 0;
        ur__clear_asleep(link);
        if (!ur__clear_bell(link)) {
            ur__read_socket(link); /* if the link woke us, it was the socket */
        }
    }
    ur__poll_socket(link);
    ur__refresh(link);
    return link->dead ? -ENOTCONN : 0;
}

/* ------- reading */

UR_INLINE ur_str ur_method(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.method : none;
}

UR_INLINE ur_str ur_scheme(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.scheme : none;
}

UR_INLINE ur_str ur_authority(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.authority : none;
}

UR_INLINE ur_str ur_path(ur_link *link, ur_request r) {
    int err;
    ur_str none = {NULL, 0};
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.path : none;
}

UR_INLINE int ur_http_version(ur_link *link, ur_request r) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.version : 0;
}

UR_INLINE int ur_is_websocket(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return 0;
    }
    (void)ur__headers(link, r, &err);
    return lane->wants_websocket;
}

UR_INLINE uint64_t ur_stream_id(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->stream_id : 0;
}

UR_INLINE size_t ur_header_count(ur_link *link, ur_request r) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    return lane != NULL ? lane->head.count : 0;
}

UR_INLINE int ur_header_at(ur_link *link, ur_request r, size_t i, ur_header *header) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    memset(header, 0, sizeof *header);
    if (lane == NULL) {
        return err;
    }
    if (i >= lane->head.count) {
        return -ENOENT;
    }
    if (i < lane->field) {
        lane->field = 0;
        lane->field_at = lane->head.fields_at;
    }
    struct ur__cursor c = ur__cursor_at(lane->frame, lane->head.length);
    c.at = lane->field_at;
    for (; lane->field <= i; lane->field++) {
        header->name = ur__string(&c);
        header->value = ur__string(&c);
    }
    lane->field_at = c.at;
    return c.fault == UR__OK ? 0 : -EBADMSG;
}

static inline int ur__same_name(ur_str name, const char *other) {
    size_t i = 0;
    for (; i < name.length && other[i] != '\0'; i++) {
        if (ur__lower((uint8_t)name.data[i]) != ur__lower((uint8_t)other[i])) {
            return 0;
        }
    }
    return i == name.length && other[i] == '\0';
}

UR_INLINE ur_str ur_client_address(ur_link *link, ur_request r) {
    ur_header first;
    ur_str none = {NULL, 0};
    int err = ur_header_at(link, r, 0, &first);
    return err == 0 && ur__same_name(first.name, "upload-response-client") ? first.value : none;
}

UR_INLINE int ur_find_header(ur_link *link, ur_request r, const char *name, ur_str *value) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    if (lane == NULL) {
        return err;
    }
    struct ur__cursor c = ur__cursor_at(lane->frame, lane->head.length);
    c.at = lane->head.fields_at;
    for (size_t i = 0; i < lane->head.count; i++) {
        ur_str found = ur__string(&c), its = ur__string(&c);
        if (ur__same_name(found, name)) {
            *value = its;
            return c.fault == UR__OK ? 0 : -EBADMSG;
        }
    }
    return -ENOENT;
}

UR_INLINE int ur_keep_headers(ur_link *link, ur_request r, void *memory, size_t size) {
    int err;
    struct ur__lane *lane = ur__headers(link, r, &err);
    if (lane == NULL) {
        return err;
    }
    if (size < lane->head.length) {
        return -ENOSPC;
    }
    size_t length = lane->head.length;
    memmove(memory, lane->frame, length);
    if (ur__parse_request(&lane->head, memory, length) != UR__OK) {
        lane->head_state = UR__HEAD_GONE;
        return -EBADMSG;
    }
    lane->head_state = UR__HEAD_KEPT;
    lane->frame = (const uint8_t *)memory;
    lane->field = 0;
    lane->field_at = lane->head.fields_at;
    return 0;
}

UR_INLINE int ur_tail(ur_link *link, ur_request r, uint64_t n, int timeout_ms, ur_slot *slot) {
    struct ur__timeout t = ur__timeout_of(timeout_ms);
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    memset(slot, 0, sizeof *slot);
    while (err == 0) {
        err = ur__tail_or_announce(link, lane, n, slot);
        if (err == 0) {
            break;
        }
        if (err == -EAGAIN) {
            err = ur__wait_once(link, UR_WAIT_READY, &t);
        }
    }
    if (err == 0) {
        ur__count_slot(link, lane, slot);
    }
    return err;
}

UR_INLINE int ur_next_slot(ur_link *link, ur_request r, int timeout_ms, ur_slot *slot) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        err = ur_tail(link, r, lane->next_slot, timeout_ms, slot);
    }
    if (err == 0) {
        lane->next_slot++;
    }
    return err;
}

UR_INLINE int ur_next_slots(ur_link *link, ur_request r, ur_slot *slots, int most) {
    struct ur__lane *lane;
    ur_slot next;
    int err = most >= 1 ? ur_next_slot(link, r, UR_NOW, &slots[0]) : -EINVAL;
    if (err != 0 || slots[0].kind != UR_BODY || ur__find(link, r, &lane) != 0) {
        return err != 0 ? err : 1;
    }
    int count = 1;
    while (count < most && ur__try_tail(link, lane, lane->next_slot, &next) == 0 && next.kind == UR_BODY) {
        slots[count++] = next;
        lane->next_slot++;
        ur__count_slot(link, lane, &next);
    }
    return count;
}

UR_INLINE int ur_release(ur_link *link, ur_request r, uint64_t n) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        err = ur__reader_release(&lane->reader, n); /* B1 */
    }
    if (err != 0) {
        return err;
    }
    if (n >= 1 && lane->head_state != UR__HEAD_KEPT) {
        lane->head_state = UR__HEAD_GONE;
    }
    ur__fence();
    uint64_t want = ur__load64(&lane->row->wants_room);
    if (want != 0 && n >= want) { /* S2 */
        ur__notify(link, lane);
    }
    return 0;
}

UR_INLINE int ur_trailer(const ur_slot *slot, size_t *at, ur_header *field) {
    struct ur__cursor c = ur__cursor_at(slot->data, slot->length);
    c.at = *at;
    if (slot->kind != UR_TRAILERS || *at > slot->length) {
        return -EINVAL;
    }
    if (*at == 0) {
        (void)ur__field_count(&c);
    }
    if (c.fault == UR__OK && c.at == slot->length) {
        return -ENOENT;
    }
    *field = ur__field(&c);
    *at = c.at;
    return c.fault == UR__OK ? 0 : -EBADMSG;
}

UR_INLINE int ur_close_code(const ur_slot *slot, ur_str *reason) {
    ur_str rest = {NULL, 0};
    int code = UR__NO_CODE;
    if (slot->kind != UR_CLOSE) {
        return -EINVAL;
    }
    if (slot->length >= 2) {
        const uint8_t *bytes = (const uint8_t *)slot->data;
        code = bytes[0] << 8 | bytes[1];
        rest.data = (const char *)bytes + 2;
        rest.length = slot->length - 2;
    }
    if (reason != NULL) {
        *reason = rest;
    }
    return code;
}

UR_INLINE int ur_cancelled(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    ur__poll_socket(link);
    return ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0;
}

UR_INLINE uint32_t ur_reason(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        return ur__check_cancelled(link, lane);
    }
    lane = &link->lanes[r % UR__MAX_LANES % link->lane_count];
    return err == -ESTALE && r != 0 && lane->ended == r ? lane->reason : (uint32_t)UR_NOT_CANCELLED;
}

UR_INLINE const char *ur_reason_text(uint32_t reason) {
    static const char *const texts[] = {"none",
                                        "client gone",
                                        "deadline passed",
                                        "invalid response",
                                        "server shut down",
                                        "client too slow",
                                        "request body too large",
                                        "exchange finished",
                                        "server gone"};
    return reason < sizeof texts / sizeof texts[0] ? texts[reason] : "unknown";
}

/* ------- writing */

/* Writes the headers of a final or an interim response. */
static inline int ur__put_head(ur_link *link, struct ur__lane *lane, int status, struct ur__list list, uint32_t kind,
                               int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0;
    size_t fields = ur__list_size(list);
    if (fields == 0) {
        return -EINVAL;
    }
    if (fields + 18 > link->slot_size) {
        return -EMSGSIZE;
    }
    int err = ur__get_room(link, lane, (uint32_t)fields + 18, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    (void)ur__put_response(room, lane->stream_id, 1, (unsigned)status, list);
    ur__writer_commit(&lane->writer, (uint32_t)fields + 18, kind);
    link->counters.slots_out++;
    return 0;
}

static inline int ur__interim(ur_link *link, ur_request r, int status, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->headers_sent) {
        return err != 0 ? err : -EALREADY;
    }
    if (status < 102 || status > 199) {
        return -EINVAL;
    }
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    err = ur__put_head(link, lane, status, list, UR__INTERIM, timeout_ms);
    if (err == 0) {
        ur__publish(link, lane);
    }
    return err;
}

UR_INLINE int ur_interim(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms) {
    return ur__interim(link, r, status, ur__array(headers, count), timeout_ms);
}

UR_INLINE int ur_interim_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms) {
    return ur__interim(link, r, status, ur__flat(fields, length), timeout_ms);
}

static inline int ur__final_status(int status) { return status >= 200 && status <= 999; }

static inline int ur__respond(ur_link *link, ur_request r, int status, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->headers_sent) {
        return err != 0 ? err : -EALREADY;
    }
    int open = status == 101 && ur_is_websocket(link, r);
    if (!open && !ur__final_status(status)) {
        return -EINVAL;
    }
    err = ur__put_head(link, lane, status, list, UR_HEADERS, timeout_ms);
    if (err != 0) {
        return err;
    }
    lane->headers_sent = 1;
    if (open) {
        lane->websocket_open = 1;
        ur__publish(link, lane); /* both sides wait for it */
    }
    return 0;
}

UR_INLINE int ur_respond(ur_link *link, ur_request r, int status, const ur_header *headers, size_t count,
                         int timeout_ms) {
    return ur__respond(link, r, status, ur__array(headers, count), timeout_ms);
}

UR_INLINE int ur_respond_flat(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                              int timeout_ms) {
    return ur__respond(link, r, status, ur__flat(fields, length), timeout_ms);
}

UR_INLINE int ur_check_flat(int status, const char *fields, size_t length) {
    return !ur__final_status(status) || ur__list_size(ur__flat(fields, length)) == 0 ? -EINVAL : 0;
}

UR_INLINE int ur_reserve(ur_link *link, ur_request r, int timeout_ms, void **room, size_t *size) {
    struct ur__lane *lane;
    int err = ur__find_writable(link, r, &lane);
    *room = NULL;
    *size = 0;
    if (err == 0 && lane->filled == lane->room_size) {
        err = ur__refill(link, lane, timeout_ms);
    }
    if (err == 0) {
        *room = lane->room + lane->filled;
        *size = lane->room_size - lane->filled;
    }
    return err;
}

UR_INLINE int ur_commit(ur_link *link, ur_request r, size_t n) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && (lane->websocket_open || n > lane->room_size - lane->filled)) {
        err = -EINVAL;
    }
    if (err == 0) {
        lane->filled += (uint32_t)n;
    }
    return err;
}

UR_INLINE int ur_write(ur_link *link, ur_request r, const void *data, size_t size, int timeout_ms, size_t *written) {
    struct ur__lane *lane;
    size_t done = 0;
    int err = ur__find_body(link, r, &lane);
    while (err == 0 && done < size) {
        if (lane->filled == lane->room_size) {
            err = ur__refill(link, lane, timeout_ms);
            continue;
        }
        size_t n = (size_t)ur__min(size - done, lane->room_size - lane->filled);
        memcpy(lane->room + lane->filled, (const uint8_t *)data + done, n);
        lane->filled += (uint32_t)n;
        done += n;
    }
    if (written != NULL) {
        *written = done;
    }
    return err;
}

UR_INLINE int ur_flush(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    (void)ur__commit_room(link, lane);
    ur__publish(link, lane);
    return ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0;
}

static inline int ur__trailers(ur_link *link, ur_request r, struct ur__list list, int timeout_ms) {
    struct ur__lane *lane;
    uint8_t *room = NULL;
    uint32_t size = 0;
    int err = ur__find_body(link, r, &lane);
    if (err != 0 || list.count == 0) {
        return err;
    }
    size_t bytes = ur__list_size(list);
    if (bytes == 0 || bytes > link->slot_size) {
        return bytes == 0 ? -EINVAL : -EMSGSIZE;
    }
    (void)ur__commit_room(link, lane);
    err = ur__get_room(link, lane, (uint32_t)bytes, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    (void)ur__put_list(room, list);
    ur__writer_commit(&lane->writer, (uint32_t)bytes, UR_TRAILERS);
    link->counters.slots_out++;
    lane->closing = 1;
    return 0;
}

UR_INLINE int ur_trailers(ur_link *link, ur_request r, const ur_header *fields, size_t count, int timeout_ms) {
    return ur__trailers(link, r, ur__array(fields, count), timeout_ms);
}

UR_INLINE int ur_trailers_flat(ur_link *link, ur_request r, const char *fields, size_t length, int timeout_ms) {
    return ur__trailers(link, r, ur__flat(fields, length), timeout_ms);
}

/* ------- messages */

/* Sends the first n bytes of the writer's reservation as a part of a message. */
static inline void ur__put_part(ur_link *link, struct ur__lane *lane, uint32_t kind, uint32_t n, int final) {
    uint32_t bits = final ? kind | UR__FINAL : kind;
    ur__drop_room(lane);
    ur__writer_commit(&lane->writer, n, bits);
    link->counters.slots_out++;
    link->counters.bytes_out += n;
    lane->message = final ? 0 : kind;
    ur__publish(link, lane);
}

static inline int ur__send_empty(ur_link *link, struct ur__lane *lane, uint32_t kind, int timeout_ms) {
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    int err = ur__put_empty(link, lane, kind | UR__FINAL, timeout_ms);
    if (err == 0) {
        lane->message = 0;
        ur__publish(link, lane);
    }
    return err;
}

UR_INLINE int ur_send(ur_link *link, ur_request r, uint32_t kind, const void *data, size_t size, int final,
                      int timeout_ms, size_t *sent) {
    struct ur__lane *lane;
    size_t done = 0;
    int err = ur__find_message(link, r, kind, &lane);
    if (err == 0) {
        ur__drop_room(lane);
    }
    if (err == 0 && size == 0 && final) {
        err = ur__send_empty(link, lane, kind, timeout_ms);
    }
    while (err == 0 && done < size) {
        uint8_t *room = NULL;
        uint32_t most = 0;
        err = ur__get_some_room(link, lane, size - done, timeout_ms, &room, &most);
        if (err == 0) {
            uint32_t n = (uint32_t)ur__min(size - done, most);
            memcpy(room, (const uint8_t *)data + done, n);
            done += n;
            ur__put_part(link, lane, kind, n, final && done == size);
        }
    }
    if (sent != NULL) {
        *sent = done;
    }
    return err;
}

UR_INLINE int ur_commit_message(ur_link *link, ur_request r, uint32_t kind, size_t n, int final) {
    struct ur__lane *lane;
    int err = ur__find_message(link, r, kind, &lane);
    if (err == 0 && (lane->room == NULL || n > lane->room_size)) {
        err = -EINVAL;
    }
    if (err != 0 || (n == 0 && !final)) {
        return err;
    }
    if (n > 0) {
        ur__put_part(link, lane, kind, (uint32_t)n, final);
        return 0;
    }
    ur__drop_room(lane);
    return ur__send_empty(link, lane, kind, UR_NOW); /* it takes the reserved place */
}

/* Reports whether RFC 6455 section 7.4 and its registry allow a code to be sent. */
static inline int ur__good_code(int code) {
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

/* Commits a close slot. */
static inline int ur__put_close(ur_link *link, struct ur__lane *lane, int code, ur_str reason, int timeout_ms) {
    uint8_t *room = NULL;
    uint32_t size = 0, n = (uint32_t)reason.length + 2;
    if (code == UR__NO_CODE) {
        return ur__put_empty(link, lane, UR_CLOSE, timeout_ms);
    }
    int err = ur__get_room(link, lane, n, timeout_ms, &room, &size);
    if (err != 0) {
        return err;
    }
    room[0] = (uint8_t)(code >> 8);
    room[1] = (uint8_t)code;
    if (reason.length > 0) {
        memcpy(room + 2, reason.data, reason.length);
    }
    ur__writer_commit(&lane->writer, n, UR_CLOSE);
    link->counters.slots_out++;
    return 0;
}

UR_INLINE int ur_send_close(ur_link *link, ur_request r, int code, const char *reason, size_t length, int timeout_ms) {
    struct ur__lane *lane;
    ur_str why = {reason, length};
    int err = ur__find_writable(link, r, &lane);
    if (err == 0 && (!lane->websocket_open || lane->message != 0)) {
        err = -EINVAL;
    }
    if (err != 0) {
        return err;
    }
    if (code == UR__NO_CODE ? length != 0 : !ur__good_code(code) || length > UR__MAX_REASON || !ur__valid_utf8(why)) {
        return -EINVAL;
    }
    ur__drop_room(lane);
    if (ur__check_cancelled(link, lane) != 0) {
        return -ECANCELED;
    }
    err = ur__put_close(link, lane, code, why, timeout_ms);
    if (err == 0) {
        lane->closing = 1;
        ur__publish(link, lane);
    }
    return err;
}

/* ------- ending */

/* Commits the end slot, waiting for room. -EAGAIN, -ETIMEDOUT: not yet; after any other
 * error the response is lost. */
static inline int ur__put_end(ur_link *link, struct ur__lane *lane, int timeout_ms) {
    (void)ur__commit_room(link, lane);
    int err = ur__put_empty(link, lane, UR_END, timeout_ms);
    link->counters.ended += err == 0;
    return err;
}

/* Reports whether a response may end now: it has begun, and no message is incomplete. */
static inline int ur__may_end(const struct ur__lane *lane) {
    return lane->headers_sent && !lane->response_ended && lane->message == 0;
}

UR_INLINE int ur_end(ur_link *link, ur_request r, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    if (!ur__may_end(lane)) {
        return -EINVAL;
    }
    err = ur__put_end(link, lane, timeout_ms);
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    int cancelled = ur__finish(link, lane);
    return err != 0 ? err : cancelled;
}

UR_INLINE int ur_close_websocket(ur_link *link, ur_request r, int code, const char *reason, size_t length,
                                 int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0) {
        return err;
    }
    if (!lane->websocket_open || lane->response_ended) {
        return -EINVAL;
    }
    if (!lane->closing) { /* the close may be committed while its end found no room */
        err = ur_send_close(link, r, code, reason, length, timeout_ms);
    }
    if (err == -EINVAL || err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    return ur_end(link, r, timeout_ms);
}

/* Commits an abort slot. Without room for it, letting go has the same meaning. */
static inline void ur__put_abort(ur_link *link, struct ur__lane *lane) {
    if (!lane->response_ended) {
        (void)ur__writer_commit_empty(&lane->writer, UR__ABORT);
        link->counters.aborted++;
    }
}

UR_INLINE int ur_abort(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0) {
        ur__put_abort(link, lane);
        (void)ur__finish(link, lane);
    }
    return err;
}

/* The response has ended; the request has not. */
static inline void ur__response_over(ur_link *link, struct ur__lane *lane) {
    lane->headers_sent = lane->closing = lane->response_ended = 1;
    link->ended_responses++;
    ur__publish(link, lane);
}

UR_INLINE int ur_end_response(ur_link *link, ur_request r, int timeout_ms) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err != 0 || lane->response_ended) {
        return err;
    }
    if (!ur__may_end(lane)) {
        return -EINVAL;
    }
    err = ur__put_end(link, lane, timeout_ms);
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        return err;
    }
    int cancelled =
        ur__check_cancelled(link, lane) != 0 ? -ECANCELED : 0; /* before the server sees the end and says "finished" */
    ur__response_over(link, lane);
    return err != 0 ? err : cancelled;
}

UR_INLINE int ur_abort_response(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && !lane->response_ended) {
        ur__put_abort(link, lane);
        ur__response_over(link, lane);
    }
    return err;
}

UR_INLINE int ur_let_go(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    int err = ur__find(link, r, &lane);
    if (err == 0 && !lane->response_ended) {
        err = -EINVAL;
    }
    if (err == 0) {
        (void)ur__finish(link, lane);
    }
    return err;
}

UR_INLINE int ur_respond_whole(ur_link *link, ur_request r, int status, const char *fields, size_t length,
                               const void *body, size_t size, int timeout_ms, size_t *written) {
    size_t done = 0;
    int err = ur__final_status(status) ? ur_respond_flat(link, r, status, fields, length, timeout_ms) : -EINVAL;
    if (err == -EAGAIN || err == -ETIMEDOUT) {
        err = -EBUSY; /* only interim responses can leave no room for the first slot of a lane */
    }
    if (err == -ECANCELED || err == -EPROTO) {
        (void)ur_abort(link, r);
    }
    if (err == 0) {
        err = ur_write(link, r, body, size, timeout_ms, &done);
        if (err != 0 && err != -EAGAIN && err != -ETIMEDOUT) {
            (void)ur_abort(link, r);
        }
    }
    if (err == 0) {
        err = ur_end(link, r, timeout_ms);
    }
    if (written != NULL) {
        *written = done;
    }
    return err;
}

UR_INLINE int ur_respond_whole_flat(ur_link *link, ur_request r, int status, const char *fields, int length,
                                    const void *body, int size) {
    struct ur__lane *lane;
    size_t written = 0;
    if (length < 0 || size < 0) {
        return -EINVAL;
    }
    int err = ur_respond_whole(link, r, status, fields, (size_t)length, body, (size_t)size, UR_NOW, &written);
    if (err == -EAGAIN && ur__find(link, r, &lane) == 0) {
        lane->unsent = (size_t)size - written;
    }
    return err;
}

UR_INLINE size_t ur_unsent(ur_link *link, ur_request r) {
    struct ur__lane *lane;
    return ur__find(link, r, &lane) == 0 ? lane->unsent : 0;
}

#ifdef __cplusplus
}
#endif
#endif /* UR_IMPLEMENTED */
