package worker

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// Respond starts the response with a status, from 200 to 999, and fields. They are sent
// with the next Flush, full slot, or End.
func (r *Request) Respond(ctx context.Context, status int, fields []proto.Field) error {
	if status < 200 || status > 999 {
		return fmt.Errorf("%w: status %d", ErrResponse, status)
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.respond(ctx, status, fields)
}

// respond is Respond for any status. The caller of this and of all other unexported methods
// in this file has locked writing.
func (r *Request) respond(ctx context.Context, status int, fields []proto.Field) error {
	switch {
	case r.ended.Load():
		return ErrEnded
	case r.started:
		return fmt.Errorf("%w: the headers are written already", ErrResponse)
	}
	if err := r.writeHead(ctx, status, fields, shm.KindHeaders); err != nil {
		return err
	}
	r.started = true
	return nil
}

// Interim sends an interim response at once, such as 103 Early Hints (RFC 8297), with a
// status from 102 to 199. Preconditions: Respond was not called.
func (r *Request) Interim(ctx context.Context, status int, fields []proto.Field) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.interim(ctx, status, fields)
}

func (r *Request) interim(ctx context.Context, status int, fields []proto.Field) error {
	switch {
	case r.ended.Load():
		return ErrEnded
	case r.started:
		return fmt.Errorf("%w: status %d after the headers", ErrResponse, status)
	case status < 102 || status > 199:
		return fmt.Errorf("%w: status %d before the response", ErrResponse, status)
	}
	if err := r.writeHead(ctx, status, fields, shm.KindInterim); err != nil {
		return err
	}
	r.publish()
	return nil
}

// writeHead writes a slot with a headers frame.
func (r *Request) writeHead(ctx context.Context, status int, fields []proto.Field, kind shm.Kind) error {
	head := proto.Response{StreamID: r.id, Version: proto.HTTP11, Status: uint16(status), Fields: fields}
	frame, err := proto.AppendResponse(r.lane.scratch[:0], &head)
	if err != nil {
		return fmt.Errorf("worker: response headers: %w", err)
	}
	r.lane.scratch = frame
	return r.writeSlot(ctx, frame, kind)
}

// Reserve returns space for body bytes in shared memory: at least one byte, and usually a
// good part of a slot. It waits until the server has released earlier slots. The space is
// valid until Commit.
func (r *Request) Reserve(ctx context.Context) ([]byte, error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.reserve(ctx)
}

func (r *Request) reserve(ctx context.Context) ([]byte, error) {
	if !r.started || r.websocket {
		if r.ended.Load() {
			return nil, ErrEnded
		}
		return nil, fmt.Errorf("%w: a body before the headers, or in a WebSocket", ErrResponse)
	}
	if r.filled == len(r.space) {
		if err := r.refill(ctx); err != nil {
			return nil, err
		}
	}
	return r.space[r.filled:], nil
}

// Commit adds the first n bytes of the space that Reserve returned to the body. They are
// sent when the slot is full, with Flush, or with End.
func (r *Request) Commit(n int) {
	r.writing.Lock()
	defer r.writing.Unlock()
	r.commit(n)
}

func (r *Request) commit(n int) {
	if n < 0 || n > len(r.space)-r.filled {
		panic("worker: Commit of more than was reserved")
	}
	r.filled += n
}

// Write adds p to the body, in as many slots as necessary. It waits until the server has
// released earlier slots.
func (r *Request) Write(p []byte) (int, error) { return r.WriteContext(context.Background(), p) }

// WriteContext is Write, but gives up when ctx ends.
func (r *Request) WriteContext(ctx context.Context, p []byte) (written int, err error) {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.write(ctx, p)
}

func (r *Request) write(ctx context.Context, p []byte) (written int, err error) {
	for len(p) > 0 {
		space, err := r.reserve(ctx)
		if err != nil {
			return written, err
		}
		n := copy(space, p)
		r.commit(n)
		written, p = written+n, p[n:]
	}
	return written, nil
}

// Flush publishes the bytes written so far.
func (r *Request) Flush() error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.flush()
}

func (r *Request) flush() error {
	if r.ended.Load() {
		return ErrEnded
	}
	r.commitSpace()
	r.publish()
	return r.cancelled()
}

// EndTrailers ends the response with trailer fields. Otherwise it is End.
func (r *Request) EndTrailers(ctx context.Context, fields []proto.Field) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.endTrailers(ctx, fields)
}

func (r *Request) endTrailers(ctx context.Context, fields []proto.Field) error {
	switch {
	case r.ended.Load():
		return ErrEnded
	case !r.started || r.websocket:
		return fmt.Errorf("%w: trailers before the headers, or in a WebSocket", ErrResponse)
	}
	frame, err := proto.AppendFields(nil, fields)
	if err != nil {
		return fmt.Errorf("worker: trailers: %w", err)
	}
	r.commitSpace()
	if err := r.writeSlot(ctx, frame, shm.KindTrailers); err != nil {
		return err
	}
	return r.end(ctx)
}

// End ends the response and with it the request: no view of the request's slots may be
// used any more. After an error other than [ErrEnded] the request is still in progress, and
// Abort ends it.
func (r *Request) End(ctx context.Context) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.end(ctx)
}

func (r *Request) end(ctx context.Context) error {
	if r.ended.Load() {
		return ErrEnded
	}
	if !r.started {
		return fmt.Errorf("%w: an end before the headers", ErrResponse)
	}
	if r.part != 0 && !r.clientClosed.Load() {
		return fmt.Errorf("%w: an end within a message", ErrResponse)
	}
	r.commitSpace()
	if err := r.waitForRoom(ctx, func() error { return r.lane.writer.CommitEmpty(shm.KindEnd) }); err != nil {
		return err
	}
	return r.finish()
}

// Abort ends the request without completing its response: the client sees an error, or a
// response that breaks off. Goroutines that wait to write give up. Aborting a request that
// has ended does nothing.
func (r *Request) Abort() {
	r.cancel(shm.ReasonFinished)
	r.writing.Lock()
	defer r.writing.Unlock()
	r.abort()
}

func (r *Request) abort() {
	if r.ended.Load() {
		return
	}
	_ = r.lane.writer.CommitEmpty(shm.KindAbort) // without room, letting go tells it as well
	_ = r.finish()
}

// finish publishes the committed slots and lets go of the stream. Goroutines that still wait
// for request slots, or come later, find that the request has ended and do not touch the
// lane: from then on it may serve the next request.
func (r *Request) finish() error {
	r.reading.Lock()
	r.ended.Store(true)
	waiting := r.waiting > 0
	r.reading.Unlock()
	cancelled := r.cancelled()
	r.lane.writer.Publish() // C1
	r.cancel(shm.ReasonFinished)
	r.stopDeadlines()
	r.link.letGo(r, waiting) // tells the server, too
	return cancelled
}

// writable returns nil, or the error for which nothing more can be written.
func (r *Request) writable() error {
	if r.ended.Load() {
		return ErrEnded
	}
	if err := r.cancelled(); err != nil {
		return err
	}
	select {
	case <-r.writeDeadline():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

// writeSlot writes a whole slot.
func (r *Request) writeSlot(ctx context.Context, frame []byte, kind shm.Kind) error {
	if len(frame) > r.link.SlotSize() {
		return fmt.Errorf("%w: %d bytes of %d", ErrTooLarge, len(frame), r.link.SlotSize())
	}
	if err := r.writable(); err != nil {
		return err
	}
	var space []byte
	err := r.waitForRoom(ctx, func() (err error) {
		space, err = r.lane.writer.Reserve(len(frame))
		return err
	})
	if err != nil {
		return err
	}
	r.lane.writer.Commit(copy(space, frame), kind)
	return nil
}

// refill publishes the full slot and reserves the next.
func (r *Request) refill(ctx context.Context) error {
	if r.ended.Load() {
		return ErrEnded
	}
	if r.commitSpace() {
		r.publish()
	}
	if err := r.writable(); err != nil {
		return err
	}
	space, err := r.lane.writer.Reserve(r.link.SlotSize() / 4)
	if err != nil {
		err = r.waitForRoom(ctx, func() (err error) {
			space, err = r.lane.writer.Reserve(1)
			return err
		})
	}
	r.space, r.filled = space, 0
	return err
}

// commitSpace makes a slot of the bytes written into the reserved space, and reports
// whether there were any.
func (r *Request) commitSpace() bool {
	filled := r.filled
	r.space, r.filled = nil, 0
	if filled > 0 {
		r.lane.writer.Commit(filled, shm.KindBody)
	}
	return filled > 0
}

// publish hands the committed slots to the server, and notifies it if it waits.
func (r *Request) publish() {
	if r.lane.writer.Publish() && r.lane.position.WantsResponse() { // C1, S2
		r.link.end.Notify(r.index)
	}
}

// waitForRoom calls try until it does not fail with ErrNoRoom.
func (r *Request) waitForRoom(ctx context.Context, try func() error) error {
	err := try()
	if !errors.Is(err, shm.ErrNoRoom) {
		return err
	}
	r.publish() // the server cannot release slots that it does not see
	words, waiter := r.lane.words, r.link.pool.NewWaiter()
	words.WantRoom(true) // S1
	defer words.WantRoom(false)
	defer waiter.Stop()
	for {
		r.link.pool.Await(waiter)
		r.link.reclaimBuffers()
		if err := try(); !errors.Is(err, shm.ErrNoRoom) {
			return err
		}
		select {
		case <-r.lane.room:
		case <-waiter.C:
		case <-r.writeDeadline():
			return os.ErrDeadlineExceeded
		case <-r.done:
			return r.cancelled()
		case <-ctx.Done():
			return r.contextError(ctx)
		}
	}
}
