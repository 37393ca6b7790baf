package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// smallBody is how many bytes a handler may write before the headers go out: a
// response that ends within them gets a Content-Length, as in net/http.
const smallBody = 2048

// serveHTTP serves one request with an http.Handler.
func serveHTTP(base context.Context, r *Request, handler http.Handler, log *slog.Logger) {
	ctx := &requestContext{Context: base, request: r}
	defer r.cancel(shm.ReasonFinished) // ends what the handler derived from ctx
	request, body, err := newHTTPRequest(ctx, r)
	if err != nil {
		log.Warn("bad request from the server", "stream", r.id, "error", err)
		r.Abort()
		return
	}
	w := &responseWriter{request: r, ctx: ctx, header: make(http.Header), head: request.Method == http.MethodHead, log: log, length: -1}
	defer func() {
		if p := recover(); p != nil {
			_ = body.Close()
			w.panicked(p)
		}
	}()
	handler.ServeHTTP(w, request)
	_ = body.Close()
	w.finish()
}

// responseWriter is the http.ResponseWriter over a request's response lane. What follows
// log is guarded by the request's writing lock, so that a goroutine that a handler has left
// behind finds that the request has ended. Methods with a small letter are called with it.
type responseWriter struct {
	request *Request
	ctx     context.Context
	header  http.Header
	head    bool // the request's method is HEAD
	log     *slog.Logger

	status    int
	fields    []proto.Field // of the header as it was at WriteHeader
	announced []string      // names of trailers that it announced
	typed     bool          // the type of the body is not to be guessed
	framed    bool          // no length is to be added
	length    int64         // the Content-Length that was announced, or -1
	written   int64         // bytes of body from the handler, with those that were refused
	sent      int64         // bytes of body from the handler, without them
	small     []byte        // body held back, to learn its length
	committed bool          // the headers are in the lane
	err       error         // why the response cannot go on
}

// Header returns the response's header.
func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader sets the status. Informational ones (1xx) are sent at once, with the
// header as it is, but for 100 and 101, which are the server's to say.
func (w *responseWriter) WriteHeader(status int) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	w.writeHeader(status)
}

func (w *responseWriter) writeHeader(status int) {
	switch {
	case w.request.ended.Load():
	case w.status != 0:
		w.log.Warn("superfluous WriteHeader", "stream", w.request.id, "status", status, "first", w.status)
	case status < 100 || status > 999:
		panic(fmt.Sprintf("worker: invalid WriteHeader code %d", status))
	case status == http.StatusContinue || status == http.StatusSwitchingProtocols:
	case status < 200:
		w.interim(status)
	default:
		w.status = status
		w.takeHeader()
	}
}

// Write adds p to the body. Like net/http it may hold it back until Flush or the
// end of the handler.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if err := w.start(len(p)); err != nil {
		return 0, err
	}
	if w.holds(len(p)) {
		w.small = append(w.small, p...)
		return w.took(len(p))
	}
	return w.send(p)
}

// WriteString is Write without a copy of s while the body is held back.
func (w *responseWriter) WriteString(s string) (int, error) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if err := w.start(len(s)); err != nil {
		return 0, err
	}
	if w.holds(len(s)) {
		w.small = append(w.small, s...)
		return w.took(len(s))
	}
	return w.send([]byte(s))
}

// start readies the response for n more bytes of body.
func (w *responseWriter) start(n int) error {
	switch {
	case w.request.ended.Load():
		return ErrEnded
	case w.err != nil:
		return w.err
	case w.status == 0:
		w.writeHeader(http.StatusOK)
	}
	if n == 0 {
		return nil
	}
	if !bodyAllowed(w.status) {
		return http.ErrBodyNotAllowed
	}
	w.written += int64(n)
	if w.length >= 0 && w.written > w.length {
		return http.ErrContentLength
	}
	return nil
}

// holds reports whether n more bytes of body can be held back.
func (w *responseWriter) holds(n int) bool { return !w.committed && len(w.small)+n <= smallBody }

// took counts bytes of body.
func (w *responseWriter) took(n int) (int, error) {
	w.sent += int64(n)
	return n, nil
}

// send writes the headers if they are not out, what was held back, and p. A response to
// HEAD needs the body only for what its headers say of it.
func (w *responseWriter) send(p []byte) (n int, err error) {
	if err := w.commit(p); err != nil {
		return 0, err
	}
	if w.head {
		return w.took(len(p))
	}
	n, w.err = w.request.write(w.ctx, p)
	w.sent += int64(n)
	return n, w.err
}

// commit puts the headers into the lane, and after them what was held back. The body goes
// on with next.
func (w *responseWriter) commit(next []byte) error {
	if w.committed || w.err != nil {
		return w.err
	}
	w.committed = true
	w.describe(next)
	respond := func(fields []proto.Field) error { return w.request.respond(w.ctx, w.status, fields) }
	w.err = cleanly(respond, w.fields, w.log)
	if w.err == nil && len(w.small) > 0 && !w.head {
		_, w.err = w.request.write(w.ctx, w.small)
	}
	w.small = nil
	return w.err
}

// Flush sends what has been written so far.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if err := w.start(0); err != nil {
		return err
	}
	if err := w.commit(nil); err != nil {
		return err
	}
	return w.request.flush()
}

// EnableFullDuplex does nothing: reading and writing at once always works.
func (w *responseWriter) EnableFullDuplex() error { return nil }

// SetReadDeadline bounds the waiting for the body: Read returns os.ErrDeadlineExceeded
// after it. The zero time is never.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	w.request.setReadDeadline(t)
	return nil
}

// SetWriteDeadline bounds the waiting for room: the response breaks off if it takes until
// then to write it.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	w.request.setWriteDeadline(t)
	return nil
}

// CloseNotify returns a channel that gets a value when nobody wants the response any more.
// Frameworks ask for it that are older than a request's context.
func (w *responseWriter) CloseNotify() <-chan bool {
	gone := make(chan bool, 1)
	context.AfterFunc(w.ctx, func() { gone <- true })
	return gone
}

// finish ends the response after the handler has returned.
func (w *responseWriter) finish() {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	err := w.end()
	if err == nil || errors.Is(err, ErrEnded) { // by the Close of a WebSocket
		return
	}
	if !errors.Is(err, ErrCancelled) {
		w.log.Warn("response failed", "stream", w.request.id, "error", err)
	}
	w.request.abort()
}

// errShort breaks a response off, as in net/http.
var errShort = errors.New("worker: fewer bytes of body than the Content-Length")

func (w *responseWriter) end() error {
	if err := w.start(0); err != nil {
		return err
	}
	trailers := w.trailers()
	if !w.committed && len(trailers) == 0 && len(w.announced) == 0 {
		w.setLength()
	}
	if err := w.commit(nil); err != nil {
		return err
	}
	if w.length >= 0 && w.sent != w.length && !w.head && bodyAllowed(w.status) {
		_ = w.request.flush()
		return errShort
	}
	if len(trailers) > 0 && bodyAllowed(w.status) {
		return cleanly(func(fields []proto.Field) error { return w.request.endTrailers(w.ctx, fields) }, trailers, w.log)
	}
	return w.request.end(w.ctx)
}

// panicked answers 500 if nothing is out yet, and breaks the response off if
// something is. http.ErrAbortHandler is the handler's way to ask for the latter.
func (w *responseWriter) panicked(p any) {
	if p == http.ErrAbortHandler {
		w.request.Abort()
		return
	}
	w.log.Error("handler panicked", "stream", w.request.id, "panic", p, "stack", string(debug.Stack()))
	if !w.startAnew() {
		w.request.Abort()
		return
	}
	http.Error(w, "internal server error", http.StatusInternalServerError)
	w.finish()
}

// startAnew forgets the response, and reports whether none of it was out.
func (w *responseWriter) startAnew() bool {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	w.header, w.status, w.small, w.length, w.written, w.sent = make(http.Header), 0, nil, -1, 0, 0
	return !w.committed && !w.request.ended.Load()
}
