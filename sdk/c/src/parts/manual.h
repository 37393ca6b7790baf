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
