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

// holdLimit is how many bytes a handler may write before the headers are sent. A response
// that ends within them gets a Content-Length, as under net/http.
const holdLimit = 2048

// serveHTTP serves one request with an http.Handler.
func serveHTTP(base context.Context, r *Request, handler http.Handler, log *slog.Logger) {
	ctx := &requestContext{Context: base, request: r}
	defer r.cancel(shm.ReasonFinished) // ends contexts that the handler derived from ctx
	request, body, err := newHTTPRequest(ctx, r)
	if err != nil {
		log.Warn("bad request from the server", "stream", r.id, "error", err)
		r.Abort()
		return
	}
	w := &responseWriter{
		request: r, ctx: ctx, header: make(http.Header), head: request.Method == http.MethodHead, log: log, length: -1,
	}
	defer func() {
		if p := recover(); p != nil {
			_ = body.Close()
			w.recovered(p)
		}
	}()
	handler.ServeHTTP(w, request)
	_ = body.Close()
	w.finish()
}

// responseWriter is the http.ResponseWriter over a request's response lane. The request's
// writing lock guards the fields after log, so that a goroutine that outlives its handler
// finds that the request has ended. Callers of unexported methods hold it, except of those
// that lock it themselves: recovered, reset, finish, bodyStarted and readDirect.
type responseWriter struct {
	request *Request
	ctx     context.Context
	header  http.Header
	head    bool // the request's method is HEAD
	log     *slog.Logger

	status    int
	fields    []proto.Field // of the header as it was at WriteHeader
	announced []string      // names of the trailers that the header announced
	hasType   bool          // do not guess the type of the body
	hasLength bool          // add no length
	length    int64         // the announced Content-Length, or -1
	written   int64         // bytes of body from the handler, refused ones included
	sent      int64         // bytes of body from the handler that were accepted
	held      []byte        // body held back to learn its length
	committed bool          // the headers are in the lane
	err       error         // why the response cannot go on
}

// Header returns the response's header.
func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader sets the status. Informational ones (1xx) are sent at once with the current
// header, except 100 and 101, which only the server sends.
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
		w.snapshotHeader()
	}
}

// Write adds p to the body. Like net/http it may hold p back until Flush or the end of the
// handler.
func (w *responseWriter) Write(p []byte) (int, error) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if err := w.start(len(p)); err != nil {
		return 0, err
	}
	if w.canHold(len(p)) {
		w.held = append(w.held, p...)
		return w.count(len(p))
	}
	return w.send(p)
}

// WriteString is Write, but does not copy s while the body is held back.
func (w *responseWriter) WriteString(s string) (int, error) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if err := w.start(len(s)); err != nil {
		return 0, err
	}
	if w.canHold(len(s)) {
		w.held = append(w.held, s...)
		return w.count(len(s))
	}
	return w.send([]byte(s))
}

// start prepares the response for n more bytes of body.
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
func (w *responseWriter) canHold(n int) bool { return !w.committed && len(w.held)+n <= holdLimit }

// count counts n accepted bytes of body.
func (w *responseWriter) count(n int) (int, error) {
	w.sent += int64(n)
	return n, nil
}

// send writes the headers unless they are sent, the bytes held back, and p. A response to
// HEAD needs the body only to derive headers from it.
func (w *responseWriter) send(p []byte) (n int, err error) {
	if err := w.commit(p); err != nil {
		return 0, err
	}
	if w.head {
		return w.count(len(p))
	}
	n, w.err = w.request.write(w.ctx, p)
	w.sent += int64(n)
	return n, w.err
}

// commit puts the headers into the lane, and after them the bytes held back. The body
// continues with next.
func (w *responseWriter) commit(next []byte) error {
	if w.committed || w.err != nil {
		return w.err
	}
	w.committed = true
	w.addContentType(next)
	respond := func(fields []proto.Field) error { return w.request.respond(w.ctx, w.status, fields) }
	w.err = writeClean(respond, w.fields, w.log)
	if w.err == nil && len(w.held) > 0 && !w.head {
		_, w.err = w.request.write(w.ctx, w.held)
	}
	w.held = nil
	return w.err
}

// Flush sends the bytes written so far.
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

// SetReadDeadline bounds the wait for the body: Read returns os.ErrDeadlineExceeded after
// it. The zero time means no deadline.
func (w *responseWriter) SetReadDeadline(t time.Time) error {
	w.request.setReadDeadline(t)
	return nil
}

// SetWriteDeadline bounds the wait for room: the response breaks off if it is not written
// by then.
func (w *responseWriter) SetWriteDeadline(t time.Time) error {
	w.request.setWriteDeadline(t)
	return nil
}

// CloseNotify returns a channel that receives a value when nobody wants the response any
// more. Frameworks that are older than the context of a request use it.
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
	if err == nil || errors.Is(err, ErrEnded) { // WebSocket.Close has ended it
		return
	}
	if !errors.Is(err, ErrCancelled) {
		w.log.Warn("response failed", "stream", w.request.id, "error", err)
	}
	w.request.abort()
}

// errShort breaks off a response with too short a body, as under net/http.
var errShort = errors.New("worker: fewer bytes of body than the Content-Length")

func (w *responseWriter) end() error {
	if err := w.start(0); err != nil {
		return err
	}
	trailers := w.trailers()
	if !w.committed && len(trailers) == 0 && len(w.announced) == 0 {
		w.addWholeLength()
	}
	if err := w.commit(nil); err != nil {
		return err
	}
	if w.length >= 0 && w.sent != w.length && !w.head && bodyAllowed(w.status) {
		_ = w.request.flush()
		return errShort
	}
	if len(trailers) > 0 && bodyAllowed(w.status) {
		end := func(fields []proto.Field) error { return w.request.endTrailers(w.ctx, fields) }
		return writeClean(end, trailers, w.log)
	}
	return w.request.end(w.ctx)
}

// recovered answers a panic with 500 if nothing has been sent, and otherwise breaks the
// response off. A handler asks for the latter with http.ErrAbortHandler.
func (w *responseWriter) recovered(p any) {
	if p == http.ErrAbortHandler {
		w.request.Abort()
		return
	}
	w.log.Error("handler panicked", "stream", w.request.id, "panic", p, "stack", string(debug.Stack()))
	if !w.reset() {
		w.request.Abort()
		return
	}
	http.Error(w, "internal server error", http.StatusInternalServerError)
	w.finish()
}

// reset forgets the response, and reports whether nothing of it has been sent.
func (w *responseWriter) reset() bool {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	w.header, w.status, w.held, w.length, w.written, w.sent = make(http.Header), 0, nil, -1, 0, 0
	return !w.committed && !w.request.ended.Load()
}
