package relay

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// exchange is one request and its response.
type exchange struct {
	relay      *Relay
	settings   *settings
	writer     http.ResponseWriter
	controller *http.ResponseController
	request    *http.Request
	conn       *conn.Conn // nil: the request came in through a server that is not ours
	start      time.Time
	session    protocol.Session
	client     clientInfo
	handshake  *websocket.Handshake // nil: the request asks for no WebSocket
	window     windowClaim

	stream   *dispatch.Stream // nil: none yet
	streamID uint64
	progress *progress.Exchange // of the stream
	route    *Route             // nil: not chosen
	upload   *bodyUpload        // nil: no body, or not started
	response responseStream
	worker   string // name of the link that served the exchange
	trace    trace
	queuedAt int64 // since when it has waited for a worker, or did, shm.Now; 0: it never did
	placedAt int64 // when it first got one; 0: never

	received    int64          // bytes of body
	uploadEnded bool           // the whole body came in
	slow        bool           // the client was slow at some time
	counted     progress.Moved // bytes that were counted while it went on
}

// serve checks the request, finds a worker for it, and streams both ways.
func (x *exchange) serve() error {
	if err := x.checkLimits(); err != nil {
		return err
	}
	defer x.leave()
	if err := x.checkRequest(); err != nil {
		return err
	}
	if x.answeredHere() {
		if done, err := x.answerItself(); done {
			return err
		}
	}
	hasBody := x.hasBody()
	x.queuedAt = shm.At(x.start)
	s, err := x.relay.dispatcher.Acquire(x.request.Context(), dispatch.Request{
		Client: x.dispatchClient(), Idempotent: idempotent(x.request.Method),
		Upload: hasBody, Unasked: !x.session.AwaitsContinue, WebSocket: x.handshake != nil,
		Retries: x.route.Retries,
		Info: dispatch.RequestInfo{
			RequestID: x.client.id, Method: x.request.Method, Target: x.request.RequestURI,
			Protocol: x.request.Proto, ClientAddress: x.client.address, Start: x.start, Pool: x.route.pool,
		},
	})
	if err != nil {
		return err
	}
	x.stream, x.streamID, x.progress = s, s.ID(), s.Progress()
	if err := x.publishHeaders(hasBody); err != nil {
		s.Finish(err)
		return err
	}
	return x.run(hasBody)
}

// checkLimits refuses a request whose client may have no more now. Release: leave.
func (x *exchange) checkLimits() error {
	if !x.settings.rates.allow(x.request, &x.client) {
		return fault.ErrTooFast
	}
	if !x.session.Pipelined && (x.handshake != nil || x.hasBody()) {
		if err := x.claimWindow(); err != nil {
			return err
		}
	}
	err := x.relay.enter()
	if err != nil {
		x.window.release()
	}
	return err
}

func (x *exchange) leave() {
	x.relay.leave()
	x.window.release()
}

// checkRequest refuses a request that no worker has to see for that, and finds the route.
func (x *exchange) checkRequest() error {
	if x.session.Ambiguous {
		x.session.CloseAfter(x.writer.Header())
	}
	if err := x.session.Check(x.request); err != nil {
		return fmt.Errorf("%w: %w", fault.ErrBadRequest, err)
	}
	if x.handshake != nil {
		if err := x.handshake.Check(x.request); err != nil {
			x.writer.Header().Set("Sec-WebSocket-Version", websocket.Version) // RFC 6455 section 4.4
			return fmt.Errorf("%w: WebSocket: %w", fault.ErrBadRequest, err)
		}
	}
	if x.request.Method == http.MethodTrace && !x.settings.AllowTrace {
		x.writer.Header().Set("Allow", usualMethods)
		return fault.ErrTrace
	}
	if header.AsksServer(x.request) {
		return nil
	}
	return x.chooseRoute()
}

// usualMethods are those that a worker may serve, as far as the server knows: it does not
// ask which.
const usualMethods = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

// dispatchClient returns the client as the dispatcher counts it. A connection of a trusted
// proxy is that of many.
func (x *exchange) dispatchClient() dispatch.Client {
	known := x.conn != nil && !x.client.peer.Trusted && x.conn.Known.Load() &&
		(x.session.Pipelined || x.conn.Requests.Alone())
	return dispatch.NewClient(x.client.holder, known)
}

// run streams both ways with a worker, and with another one if the first failed before
// it mattered.
func (x *exchange) run(hasBody bool) error {
	s := x.stream
	x.response = responseStream{
		stream: s, progress: x.progress, writer: x.writer, vectors: x.session.Vectors,
		controller: x.controller, request: x.request, client: &x.client, handshake: x.handshake,
		relay: x.relay, settings: x.settings, app: x.route.meter.App,
	}
	x.progress.Attach(x.request.Context(), x.controller, x.stalled(), x.transferCounter())
	for {
		if err := s.Assign(x.request.Context(), x.route.pool); err != nil {
			x.haltUpload(err)
			x.detach()
			s.Finish(err)
			return err
		}
		if x.placedAt == 0 {
			x.placedAt = s.AssignedAt()
		}
		if hasBody && x.upload == nil {
			x.startUpload()
		}
		err := x.response.run()
		if err != nil && !x.response.begun && s.Retry(err) {
			continue
		}
		if err == nil {
			x.awaitUpload()
		}
		x.end(err)
		return err
	}
}

// stalled returns where the connection notes that it ends because its client takes nothing, or
// nil.
func (x *exchange) stalled() *atomic.Bool {
	if x.conn == nil {
		return nil
	}
	return &x.conn.Stalled
}

// transferCounter returns what counts the bytes that the kernel moves for the client.
func (x *exchange) transferCounter() progress.TransferCounter {
	if x.conn == nil {
		return progress.TransferCounter{}
	}
	return progress.TransferCounter{Socket: x.conn.Socket(), Exclusive: x.session.Pipelined}
}

// startUpload starts the upload of the body.
func (x *exchange) startUpload() {
	_ = x.controller.EnableFullDuplex() // HTTP/1.1 only; HTTP/2 and 3 always are
	x.upload = &bodyUpload{
		stream: x.stream, progress: x.progress, request: x.request, limit: x.route.BodyLimit,
		session: &x.session, writer: x.writer, window: &x.window, done: make(chan struct{}),
	}
	x.upload.lane.Open(x.stream)
	go x.upload.run()
}

// awaitUpload lets the upload go on after the end of the response while the worker reads
// it. The client gets the response meanwhile.
func (x *exchange) awaitUpload() {
	if x.upload == nil || x.progress.UploadEnded() {
		return
	}
	x.stream.Answered()
	r := &x.response
	open := r.head.BodyAllowed && (r.head.ContentLength < 0 || r.compressor != nil)
	x.upload.early = earlyAnswer{at: time.Now(), status: r.head.Status, open: open, flush: r.flush}
	hold := time.NewTimer(x.session.EarlyHold())
	defer hold.Stop()
	x.stream.AwaitUpload(hold.C, r.flush)
}

// end ends an exchange that a link has served, or failed to. The rest of an upload, or of a
// WebSocket, costs the worker nothing: only the row of the stream waits for the end of it.
func (x *exchange) end(err error) {
	s, socket := x.stream, x.response.websocket
	x.worker = s.Worker()
	if socket != nil || x.upload != nil && !x.progress.UploadEnded() {
		s.EndResponse(err)
	}
	x.haltUpload(err)
	x.response.compressor.Release()
	if socket != nil {
		socket.finish(err)
		x.received, x.response.sent = socket.upload.received, socket.sent
	}
	x.detach()
	x.slow = x.progress.WasSlow()
	s.Finish(err)
	if socket != nil {
		x.response.app.WebSockets.Add(-1)
		socket.conn.frames.Close()
	}
}

// detach ends what the deadline loop does for the exchange, before the stream, and its
// progress with it, may be another exchange's.
func (x *exchange) detach() {
	x.progress.Detach()
	x.counted = x.progress.Counted()
}

// haltUpload ends the upload. Net/http must not find the body half read on a connection
// that it means to keep, so the body is closed here, and the connection with it if the body
// has not come to its end.
func (x *exchange) haltUpload(err error) {
	if x.upload == nil {
		return
	}
	x.upload.halt(x.controller, err)
	_ = x.request.Body.Close()
	x.uploadEnded, x.received = x.progress.UploadEnded(), x.progress.Received()
	if !x.uploadEnded {
		x.session.CloseAfterReply(x.writer)
	}
}

// finish answers a failed exchange, and counts and logs every one.
func (x *exchange) finish(err error) {
	c := &x.relay.counters
	c.Exchanges.Add(1)
	status := x.response.head.Status
	x.markClientKnown(err == nil && !x.slow)
	if err != nil {
		c.Failed.Add(1)
		status = x.fail(err)
	}
	took := x.times()
	x.measure(&took, status, err)
	x.log(&took, status, err)
	x.endTrace(&took, status, err)
	if err != nil && x.response.websocket == nil && (x.response.begun || status == fault.StatusClientGone) {
		panic(http.ErrAbortHandler) // a broken exchange never looks complete
	}
}

// markClientKnown notes whether the exchange speaks for the client of the connection.
func (x *exchange) markClientKnown(known bool) {
	if x.conn != nil && x.conn.Known.Load() != known {
		x.conn.Known.Store(known)
	}
}
