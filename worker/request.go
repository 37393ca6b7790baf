package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
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
// writes the response; the two may be the same. Once it has ended, its methods
// return [ErrEnded] and touch nothing: its lane serves another request by then.
//
// Locks are taken in the order writing, reading, the link's.
type Request struct {
	link  *Link
	lane  *lane
	index uint32 // of the lane
	id    uint64
	row   *shm.Row

	// reading guards what the request lane needs. Nobody waits for the server
	// under it. The request ends under it, so whoever has it and finds the
	// request not ended may use the lane, and its slots, until the unlock.
	reading sync.Mutex
	reader  shm.Reader
	header  *proto.Request
	more    chan struct{} // the lane's; look for request slots again
	waiting int           // in Tail, for more

	// writing guards the response. Its writer waits for room under it, and the
	// request ends under it, too.
	writing sync.Mutex
	space   []byte // reserved
	filled  int    // bytes of space written, to be committed
	begun   bool   // the headers slot is committed
	socket  bool   // a WebSocket is open
	part    Kind   // of the message of which not all is committed; 0: none
	ended   atomic.Bool

	deadlines atomic.Pointer[deadlines] // nil: none were set

	cancelOnce sync.Once
	reason     Reason        // valid when done is closed
	done       chan struct{} // closed when cancelled, or ended
}

// StreamID returns the stream's id, unique among all streams of the server.
func (r *Request) StreamID() uint64 { return r.id }

// Done is closed when the request is cancelled, since nobody wants the response, or
// has ended.
func (r *Request) Done() <-chan struct{} { return r.done }

// Cancelled returns nil, or a [*CancelledError] with the reason: [shm.ReasonFinished]
// if the request has ended.
func (r *Request) Cancelled() error {
	r.link.mu.Lock()
	defer r.link.mu.Unlock()
	if r.lane.request == r {
		return r.cancelled()
	}
	r.cancel(shm.ReasonFinished)
	return &CancelledError{Reason: r.reason}
}

// cancelled is Cancelled. Preconditions: the request cannot end meanwhile.
func (r *Request) cancelled() error {
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
// Preconditions: as cancelled.
func (r *Request) checkCancelled() { _ = r.cancelled() }

func (r *Request) cancel(why Reason) {
	r.cancelOnce.Do(func() {
		r.reason = why
		close(r.done)
	})
}

// Header returns the decoded headers frame of slot 1. It lives as long as the
// request. Slot 1 stays unreleased.
func (r *Request) Header() (*proto.Request, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if r.header != nil {
		return r.header, nil
	}
	slot, err := r.tail(1)
	if err != nil {
		return nil, err
	}
	header := new(proto.Request)
	if _, err := header.Parse(slot.Bytes); err != nil { // a copy: the slot may change
		return nil, errors.Join(r.lost(), fmt.Errorf("worker: headers frame: %w", err))
	}
	if err := r.lost(); err != nil {
		return nil, err
	}
	r.header = header
	return header, nil
}

// TryTail returns slot n of the request, counted from 1, or [ErrNothingYet], or
// [ErrCancelled].
func (r *Request) TryTail(n uint64) (Slot, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	return r.tail(n)
}

// tail is TryTail under the lock.
func (r *Request) tail(n uint64) (Slot, error) {
	if r.ended.Load() {
		return Slot{}, ErrEnded
	}
	slot, err := r.reader.Tail(n)
	if err == nil || errors.Is(err, shm.ErrReleased) {
		if lost := r.lost(); lost != nil {
			return Slot{}, lost
		}
		return slot, err
	}
	if cancelled := r.cancelled(); cancelled != nil {
		return Slot{}, cancelled
	}
	return Slot{}, err
}

// lost returns an error if what was read from the request's row and slots may have
// been another's: the server has given the link up, and fills them anew. It is
// called after the reading. Preconditions: the request cannot end meanwhile.
func (r *Request) lost() error {
	switch {
	case r.link.end.State() == shm.LinkClosed:
		r.cancel(shm.ReasonServerGone)
	case !r.row.Serves(r.id):
		r.cancel(shm.ReasonFinished)
	default:
		return nil
	}
	return &CancelledError{Reason: r.reason}
}

// Tail returns slot n of the request, counted from 1, waiting until the server
// has published it. It returns [ErrCancelled], or ctx's error, or [ErrEnded] as
// soon as the request has ended.
func (r *Request) Tail(ctx context.Context, n uint64) (Slot, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	slot, err := r.tail(n)
	if !errors.Is(err, ErrNothingYet) {
		return slot, err
	}
	r.beginWait()
	defer r.endWait()
	for {
		slot, err := r.tail(n)
		if !errors.Is(err, ErrNothingYet) {
			return slot, err
		}
		if err := r.await(ctx, nil); err != nil {
			return Slot{}, err
		}
	}
}

// beginWait announces that slots are waited for (S1): who calls it looks for them once
// more. Release: endWait. Preconditions: reading is locked, and the request has not ended.
func (r *Request) beginWait() {
	r.waiting++
	r.lane.words.WantRequest(true)
	if r.row.WantsRoom() { // S2: the server may wait to hear that we want more
		r.link.end.Notify(r.index)
	}
}

// endWait takes the announcement back, while the lane is still ours. Somebody else who
// waits looks again: the news that ended this wait may have been more than it took.
func (r *Request) endWait() {
	r.waiting--
	switch {
	case r.waiting > 0:
		signal(r.more)
	case !r.ended.Load():
		r.lane.words.WantRequest(false)
	}
}

// await unlocks reading until there is news, the request is cancelled or has ended, or
// ctx is done or gone is closed: those two are errors. Preconditions: beginWait.
func (r *Request) await(ctx context.Context, gone <-chan struct{}) error {
	r.reading.Unlock()
	defer r.reading.Lock()
	select {
	case <-r.more:
	case <-r.done:
	case <-gone:
		return os.ErrDeadlineExceeded
	case <-ctx.Done():
		return r.whyDone(ctx)
	}
	return nil
}

// whyDone returns why a context has ended: that of an http.Request ends with the
// request.
func (r *Request) whyDone(ctx context.Context) error {
	select {
	case <-r.done:
		if r.ended.Load() {
			return ErrEnded
		}
		return &CancelledError{Reason: r.reason}
	default:
		return ctx.Err()
	}
}

// Release gives the request's slots up to and including n back to the server;
// their bytes must not be used any more. A worker that does not release holds
// the client back.
func (r *Request) Release(n uint64) {
	r.reading.Lock()
	defer r.reading.Unlock()
	r.release(n)
}

// release is Release under the lock.
func (r *Request) release(n uint64) {
	if r.ended.Load() {
		return
	}
	r.reader.Release(n)       // B1
	if r.row.WantsRoomAt(n) { // S2
		r.link.end.Notify(r.index)
	}
}
