package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// The kinds of slot.
const (
	Headers  = shm.KindHeaders
	Body     = shm.KindBody
	Trailers = shm.KindTrailers
	End      = shm.KindEnd
)

// Kind is the kind of a slot.
type Kind = shm.Kind

// Slot is one slot of a request. Its Bytes are a view of shared memory, valid
// until its Release or the end of the request.
type Slot = shm.Slot

// Request is one request and the response to it. One goroutine reads it and one
// writes the response; the two may be the same.
type Request struct {
	link  *Link
	lane  *lane
	index uint32 // of the lane
	id    uint64
	row   *shm.Row

	reader shm.Reader // the reading goroutine's
	header *proto.Request

	// The writing goroutine's.
	space  []byte // reserved
	filled int    // bytes of space written, to be committed
	begun  bool   // the headers slot is committed
	socket bool   // a WebSocket is open
	part   Kind   // of the message of which not all is committed; 0: none
	ended  atomic.Bool

	cancelOnce sync.Once
	reason     Reason        // valid when done is closed
	done       chan struct{} // closed when cancelled
}

// StreamID returns the stream's id, unique among all streams of the server.
func (r *Request) StreamID() uint64 { return r.id }

// Done is closed when the request is cancelled: nobody wants the response.
func (r *Request) Done() <-chan struct{} { return r.done }

// Cancelled returns nil, or a [*CancelledError] with the reason.
func (r *Request) Cancelled() error {
	select {
	case <-r.done:
		return &CancelledError{Reason: r.reason}
	default:
	}
	if why := r.row.Cancelled(r.id); why != shm.ReasonNone { // L2
		r.cancel(why)
		return &CancelledError{Reason: r.reason}
	}
	return nil
}

// checkCancelled closes done if the server has cancelled the stream.
func (r *Request) checkCancelled() { _ = r.Cancelled() }

func (r *Request) cancel(why Reason) {
	r.cancelOnce.Do(func() {
		r.reason = why
		close(r.done)
	})
}

// Header returns the decoded headers frame of slot 1. It lives as long as the
// request. Slot 1 stays unreleased.
func (r *Request) Header() (*proto.Request, error) {
	if r.header != nil {
		return r.header, nil
	}
	slot, err := r.TryTail(1)
	if err != nil {
		return nil, err
	}
	header := new(proto.Request)
	if _, err := header.Parse(slot.Bytes); err != nil {
		return nil, fmt.Errorf("worker: headers frame: %w", err)
	}
	r.header = header
	return header, nil
}

// TryTail returns slot n of the request, counted from 1, or [ErrNothingYet], or
// [ErrCancelled].
func (r *Request) TryTail(n uint64) (Slot, error) {
	if r.ended.Load() {
		return Slot{}, ErrEnded
	}
	slot, err := r.reader.Tail(n)
	if err == nil || errors.Is(err, shm.ErrReleased) {
		return slot, err
	}
	if cancelled := r.Cancelled(); cancelled != nil {
		return Slot{}, cancelled
	}
	return Slot{}, err
}

// Tail returns slot n of the request, counted from 1, waiting until the server
// has published it. It returns [ErrCancelled], or ctx's error.
func (r *Request) Tail(ctx context.Context, n uint64) (Slot, error) {
	slot, err := r.TryTail(n)
	if !errors.Is(err, ErrNothingYet) {
		return slot, err
	}
	words := r.lane.words
	words.WantRequest(true) // S1
	defer words.WantRequest(false)
	if r.row.WantsRoom() { // S2: the server may wait to hear that we want more
		r.link.end.Notify(r.index)
	}
	for {
		slot, err := r.TryTail(n)
		if !errors.Is(err, ErrNothingYet) {
			return slot, err
		}
		select {
		case <-r.lane.more:
		case <-r.done:
		case <-ctx.Done():
			return Slot{}, r.whyDone(ctx)
		}
	}
}

// whyDone returns why a context has ended: that of an http.Request ends with the
// request.
func (r *Request) whyDone(ctx context.Context) error {
	if err := r.Cancelled(); err != nil {
		return err
	}
	return ctx.Err()
}

// Release gives the request's slots up to and including n back to the server;
// their bytes must not be used any more. A worker that does not release holds
// the client back.
func (r *Request) Release(n uint64) {
	if r.ended.Load() {
		return
	}
	r.reader.Release(n)       // B1
	if r.row.WantsRoomAt(n) { // S2
		r.link.end.Notify(r.index)
	}
}
