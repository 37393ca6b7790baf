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
	run   *handlerRun // the goroutine of its handler; nil: Next has returned it

	// reading guards the reading of the request lane. Nobody waits for the server
	// while holding it. The request ends under it: a goroutine that holds it and
	// finds ended false may use the lane and the slots until it unlocks.
	reading sync.Mutex
	reader  shm.Reader
	header  *proto.Request
	more    chan struct{} // the lane's; look for request slots again
	waiting int           // goroutines that wait for more

	// writing guards the response. Its writer holds it while it waits for room. The
	// request ends under it, too.
	writing   sync.Mutex
	space     []byte // reserved
	filled    int    // bytes of space written, to be committed
	started   bool   // the headers slot is committed
	websocket bool   // a WebSocket is open
	part      Kind   // of the message that is committed in part; 0: none
	ended     atomic.Bool

	clientClosed atomic.Bool // the WebSocket: a message that is unfinished may stay so

	deadlines atomic.Pointer[deadlines] // nil: none were set

	cancelOnce sync.Once
	reason     Reason        // valid when done is closed
	done       chan struct{} // closed when cancelled, or ended
}

// StreamID returns the id of the stream, unique among all streams of the server.
func (r *Request) StreamID() uint64 { return r.id }

// Done is closed when the request is cancelled, because nobody wants the response any
// more, or when it has ended.
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

// cancelled is Cancelled without the lock. Preconditions: the request cannot end meanwhile.
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

// checkCancelled closes done if the server has cancelled the stream. Preconditions: those
// of cancelled.
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
		return nil, errors.Join(r.checkCurrent(), fmt.Errorf("worker: headers frame: %w", err))
	}
	if err := r.checkCurrent(); err != nil {
		return nil, err
	}
	r.header = header
	return header, nil
}

// TryTail returns slot n of the request, counted from 1. It does not wait: it returns
// [ErrNothingYet] if the server has not published the slot. Other errors are those of Tail.
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
		if stale := r.checkCurrent(); stale != nil {
			return Slot{}, stale
		}
		return slot, err
	}
	if cancelled := r.cancelled(); cancelled != nil {
		return Slot{}, cancelled
	}
	return Slot{}, err
}

// checkCurrent returns an error if the bytes just read from the request's row and slots may
// belong to another stream: the server has given up the link, and reuses them. Call it after
// reading. Preconditions: the request cannot end meanwhile.
func (r *Request) checkCurrent() error {
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

// Tail returns slot n of the request, counted from 1. It waits until the server has
// published the slot. It returns [ErrCancelled], ctx's error, or [ErrEnded] as soon as the
// request has ended.
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
		if err := r.waitForNews(ctx, nil); err != nil {
			return Slot{}, err
		}
	}
}

// beginWait announces a wait for slots (S1). The caller has to look for them once more
// before it waits. Release: endWait. Preconditions: reading is locked, and the request has
// not ended.
func (r *Request) beginWait() {
	r.waiting++
	r.lane.words.WantRequest(true)
	if r.row.WantsRoom() { // S2: the server may wait to hear that we want more
		r.link.end.Notify(r.index)
	}
}

// endWait takes the announcement back, if the lane is still ours. If another goroutine
// waits, it has to look again: one wake-up may stand for slots of both.
func (r *Request) endWait() {
	r.waiting--
	switch {
	case r.waiting > 0:
		signal(r.more)
	case !r.ended.Load():
		r.lane.words.WantRequest(false)
	}
}

// waitForNews unlocks reading and waits until there is news, or the request is cancelled or
// has ended. It returns an error if ctx ends or deadline is closed first. Preconditions:
// beginWait.
func (r *Request) waitForNews(ctx context.Context, deadline <-chan struct{}) error {
	r.reading.Unlock()
	defer r.reading.Lock()
	select {
	case <-r.more:
	case <-r.done:
	case <-deadline:
		return os.ErrDeadlineExceeded
	case <-ctx.Done():
		return r.contextError(ctx)
	}
	return nil
}

// contextError returns the error for a context that has ended. The context of an
// http.Request ends with the request.
func (r *Request) contextError(ctx context.Context) error {
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

// Release gives slot n and all slots before it back to the server. Their bytes must not
// be used any more. A client has to wait when its worker does not release slots.
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
