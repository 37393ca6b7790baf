package server

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
)

// exchange is one request and its response.
type exchange struct {
	router     *UploadResponseRouter
	writer     http.ResponseWriter
	controller *http.ResponseController
	request    *http.Request
	conn       *conn.Conn // nil: it came in through a server that is not ours
	start      time.Time
	session    protocol.Session
	origin     origin
	offer      *wsock.Handshake // nil: the request asks for no WebSocket
	window     windowClaim

	stream    *dispatch.Stream // nil: it has none yet
	streamID  uint64
	progress  *progress.Exchange // of the stream
	pool      *dispatch.Pool
	pump      *pump // nil: no body, or not started
	responder responder
	worker    string // name of the link that served it

	received    int64 // bytes of body
	uploadEnded bool  // the whole body came in
	slow        bool  // its client was slow at some time
}

// serve finds a worker for the exchange and streams both ways.
func (x *exchange) serve() error {
	if err := x.admit(); err != nil {
		return err
	}
	if header.AsksServer(x.request) {
		return x.answerItself()
	}
	hasBody := x.hasBody()
	s, err := x.router.dispatcher.Acquire(x.request.Context(), dispatch.Request{
		Client: x.clientOf(), Idempotent: idempotent(x.request.Method),
		Upload: hasBody, Unasked: !x.session.AwaitsContinue, WebSocket: x.offer != nil,
	})
	if err != nil {
		return err
	}
	x.stream, x.streamID, x.progress = s, s.ID(), s.Progress()
	if err := x.publishHeaders(hasBody); err != nil {
		s.Finish(err)
		return err
	}
	return x.exchange(hasBody)
}

func (x *exchange) hasBody() bool {
	return x.offer == nil && x.request.Body != nil && x.request.Body != http.NoBody && x.request.ContentLength != 0
}

// admit finds the pool, and refuses what needs no worker to be refused.
func (x *exchange) admit() error {
	if x.session.Ambiguous {
		x.session.CloseAfter(x.writer.Header())
	}
	if err := x.session.Check(x.request); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	if err := x.checkOffer(); err != nil {
		return err
	}
	if x.request.Method == http.MethodTrace && !x.router.config.AllowTrace {
		x.writer.Header().Set("Allow", usualMethods)
		return ErrTrace
	}
	if header.AsksServer(x.request) {
		return nil
	}
	var err error
	if x.pool, err = x.router.routes.choose(x.request.URL); err != nil {
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	}
	switch limit := x.router.config.BodyLimit; {
	case x.pool == nil:
		return fmt.Errorf("%w for %s", ErrNoRoute, x.request.URL.Path)
	case limit > 0 && x.request.ContentLength > limit:
		return fmt.Errorf("%w: %d bytes announced, the limit is %d", ErrBodyTooLarge, x.request.ContentLength, limit)
	}
	return nil
}

// usualMethods are those that a worker may serve, as far as the server knows: it does not
// ask which.
const usualMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// answerItself says that the server is there: no worker is asked about the server as a
// whole.
func (x *exchange) answerItself() error {
	header := x.writer.Header()
	x.origin.sign(header)
	header.Set("Content-Length", "0")
	x.limitUnread()
	x.responder.head.Status = http.StatusOK
	x.writer.WriteHeader(http.StatusOK)
	return nil
}

// checkOffer refuses the offer of a WebSocket that is none of ours.
func (x *exchange) checkOffer() error {
	if x.offer == nil {
		return nil
	}
	if err := x.offer.Check(x.request); err != nil {
		x.writer.Header().Set("Sec-WebSocket-Version", wsock.Version) // RFC 6455 section 4.4
		return fmt.Errorf("%w: WebSocket: %w", ErrBadRequest, err)
	}
	return nil
}

// publishHeaders writes slot 1, and the end of a request without a body.
func (x *exchange) publishHeaders(hasBody bool) error {
	s, limit, most := x.stream, x.router.config.HeaderLimit, x.router.config.FieldLimit
	if err := requestFrame(&s.RequestFrame, x.request, &x.origin, x.offer != nil, x.streamID); err != nil {
		return err
	}
	if n := len(s.RequestFrame.Fields); n > most {
		return fmt.Errorf("%w: %d fields, the limit is %d", ErrHeadersTooLarge, n, most)
	}
	space, err := s.ReserveHeaders(limit)
	if err != nil {
		return err // cannot be: the lane is empty and its buffer guaranteed
	}
	frame, err := proto.AppendRequest(space[:0:limit], &s.RequestFrame)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrBadRequest, err)
	case len(frame) > limit && len(s.RequestFrame.Path) > len(frame)/2:
		return fmt.Errorf("%w: %d bytes, the limit is %d for the whole header",
			ErrTargetTooLong, len(s.RequestFrame.Path), limit)
	case len(frame) > limit:
		return fmt.Errorf("%w: %d bytes, the limit is %d", ErrHeadersTooLarge, len(frame), limit)
	}
	return s.PublishHeaders(len(frame), !hasBody && x.offer == nil)
}

// exchange streams both ways with a worker, and with another one if the first failed before
// it mattered.
func (x *exchange) exchange(hasBody bool) error {
	s := x.stream
	x.responder = responder{
		stream: s, progress: x.progress, writer: x.writer, together: protocol.VectorWriterOf(x.writer, x.request),
		controller: x.controller, request: x.request, origin: &x.origin, offer: x.offer, router: x.router,
	}
	x.progress.Attach(x.request.Context(), x.controller, x.transferCounter())
	for {
		if err := s.Assign(x.request.Context(), x.pool); err != nil {
			x.haltPump(err)
			x.progress.Detach()
			s.Finish(err)
			return err
		}
		x.startPump(hasBody)
		err := x.responder.run()
		if err != nil && !x.responder.begun && s.Retry(err) {
			continue
		}
		if err == nil {
			x.awaitUpload()
		}
		x.finish(err)
		return err
	}
}

// finish ends an exchange that a link has served, or failed to. What is left of an
// upload, or of a WebSocket, costs the worker nothing: only the stream's row waits for
// the end of that.
func (x *exchange) finish(err error) {
	s, websocket := x.stream, x.responder.websocket
	x.worker = s.Worker()
	if websocket != nil || x.pump != nil && !x.progress.UploadEnded() {
		s.EndResponse(err)
	}
	x.haltPump(err)
	x.responder.compressor.Release()
	if websocket != nil {
		websocket.finish(err)
	}
	x.progress.Detach()
	x.slow = x.progress.WasSlow()
	s.Finish(err)
	if websocket != nil {
		websocket.wire.Close()
	}
}

// idempotent reports whether a method may be carried out twice (RFC 9110 section
// 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// startPump starts the upload, once.
func (x *exchange) startPump(hasBody bool) {
	if !hasBody || x.pump != nil {
		return
	}
	_ = x.controller.EnableFullDuplex() // HTTP/1.1 only; HTTP/2 and 3 always are
	x.pump = &pump{
		stream: x.stream, progress: x.progress, request: x.request, limit: x.router.config.BodyLimit,
		session: &x.session, writer: x.writer, window: &x.window, done: make(chan struct{}),
	}
	x.pump.lane.Open(x.stream)
	go x.pump.run()
}

// awaitUpload lets the upload go on after the end of the response as long as the
// worker reads it. Its client gets the response meanwhile.
func (x *exchange) awaitUpload() {
	if x.pump == nil || x.progress.UploadEnded() {
		return
	}
	x.stream.Answered()
	r := &x.responder
	open := r.head.BodyAllowed && (r.head.ContentLength < 0 || r.compressor != nil)
	x.pump.early = earlyAnswer{at: time.Now(), status: r.head.Status, open: open, flush: r.flush}
	hold := time.NewTimer(x.session.EarlyHold())
	defer hold.Stop()
	x.stream.AwaitUpload(hold.C, r.flush)
}

// haltPump ends the upload. Net/http must not find the body half read on a
// connection that it means to keep, so it is closed here, and the connection
// with it if the body has not come to its end.
func (x *exchange) haltPump(err error) {
	if x.pump == nil {
		return
	}
	x.pump.halt(x.controller, err)
	_ = x.request.Body.Close()
	x.uploadEnded, x.received = x.progress.UploadEnded(), x.progress.Received()
	if !x.uploadEnded {
		x.session.CloseAfterReply(x.writer)
	}
}

// clientOf returns the client of an exchange. Behind a proxy that we trust a connection
// is that of many.
func (x *exchange) clientOf() dispatch.Client {
	known := x.conn != nil && !x.origin.peer.Trusted && x.conn.Known.Load() &&
		(x.session.Pipelined || x.conn.Requests.Alone())
	return dispatch.NewClient(x.origin.holder, known)
}

// judge notes what the end of an exchange says of its client.
func (x *exchange) judge(err error) {
	known := err == nil && !x.slow
	if x.conn != nil && x.conn.Known.Load() != known {
		x.conn.Known.Store(known)
	}
}

func (x *exchange) transferCounter() progress.TransferCounter {
	if x.conn == nil {
		return progress.TransferCounter{}
	}
	return progress.TransferCounter{Socket: x.conn.Socket(), Exclusive: x.session.Pipelined}
}

// conclude answers a failed exchange, and logs and counts every one.
func (x *exchange) conclude(err error) {
	c := &x.router.counters
	c.Exchanges.Add(1)
	status := x.responder.head.Status
	x.judge(err)
	if err != nil {
		c.Failed.Add(1)
		status = x.fail(err)
	}
	if log := x.router.config.AccessLog; log != nil {
		x.log(log, status, err)
	}
	if err != nil && x.responder.websocket == nil && (x.responder.begun || status == fault.StatusClientGone) {
		panic(http.ErrAbortHandler) // a broken exchange never looks complete
	}
}

// fail counts a failed exchange and answers it if that is still possible.
func (x *exchange) fail(err error) (status int) {
	c := &x.router.counters
	f := fault.Of(err)
	status = f.Status
	c.countFault(f.Counter)
	if status >= http.StatusInternalServerError && !f.Retry {
		x.router.log.Warn("exchange failed", "stream", x.streamID,
			"method", x.request.Method, "path", x.request.URL.Path,
			"worker", x.worker, "status", status, "begun", x.responder.begun, "error", err)
	}
	if x.responder.begun {
		c.Aborted.Add(1)
		return status
	}
	if status == fault.StatusClientGone {
		return status
	}
	header := x.writer.Header()
	x.origin.sign(header)
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	if f.Retry {
		header.Set("Retry-After", "1")
	}
	if x.pump != nil && !x.uploadEnded || x.session.Ambiguous || f.EndsConnection {
		x.session.CloseAfter(header)
	}
	x.limitUnread()
	x.writer.WriteHeader(status)
	n, _ := fmt.Fprintf(x.writer, "%d %s: %s\n", status, http.StatusText(status), f.Reason())
	if x.request.Method != http.MethodHead {
		x.responder.sent = int64(n)
	}
	_ = protocol.Push(x.writer)
	x.dropRest()
	return status
}

// dropRest lets the upload of a refused request over HTTP/2 in for a moment, see
// [protocol.DrainTime].
func (x *exchange) dropRest() {
	if x.session.Version != proto.HTTP2 || x.session.AwaitsContinue || !x.hasBody() || x.pump != nil {
		return
	}
	_ = x.controller.Flush()
	_ = x.controller.SetReadDeadline(time.Now().Add(protocol.DrainTime))
	_, _ = io.CopyN(io.Discard, x.request.Body, protocol.DrainBytes)
}

// limitUnread bounds how long net/http waits for a body that nobody reads: it reads some
// of it before it answers.
func (x *exchange) limitUnread() {
	if x.session.Pipelined && x.pump == nil && x.hasBody() {
		_ = x.controller.SetReadDeadline(time.Now().Add(leftoverTime))
	}
}
