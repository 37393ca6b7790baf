package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// responder streams one response from slots to the client, as they are
// published, and flushes when the worker has nothing more ready.
type responder struct {
	stream     *dispatch.Stream
	progress   *progress.Exchange // of the stream
	writer     http.ResponseWriter
	together   protocol.VectorWriter // nil: pieces are written one by one
	controller *http.ResponseController
	request    *http.Request
	origin     *origin
	offer      *wsock.Handshake // nil: the request asks for no WebSocket
	router     *UploadResponseRouter

	websocket  *websocket // nil: no open WebSocket
	begun      bool       // the headers are out, or on their way
	dirty      bool       // written and not flushed
	trailers   bool       // they have come
	sent       int64      // bytes of body from the worker
	head       header.ResponseHead
	pieces     [][]byte             // of the body, that are sent at once
	compressor *compress.Compressor // nil: the body is sent as it is
}

// run streams the response.
func (r *responder) run() error {
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
			_ = r.flush() // what came before is the client's, also if nothing more comes
		}
		if err != nil || done {
			return err
		}
		r.stream.ReleaseSlot()
	}
}

// slot returns the next response slot, and waits for it.
func (r *responder) slot() (shm.Slot, error) {
	slot, err := r.stream.Next()
	if !errors.Is(err, dispatch.ErrNothingYet) {
		return slot, err
	}
	if err := r.flush(); err != nil {
		return slot, err
	}
	return r.stream.Await()
}

// handle sends what a slot carries. It reports done = true for the end.
func (r *responder) handle(slot shm.Slot) (done bool, err error) {
	if slot.Kind == shm.KindAbort {
		return false, r.stream.AbortCause()
	}
	if r.websocket != nil {
		r.dirty = true
		return r.websocket.send(slot)
	}
	switch slot.Kind {
	case shm.KindInterim:
		return false, r.precede(slot.Bytes)
	case shm.KindHeaders:
		return false, r.begin(slot.Bytes)
	case shm.KindBody:
		if r.trailers {
			return false, fmt.Errorf("%w: a body after the trailers", ErrWorkerInvalid)
		}
		return false, r.body(r.gather(slot))
	case shm.KindTrailers:
		r.trailers = true
		fields, _, err := proto.ParseFields(slot.Bytes, nil)
		if err != nil {
			return false, fmt.Errorf("%w: trailers: %w", ErrWorkerInvalid, err)
		}
		if err := r.flush(); err != nil { // or net/http would give a short body a length, and drop them
			return false, err
		}
		header.WriteTrailers(r.writer.Header(), fields)
		return false, nil
	case shm.KindEnd:
		r.stream.NoteEnd(slot)
		return true, r.end()
	}
	return false, fmt.Errorf("%w: a %v slot, and no WebSocket", ErrWorkerInvalid, slot.Kind)
}

// parse decodes a headers frame. It copies the frame before it looks at it, so what
// was checked is what is sent. The response is valid until the next call.
func (r *responder) parse(frame []byte) (*proto.Response, error) {
	response := &r.stream.ResponseFrame
	n, err := response.Parse(frame)
	switch id := r.stream.ID(); {
	case err != nil:
		return nil, fmt.Errorf("%w: headers frame: %w", ErrWorkerInvalid, err)
	case n != len(frame):
		return nil, fmt.Errorf("%w: headers frame: %d bytes too many", ErrWorkerInvalid, len(frame)-n)
	case response.StreamID != id: // a worker that mixes up its clients
		return nil, fmt.Errorf("%w: headers frame of stream %d on the lane of %d",
			ErrWorkerInvalid, response.StreamID, id)
	}
	return response, nil
}

// precede sends a response that precedes the final one.
func (r *responder) precede(frame []byte) error {
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
func (r *responder) begin(frame []byte) error {
	response, err := r.parse(frame)
	if err != nil {
		return err
	}
	if r.offer != nil && response.Status == http.StatusSwitchingProtocols {
		return r.open(response)
	}
	head, err := header.WriteResponse(r.writer.Header(), response, r.request.Method)
	if err != nil {
		clear(r.writer.Header())
		return err
	}
	if err := r.decline(head.Status); err != nil {
		clear(r.writer.Header())
		return err
	}
	if protocol.MissesBody(r.request, head.Status) {
		delete(r.writer.Header(), "Content-Length")
	}
	r.origin.sign(r.writer.Header())
	r.start(head)
	r.compressor = r.router.compression.Begin(r.writer, r.request, &head)
	r.writer.WriteHeader(head.Status)
	return nil
}

// start notes that the response has begun, or is just about to.
func (r *responder) start(head header.ResponseHead) {
	r.head, r.begun, r.dirty = head, true, true
	r.stream.KeepNoMore() // too late to serve it again
	r.progress.StartResponse()
}

// open opens the WebSocket that the worker has accepted.
func (r *responder) open(response *proto.Response) error {
	fields := header.Upgraded(response.Fields)
	if err := r.offer.CheckProtocol(fields); err != nil {
		return err
	}
	r.origin.sign(fields)
	r.start(header.ResponseHead{Status: http.StatusSwitchingProtocols, ContentLength: -1})
	w, err := r.offer.Accept(r.writer, r.request, fields)
	if err != nil {
		return err
	}
	r.websocket = newWebsocket(r.stream, r.controller, w, &r.router.config)
	go r.websocket.pump.run()
	r.router.dispatcher.OpenWebSocket(r.stream, r.websocket.leave)
	return nil
}

// decline ends the request of a WebSocket to which the worker gives an ordinary
// answer. To an extended CONNECT, success would open it (RFC 8441 section 5).
func (r *responder) decline(status int) error {
	if r.offer == nil {
		return nil
	}
	if r.offer.Extended() && status < http.StatusMultipleChoices {
		return fmt.Errorf("%w: the worker answered %d", ErrNoWebSocket, status)
	}
	r.stream.EndRequest()
	return nil
}

// gather returns the bytes of a body slot, and of those after it that are ready, if the
// writer takes several at once. They are released together.
func (r *responder) gather(slot shm.Slot) [][]byte {
	r.pieces = append(r.pieces[:0], slot.Bytes)
	if r.together == nil || r.compressor != nil {
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

// body sends pieces of the body straight from shared memory.
func (r *responder) body(pieces [][]byte) error {
	r.sent += int64(protocol.Length(pieces))
	if r.head.BodyAllowed && r.head.ContentLength >= 0 && r.sent > r.head.ContentLength {
		return fmt.Errorf("%w: more bytes than its Content-Length of %d", ErrWorkerInvalid, r.head.ContentLength)
	}
	if !r.head.BodyAllowed {
		return nil // drained, not sent (RFC 9110 sections 9.3.2 and 15.3.5, RFC 9112 section 6.3)
	}
	r.progress.StartWrite()
	err := r.write(pieces)
	r.progress.EndWrite()
	r.progress.Sent(protocol.Length(pieces))
	r.dirty = true
	return clientError(r.progress, err)
}

// tookSome notes that the client has taken something, and is waited for to take the rest.
func (r *responder) tookSome() { r.progress.StartWrite() }

// write sends pieces: one, unless they can go together.
func (r *responder) write(pieces [][]byte) (err error) {
	switch {
	case r.compressor != nil:
		_, err = r.compressor.Write(pieces[0])
	case len(pieces) > 1:
		err = r.together.WriteVector(pieces, r.tookSome)
	default:
		_, err = r.writer.Write(pieces[0])
	}
	return err
}

// flush sends what has been written when the worker has nothing more ready.
func (r *responder) flush() error {
	if !r.dirty {
		return nil
	}
	r.dirty = false
	if r.websocket != nil {
		return r.websocket.flush()
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

// end checks the response as a whole. A worker may have ended it in spite of the
// request's failure.
func (r *responder) end() error {
	if err := r.progress.UploadFailure(); err != nil {
		return err
	}
	if r.head.BodyAllowed && r.head.ContentLength >= 0 && r.sent != r.head.ContentLength {
		return fmt.Errorf("%w: %d bytes, its Content-Length is %d", ErrWorkerInvalid, r.sent, r.head.ContentLength)
	}
	return r.finish()
}

// finish sends what only the end of the body brings out of the compressor, and what
// the writer has gathered.
func (r *responder) finish() error {
	r.progress.StartWrite()
	err := errors.Join(r.compressor.Finish(), protocol.Push(r.writer))
	r.progress.EndWrite()
	r.dirty = true
	return clientError(r.progress, err)
}

// clientError returns what the failure of a write to the client means.
func clientError(p *progress.Exchange, err error) error {
	switch {
	case err == nil, errors.Is(err, http.ErrNotSupported):
		return nil
	case p.Preempted():
		return fault.ErrPreempted
	case p.ClientSlow():
		return fmt.Errorf("%w: it took no byte of the response within the limit", ErrClientSlow)
	}
	return fmt.Errorf("%w: %w", ErrClientGone, err)
}
