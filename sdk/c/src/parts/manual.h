/*
 * upload_response.h - the C SDK of upload-response, in one file.
 *
 * An upload-response server takes HTTP/1.1, HTTP/2 and HTTP/3 requests and
 * streams each of them, slot by slot, into shared memory. A worker is a process
 * that attaches to the server, reads the slots of its requests while the upload
 * is still running, and writes response slots that the server streams back.
 * Nothing is copied between the two and, while both are busy, no system call is
 * made. Linux 5.10 or later, 64-bit; C11 or C++17; gcc or clang.
 *
 *
 * A WORKER
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
 * The folder examples/ has real ones: with error handling, with a clean end on
 * SIGTERM, and with a server that comes back.
 *
 *
 * HOW TO USE THIS FILE
 *
 * Header only: include it; every function is static inline, and nothing is to be
 * linked. As a library: define UR_SHARED before the include (pkg-config and the
 * CMake package do), which leaves declarations only, and link upload_response.
 * With -std=c11, define _GNU_SOURCE before the first include of your file.
 *
 *
 * REQUESTS AND SLOTS
 *
 * A request is a lane of slots, counted from 1. Slot 1 is the headers; then come
 * body slots (UR_BODY), at most one slot of trailers (UR_TRAILERS), and an empty
 * slot (UR_END). A slot of the body has at least one byte and at most
 * ur_slot_size(); where one ends means nothing. ur_next_slot() returns the slots
 * behind the headers one after the other, ur_tail() any slot by its number.
 * ur_release() gives slots back. Release what you do not need any more: a client
 * whose slots are not released is held back.
 *
 * A response is ur_respond() with status and headers; then any number of
 * ur_write(), or of ur_reserve() and ur_commit(), which fill a slot in place;
 * perhaps ur_trailers(); and ur_end(). It may begin before the request has ended;
 * responses that precede it, such as 103 Early Hints, are sent by ur_interim().
 * What is written goes out when a slot is full, with ur_flush(), and with
 * ur_end(). A request that cannot be answered is ended with ur_abort(): its
 * client sees an error, or a response that visibly breaks off.
 *
 * Every request that ur_next() returned has to be ended, with ur_end() or
 * ur_abort(), also after a cancellation: until then its lane serves nobody else.
 * Several requests may be in progress on a link, and may end in any order.
 *
 * A response may end before its request: ur_end_response() sends the end to the
 * client and leaves the request's slots readable until ur_let_go(). Until then the
 * lane serves nobody else.
 *
 *
 * WEBSOCKETS
 *
 * ur_is_websocket() tells a request for a WebSocket. It is answered like any GET, or
 * accepted: ur_respond() with the status 101. From then on both lanes have messages in
 * place of a body. A message is one or more slots, all of them UR_TEXT or all
 * UR_BINARY, the last with final set; a slot may be empty. A client that closes says so
 * with a slot UR_CLOSE, which ur_close_code() decodes; then comes UR_END.
 *
 *     ur_respond(link, r, 101, NULL, 0, UR_FOREVER);
 *     while (ur_next_slot(link, r, UR_FOREVER, &slot) == 0 && slot.kind != UR_CLOSE) {
 *         ur_send(link, r, slot.kind, slot.data, slot.length, (int)slot.final, UR_FOREVER, NULL);
 *         ur_release(link, r, slot.number);
 *     }
 *     ur_close_websocket(link, r, 1000, NULL, 0, UR_FOREVER);
 *
 * ur_send() sends a message or a part of one, at once; ur_reserve() and
 * ur_commit_message() do so in place. ur_close_websocket() closes with a code and ends
 * the request; ur_send_close() with ur_end_response() leaves its slots readable.
 * ur_end() alone closes with 1000, ur_abort() with 1011. A client that is gone without
 * a close is a cancellation. Masks, pings and compression are the server's affair.
 *
 *
 * FEWER CALLS
 *
 * Most requests and most responses are small, and where a call is dear, as it is
 * from another language, two do for all of it: ur_next_flat() or ur_next_split() returns the
 * next request with its whole head as text, and its body if that has come; ur_respond_whole()
 * or ur_respond_whole_flat() is status, headers, body and end in one; ur_sleep() is all of a sleep.
 * They, and ur_respond_flat(), ur_interim_flat() and ur_trailers_flat(), have header
 * lists as one flat text: name and value by turns, each followed by a NUL, which neither
 * can contain. Of a large body ur_next_slots() returns several slots at once.
 *
 *
 * LIFETIMES
 *
 *     ur_link        from ur_attach() to ur_close()
 *     ur_request     from ur_next() to ur_end() or ur_abort(); it is a number,
 *                    and a call with one of the past returns -ESTALE
 *     slot bytes     from ur_tail() or ur_next_slot() to the release of that slot
 *                    or a later one, or the end of the request
 *     ur_str         of ur_method() and the like: as the bytes of slot 1; after
 *                    ur_keep_headers(), as the memory given to that
 *     ur_flat_request.body  as the bytes of slot 2
 *     reserved room  from ur_reserve() to the next call that writes
 *
 * All of them end with ur_close().
 *
 *
 * THREADS AND PROCESSES
 *
 * A link is used by one thread at a time, with no locks inside; have a link for
 * each thread that serves. Threads and links share nothing. After a fork the
 * child has no part in the links of its parent: there, every call returns -ECHILD,
 * and only ur_close() does something, which is to close the child's copies of the
 * descriptors. Attach after the fork.
 *
 * Nothing here prints, exits, starts a thread, or touches a signal handler.
 *
 *
 * WAITING
 *
 * Calls that may have to wait take a time in milliseconds: UR_NOW (0) to try and
 * return -EAGAIN, UR_FOREVER (-1), or a bound after which they return -ETIMEDOUT.
 * A blocking call waits for one thing. To wait for several at once use ur_wait(),
 * then ur_next(link, UR_NOW, ...) and ur_ready(), which names the requests where
 * something has happened; call again what returned -EAGAIN for those.
 *
 * With an event loop, attach with UR_BELL_EVENTFD and watch ur_fd() for reading:
 *
 *     for (;;) {
 *         if (ur_arm(link, UR_WAIT_STREAM | UR_WAIT_READY) == 0) {
 *             ... go to sleep in the loop until ur_fd(link) is readable, or
 *                 something else of yours happens ...
 *         }
 *         ur_disarm(link);
 *         while (ur_next(link, UR_NOW, &r) == 0) ... start r ...
 *         while (ur_ready(link, &r) == 0) ... go on with r ...
 *     }
 *
 * ur_arm() announces that you are about to sleep and looks once more: -EAGAIN says
 * that there is something to do. Without the announcement nobody rings, so never
 * sleep without it. ur_disarm() takes it back and silences the descriptor.
 *
 *
 * ERRORS
 *
 * Functions return 0, or one of these. Others come from the system as they are.
 *
 *     -EAGAIN       not yet: no request, no slot, no room
 *     -ETIMEDOUT    not within the given time
 *     -ECANCELED    nobody wants the response any more; ur_reason() says why.
 *                   Stop, and end the request
 *     -ESTALE       the request has ended, or never was one of this link
 *     -ENOTCONN     the link is dead: its server is gone or has closed it;
 *                   ur_error_text() says more. Requests in progress are cancelled with
 *                   UR_SERVER_GONE. Close it, and attach again
 *     -ESHUTDOWN    after ur_drain(): no more requests will come
 *     -EPROTO       the server's numbers make no sense, such as an assignment to a
 *                   lane whose request has not ended; the link is dead, its
 *                   requests are cancelled, and ur_error_text() says what it was
 *     -ECHILD       the link belongs to the parent process
 *     -EINVAL       an argument out of range; a body before the headers or after
 *                   the trailers; a header name or value with a forbidden byte; a
 *                   body in a WebSocket, a message anywhere else or after the close
 *     -EALREADY     headers twice, or an interim response after them
 *     -EBUSY        a wait for a request, with all lanes of the link in use; see
 *                   also ur_respond_whole()
 *     -EMSGSIZE     the headers do not fit one slot
 *     -ENOENT       no such header; or a slot that was released
 *     -EBADMSG      a headers frame or trailers that cannot be decoded
 *     -ENOMEM       no memory for the copy of a headers frame
 *
 * ur_attach() also returns: -EPROTONOSUPPORT no common layout, -EACCES this user
 * may not attach, or others can write the folder of the default socket, -EPERM the
 * server is of a user who is not to be believed, -ENXIO no such pool, -EBUSY the
 * server has no room for another link, -ESHUTDOWN it is about to end, -ECONNREFUSED
 * and -ENOENT nobody is there. ur_is_temporary() tells which of them may pass.
 */
