package relay

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// responseStream streams one response from slots to the client, as they are published, and
// flushes when the worker has nothing more ready.
type responseStream struct {
	stream     *dispatch.Stream
	progress   *progress.Exchange // of the stream
	writer     http.ResponseWriter
	vectors    protocol.VectorWriter // nil: pieces are written one by one
	controller *http.ResponseController
	request    *http.Request
	client     *clientInfo
	handshake  *websocket.Handshake // nil: the request asks for no WebSocket
	relay      *Relay
	settings   *settings
	app        *meter.App

	websocket  *websocketResponse // nil: no open WebSocket
	begun      bool               // the headers are out, or on their way
	begunAt    int64              // since when, shm.Now
	dirty      bool               // something is written and not flushed
	trailers   bool               // they have come
	sent       int64              // bytes of body from the worker
	head       header.ResponseHead
	pieces     [][]byte             // of the body, to be sent at once
	compressor *compress.Compressor // nil: the body is sent as it is
}

// run streams the response.
func (r *responseStream) run() error {
	for {
		slot, err := r.slot()
		if errors.Is(err, dispatch.ErrStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		done, err := r.handle(slot)
		if err != nil && r.begun {
			_ = r.flush() // the client gets what came before, also if nothing more comes
		}
		if err != nil || done {
			return err
		}
		r.stream.ReleaseSlot()
	}
}

// slot returns the next response slot, and waits for one.
func (r *responseStream) slot() (shm.Slot, error) {
	slot, err := r.stream.Next()
	if !errors.Is(err, dispatch.ErrNothingYet) {
		return slot, err
	}
	if err := r.flush(); err != nil {
		return slot, err
	}
	return r.stream.Await()
}

// handle sends what a slot carries. It reports done = true at the end.
func (r *responseStream) handle(slot shm.Slot) (done bool, err error) {
	if slot.Kind == shm.KindAbort {
		return false, r.stream.AbortCause()
	}
	if r.websocket != nil {
		r.dirty = true
		return r.websocket.send(slot)
	}
	switch slot.Kind {
	case shm.KindInterim:
		return false, r.sendInterim(slot.Bytes)
	case shm.KindHeaders:
		return false, r.begin(slot.Bytes)
	case shm.KindBody:
		return false, r.sendBody(slot)
	case shm.KindTrailers:
		return false, r.sendTrailers(slot.Bytes)
	case shm.KindEnd:
		r.stream.NoteEnd(slot)
		return true, r.end()
	}
	return false, fmt.Errorf("%w: a %v slot, and no WebSocket", fault.ErrWorkerInvalid, slot.Kind)
}

// sendTrailers hands the trailers to the writer, which sends them after the body.
func (r *responseStream) sendTrailers(frame []byte) error {
	r.trailers = true
	fields, _, err := proto.ParseFields(frame, nil)
	if err != nil {
		return fmt.Errorf("%w: trailers: %w", fault.ErrWorkerInvalid, err)
	}
	if err := r.flush(); err != nil { // or net/http would give a short body a length, and drop them
		return err
	}
	header.WriteTrailers(r.writer.Header(), fields)
	return nil
}

// parse decodes a headers frame. It copies the frame before it looks at it, so the client
// gets exactly the bytes that were checked. The response is valid until the next call.
func (r *responseStream) parse(frame []byte) (*proto.Response, error) {
	response := &r.stream.ResponseFrame
	n, err := response.Parse(frame)
	switch id := r.stream.ID(); {
	case err != nil:
		return nil, fmt.Errorf("%w: headers frame: %w", fault.ErrWorkerInvalid, err)
	case n != len(frame):
		return nil, fmt.Errorf("%w: headers frame: %d bytes too many", fault.ErrWorkerInvalid, len(frame)-n)
	case response.StreamID != id: // a worker that mixes up its clients
		return nil, fmt.Errorf("%w: headers frame of stream %d on the lane of %d",
			fault.ErrWorkerInvalid, response.StreamID, id)
	}
	return response, nil
}

// sendInterim sends a response that precedes the final one (RFC 9110 section 15.2).
func (r *responseStream) sendInterim(frame []byte) error {
	response, err := r.parse(frame)
	if err != nil {
		return err
	}
	fields := http.Header{}
	if err := header.WriteInterim(fields, response); err != nil || !protocol.TakesInterim(r.request) {
		return err
	}
	r.progress.StartWrite()
	protocol.SendInterim(r.writer, int(response.Status), fields)
	r.progress.EndWrite()
	return nil
}

// begin sends the response's status and fields.
func (r *responseStream) begin(frame []byte) error {
	response, err := r.parse(frame)
	if err != nil {
		return err
	}
	if r.handshake != nil && response.Status == http.StatusSwitchingProtocols {
		return r.openWebSocket(response)
	}
	head, err := header.WriteResponse(r.writer.Header(), response, r.request.Method)
	if err != nil {
		clear(r.writer.Header())
		return err
	}
	if r.handshake != nil {
		if err := r.rejectUpgrade(head.Status); err != nil {
			clear(r.writer.Header())
			return err
		}
	}
	if protocol.MissesBody(r.request, head.Status) {
		delete(r.writer.Header(), "Content-Length")
	}
	r.client.setResponseFields(r.writer.Header())
	r.start(head)
	r.compressor = r.settings.compressors.Begin(r.writer, r.request, &head)
	r.writer.WriteHeader(head.Status)
	return nil
}

// start notes that the response begins.
func (r *responseStream) start(head header.ResponseHead) {
	r.head, r.begun, r.begunAt, r.dirty = head, true, shm.Now(), true
	r.stream.KeepNoMore() // too late to serve it again
	r.progress.StartResponse()
}

// openWebSocket opens the WebSocket that the worker has accepted.
func (r *responseStream) openWebSocket(response *proto.Response) error {
	fields := header.Upgraded(response.Fields)
	if err := r.handshake.CheckProtocol(fields); err != nil {
		return err
	}
	r.client.leaving = nil // no request comes after it
	r.client.setResponseFields(fields)
	r.start(header.ResponseHead{Status: http.StatusSwitchingProtocols, ContentLength: -1})
	frames, err := r.handshake.Accept(r.writer, r.request, fields)
	if err != nil {
		return err
	}
	r.websocket = openWebSocket(r.stream, r.controller, frames, &r.settings.Config)
	r.app.WebSockets.Add(1)
	r.relay.dispatcher.OpenWebSocket(r.stream, r.websocket.conn.leave)
	return nil
}

// rejectUpgrade ends the request for a WebSocket to which the worker gives an ordinary
// response. To an extended CONNECT, success would open it (RFC 8441 section 5).
func (r *responseStream) rejectUpgrade(status int) error {
	if r.handshake.Extended() && status < http.StatusMultipleChoices {
		return fmt.Errorf("%w: the worker answered %d", fault.ErrNoWebSocket, status)
	}
	r.stream.EndRequest()
	return nil
}

// sendBody sends the body straight from shared memory: a slot, and what follows it.
func (r *responseStream) sendBody(slot shm.Slot) (err error) {
	if r.trailers {
		return fmt.Errorf("%w: a body after the trailers", fault.ErrWorkerInvalid)
	}
	if err := r.stream.ClientGone(); err != nil {
		return err // the writer may take megabytes more before it fails, behind a compressor
	}
	pieces := r.gather(slot)
	n := protocol.Length(pieces)
	r.sent += int64(n)
	if r.head.BodyAllowed && r.head.ContentLength >= 0 && r.sent > r.head.ContentLength {
		return fmt.Errorf("%w: more bytes than its Content-Length of %d", fault.ErrWorkerInvalid, r.head.ContentLength)
	}
	if !r.head.BodyAllowed {
		return nil // drained, not sent (RFC 9110 sections 9.3.2 and 15.3.5, RFC 9112 section 6.3)
	}
	r.progress.StartWrite()
	switch {
	case r.compressor != nil:
		_, err = r.compressor.Write(slot.Bytes)
	case len(pieces) > 1:
		err = r.vectors.WriteVector(pieces, r.tookSome)
	default:
		_, err = r.writer.Write(slot.Bytes)
	}
	r.progress.EndWrite()
	r.progress.Sent(n)
	r.dirty = true
	return clientError(r.progress, err)
}

// gather returns the bytes of a body slot, and of the next ones that are ready, if the writer
// takes several at once. They are released together.
func (r *responseStream) gather(slot shm.Slot) [][]byte {
	r.pieces = append(r.pieces[:0], slot.Bytes)
	if r.vectors == nil || r.compressor != nil {
		return r.pieces
	}
	for n := len(slot.Bytes); len(r.pieces) < protocol.MaxPieces && n < protocol.MaxPieceBytes; n += len(slot.Bytes) {
		var ok bool
		if slot, ok = r.stream.NextBody(); !ok {
			break
		}
		r.pieces = append(r.pieces, slot.Bytes)
	}
	return r.pieces
}

// tookSome notes that the client has taken something, and has the rest to take.
func (r *responseStream) tookSome() { r.progress.StartWrite() }

// flush sends what has been written when the worker has nothing more ready.
func (r *responseStream) flush() error {
	if !r.dirty {
		return nil
	}
	r.dirty = false
	if r.websocket != nil {
		return r.websocket.conn.flush()
	}
	r.progress.StartWrite()
	if protocol.EndsWithHeaders(r.request) {
		r.progress.IgnoreDeparture()
	}
	err := errors.Join(r.compressor.Flush(), r.controller.Flush())
	r.progress.EndWrite()
	if protocol.EndsWithHeaders(r.request) {
		return nil // an error would be that of a stream that has ended
	}
	return clientError(r.progress, err)
}

// end checks the response as a whole. A worker may have ended it although the request
// failed.
func (r *responseStream) end() error {
	if err := r.progress.UploadFailure(); err != nil {
		return err
	}
	if r.head.BodyAllowed && r.head.ContentLength >= 0 && r.sent != r.head.ContentLength {
		return fmt.Errorf("%w: %d bytes, its Content-Length is %d",
			fault.ErrWorkerInvalid, r.sent, r.head.ContentLength)
	}
	return r.finish()
}

// finish sends the rest: what the compressor holds until the body ends, and what the writer
// has gathered.
func (r *responseStream) finish() error {
	r.progress.StartWrite()
	err := errors.Join(r.compressor.Finish(), protocol.Push(r.writer))
	r.progress.EndWrite()
	r.dirty = true
	return clientError(r.progress, err)
}

// clientError returns what the failure of a write to the client means.
func clientError(p *progress.Exchange, err error) error {
	if err == nil {
		return nil
	}
	return writeError(p, err)
}

func writeError(p *progress.Exchange, err error) error {
	failure := p.UploadFailure()
	switch {
	case errors.Is(err, http.ErrNotSupported):
		return nil
	case errors.Is(failure, fault.ErrCancelled):
		return failure
	case p.Preempted():
		return fault.ErrPreempted
	case p.ClientSlow():
		return fmt.Errorf("%w: it took no byte of the response within the limit", fault.ErrClientSlow)
	}
	return fmt.Errorf("%w: %w", fault.ErrClientGone, err)
}
