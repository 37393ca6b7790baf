package server

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// responder streams one response from slots to the client, as they are
// published, and flushes when the worker has nothing more ready.
type responder struct {
	stream     *stream
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
	offeredAt  int64      // when the stream was first assigned, if it was only taken back since, shm.Now; else 0
	trailers   bool       // they have come
	sent       int64      // bytes of body from the worker
	head       header.ResponseHead
	pieces     [][]byte             // of the body, that are sent at once
	compressor *compress.Compressor // nil: the body is sent as it is
}

// The ways in which the present link can fail a stream that may be assigned
// anew.
var (
	errLinkDead = fmt.Errorf("%w: link dead", ErrWorkerLost)
	errRevoked  = fmt.Errorf("%w: taken back before the worker took it", ErrWorkerLost)
)

// errOverdue ends the waiting for a worker that has not ended a WebSocket which its
// client has closed.
var errOverdue = errors.New("closed by the client")

// errLetGo is returned when the worker let go of the exchange without an end.
var errLetGo = fmt.Errorf("%w: it let go of the exchange without an end", ErrWorkerAborted)

// run streams the response. Before its headers slot came it may return
// errLinkDead or errRevoked.
func (r *responder) run() error {
	for {
		slot, err := r.slot()
		if errors.Is(err, errOverdue) {
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
		r.release()
	}
}

// slot returns the next response slot, waiting for it.
func (r *responder) slot() (shm.Slot, error) {
	s := r.stream
	slot, err := s.response.Tail(s.next)
	if !errors.Is(err, shm.ErrNothingYet) {
		return slot, r.check(err)
	}
	if err := r.flush(); err != nil {
		return slot, err
	}
	s.place.position.WantResponse(true) // S1
	s.watch.waitSince.Store(r.waitsSince())
	defer s.place.position.WantResponse(false)
	defer s.watch.waitSince.Store(0)
	for {
		interrupted := r.interrupted() // before Tail: what the worker published before it died counts
		slot, err := s.response.Tail(s.next)
		if !errors.Is(err, shm.ErrNothingYet) {
			s.place.link.useNews()
			return slot, r.check(err)
		}
		if interrupted != nil {
			return slot, interrupted
		}
		<-s.news // the clock rings it for every deadline, and if the client is gone
	}
}

// takenBack notes, when a stream goes elsewhere, whether it was taken back from the
// place that it still has, or served there.
func (r *responder) takenBack(is bool) {
	switch {
	case !is:
		r.offeredAt = 0
	case r.offeredAt == 0:
		r.offeredAt = r.stream.place.assignedAt
	}
}

// waitsSince returns since when the server waits for a response slot, shm.Now: a
// stream that comes round from link to link, and is taken by none, gains no time.
func (r *responder) waitsSince() int64 {
	if r.offeredAt != 0 && r.stream.next == 1 {
		return r.offeredAt
	}
	return shm.Now()
}

// check evicts the worker if err says that it broke the protocol.
func (r *responder) check(err error) error {
	if err == nil {
		return nil
	}
	r.stream.place.link.evict(err)
	return fmt.Errorf("%w: %w", ErrWorkerLost, err)
}

// interrupted returns why waiting for the worker makes no sense any more.
func (r *responder) interrupted() error {
	s, at := r.stream, r.stream.place
	id := s.id.Load()
	switch {
	case s.revoked.Load(), at.passedOver(id):
		return r.cause(errRevoked)
	case at.link.gone.Load():
		return errLinkDead
	case at.tookBack(id):
		return r.check(fmt.Errorf("it takes back that it has accepted stream %d", id))
	case at.hasLetGo(id):
		return r.cause(errLetGo)
	case r.websocket != nil && r.websocket.overdue.Load():
		return errOverdue
	}
	return r.cause(nil)
}

// cause returns why the exchange has failed on our side, or err: a worker that
// gives up mostly does so because of what we told it.
func (r *responder) cause(err error) error {
	s := r.stream
	if failure := s.upload.failure(); failure != nil {
		return failure
	}
	if s.watch.clientGone.Load() {
		return ErrClientGone
	}
	if s.watch.expired.Load() == s.id.Load() {
		return ErrWorkerTimeout
	}
	return err
}

// handle sends what a slot carries. It reports done = true for the end.
func (r *responder) handle(slot shm.Slot) (done bool, err error) {
	if slot.Kind == shm.KindAbort {
		return false, r.aborted()
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
		r.stream.answered = slot.Time
		return true, r.end()
	}
	return false, fmt.Errorf("%w: a %v slot, and no WebSocket", ErrWorkerInvalid, slot.Kind)
}

// aborted returns why the worker gave up.
func (r *responder) aborted() error {
	if r.stream.place.link.gone.Load() { // it was told, and gives up what it cannot finish
		return r.cause(errLinkDead)
	}
	return r.cause(ErrWorkerAborted)
}

// parse decodes a headers frame. It copies the frame before it looks at it, so what
// was checked is what is sent. The response is valid until the next call.
func (r *responder) parse(frame []byte) (*proto.Response, error) {
	response := &r.stream.reply
	n, err := response.Parse(frame)
	switch id := r.stream.id.Load(); {
	case err != nil:
		return nil, fmt.Errorf("%w: headers frame: %w", ErrWorkerInvalid, err)
	case n != len(frame):
		return nil, fmt.Errorf("%w: headers frame: %d bytes too many", ErrWorkerInvalid, len(frame)-n)
	case response.StreamID != id: // a worker that mixes up its clients
		return nil, fmt.Errorf("%w: headers frame of stream %d on the lane of %d", ErrWorkerInvalid, response.StreamID, id)
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
	r.stream.watch.writeSince.Store(shm.Now())
	protocol.SendInterim(r.writer, int(response.Status), fields)
	r.stream.watch.writeSince.Store(0)
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
	r.stream.request.Keep(false) // too late to serve it again
	r.stream.watch.answered.Store(true)
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
	r.router.openWebsocket(r.stream, r.websocket)
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
	if err := r.stream.request.CommitEmpty(shm.KindEnd); err != nil {
		return nil // not even one more slot: the worker has to do without
	}
	r.stream.upload.ended.Store(true)
	r.stream.request.Publish() // A1
	r.stream.announceRequest()
	return nil
}

// gather returns the bytes of a body slot, and of those after it that are ready, if the
// writer takes several at once. It leaves next at the last of them.
func (r *responder) gather(slot shm.Slot) [][]byte {
	r.pieces = append(r.pieces[:0], slot.Bytes)
	if r.together == nil || r.compressor != nil {
		return r.pieces
	}
	s := r.stream
	for n := len(slot.Bytes); len(r.pieces) < protocol.MaxPieces && n < protocol.MaxPieceBytes; n += len(slot.Bytes) {
		var err error
		if slot, err = s.response.Tail(s.next + 1); err != nil || slot.Kind != shm.KindBody {
			break // who takes it next sees that, too
		}
		s.next++
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
	r.stream.watch.writeSince.Store(shm.Now())
	err := r.write(pieces)
	r.stream.watch.writeSince.Store(0)
	r.stream.watch.taken.Add(uint64(protocol.Length(pieces)))
	r.dirty = true
	return r.stream.clientError(err)
}

// progress notes that the client has taken something.
func (r *responder) progress() { r.stream.watch.writeSince.Store(shm.Now()) }

// write sends pieces: one, unless they can go together.
func (r *responder) write(pieces [][]byte) (err error) {
	switch {
	case r.compressor != nil:
		_, err = r.compressor.Write(pieces[0])
	case len(pieces) > 1:
		err = r.together.WriteVector(pieces, r.progress)
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
	r.stream.watch.writeSince.Store(shm.Now())
	if protocol.EndsWithHeaders(r.request) {
		r.stream.watch.dismiss()
	}
	err := errors.Join(r.compressor.Flush(), r.controller.Flush())
	r.stream.watch.writeSince.Store(0)
	if protocol.EndsWithHeaders(r.request) {
		return nil // an error would be that of a stream that has ended
	}
	return r.stream.clientError(err)
}

// end checks the response as a whole. A worker may have ended it in spite of the
// request's failure.
func (r *responder) end() error {
	if err := r.stream.upload.failure(); err != nil {
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
	r.stream.watch.writeSince.Store(shm.Now())
	err := errors.Join(r.compressor.Finish(), protocol.Push(r.writer))
	r.stream.watch.writeSince.Store(0)
	r.dirty = true
	return r.stream.clientError(err)
}

// release gives the slot back to the worker, and tells it if it waits for room.
func (r *responder) release() {
	s := r.stream
	s.response.Release(s.next) // D1
	s.next++
	if s.place.lane.WantsRoomAt(s.next - 1) { // S2
		s.place.link.end.Notify(s.place.index)
	}
}
