package dispatch

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// Stream is one exchange's place in memory: a row with its request lane and, while a link
// serves it, a lane of that link. It is reused for exchange after exchange, but not before
// its worker has let go of the last one.
//
// The goroutine that serves the exchange calls its methods, but for those that say
// otherwise. The one that receives the upload has a [RequestLane].
type Stream struct {
	// Memory that a caller may reuse from exchange to exchange.
	RequestFrame  proto.Request
	ResponseFrame proto.Response

	row     *shm.Row
	request *shm.Writer
	cache   *RequestChunkCache

	responseNews chan struct{} // the goroutine that sends the response is to look again
	uploadNews   chan struct{} // the one that receives the upload is

	id         atomic.Uint64 // 0: not in use
	client     Client        // guarded by the lock of the cache, and of the pool
	info       RequestInfo   // of the request; guarded by the lock of the cache
	queued     atomic.Bool   // it has a row, and no link yet
	hasBody    atomic.Bool   // a body is to come, unasked
	websocket  atomic.Bool   // the request asks for a WebSocket
	placedAt   atomic.Int64  // when it got its row, then its link, shm.Now
	attempts   int           // links to which it was assigned
	idempotent bool          // the request may be served twice
	retries    *Retries      // of the request; nil: those of the pool
	deaths     int           // workers that died with the request
	lost       int           // links that died before they took it
	served     *link         // the last link that it was assigned to; nil: none
	detached   bool          // EndResponse was called

	mu         sync.Mutex  // guards assignment against the upload and the deadline loop
	assignment *assignment // nil: no link serves it
	revoked    atomic.Bool
	overSince  int64      // the exchange is over, and its worker has not let go; 0: not so; under the pool's lock
	overFor    shm.Reason // why, if so
	rowUses    int        // by the worker, and by what is left of an exchange that is over; under the pool's lock

	responses responseLane
	progress  progress.Exchange
	onDrain   atomic.Pointer[func()] // nil: no open WebSocket
	stopped   atomic.Bool            // nobody waits for the worker any more

	turn turn // the deadline loop's
}

// turn is since when an exchange waits for its worker to make progress.
type turn struct {
	assignment *assignment
	stream     uint64
	released   uint64 // slots
	since      int64  // shm.Now
}

func newStream(row *shm.Row, request *shm.Writer, cache *RequestChunkCache) *Stream {
	return &Stream{
		row: row, request: request, cache: cache,
		responseNews: make(chan struct{}, 1), uploadNews: make(chan struct{}, 1),
	}
}

// open readies s for a new exchange. Preconditions: its request lane is open.
func (s *Stream) open(id uint64) {
	s.row.Open(id)
	s.attempts = 0
	s.deaths, s.lost, s.detached, s.served = 0, 0, false, nil
	s.responses.firstAssigned = 0
	s.progress.Reset()
	s.websocket.Store(false)
	s.hasBody.Store(false)
	s.onDrain.Store(nil)
	s.stopped.Store(false)
	drain(s.responseNews)
	drain(s.uploadNews)
	s.id.Store(id)
}

// close ends the use of s. Preconditions: as [RequestChunkCache.release].
func (s *Stream) close() {
	s.id.Store(0)
	s.overSince = 0
	s.request.Close()
	s.row.Close()
}

// ID returns the number of the stream. No other exchange of this server has it.
func (s *Stream) ID() uint64 { return s.id.Load() }

// Progress returns the counters and clocks of the exchange.
func (s *Stream) Progress() *progress.Exchange { return &s.progress }

// Worker returns the name of the last worker that the stream was assigned to, or "".
func (s *Stream) Worker() string {
	if s.served == nil {
		return ""
	}
	return s.served.worker
}

// Assign gives the stream a lane of a link of a pool, and waits while all are busy. A
// stream that comes back goes to the front. Preconditions: the headers slot is published.
func (s *Stream) Assign(ctx context.Context, p *Pool) error {
	if err := p.assign(ctx, s); err != nil {
		return err
	}
	s.served = s.assignment.link
	return nil
}

// Finish ends the exchange: err is nil, or why it failed. The row and the lane go back as
// soon as the worker has let go of them. Preconditions: nobody uses the stream any more.
func (s *Stream) Finish(err error) {
	switch {
	case s.detached:
		s.served.leave(s)
	case s.assignment == nil:
		s.cache.release(s)
	default:
		s.served.finish(s, cancelReason(err), false)
	}
}

// EndResponse ends the part of the worker in an exchange of which something is left: the
// rest of an upload, or of a WebSocket. That costs the worker nothing; only the row stays
// in use until Finish. Preconditions: Assign has succeeded.
func (s *Stream) EndResponse(err error) {
	s.detached = true
	s.served.finish(s, cancelReason(err), true)
}

// Cancel tells the worker that nobody wants the exchange any more, and why. Any goroutine
// may call it.
func (s *Stream) Cancel(err error) {
	if s.row.Cancel(cancelReason(err)) { // L1
		s.withAssignment(func(a *assignment) { a.link.end.Alert(a.index) })
	}
}

// FailUpload notes why the upload broke off, and tells the worker and the goroutine that
// sends the response. The first reason counts. Any goroutine may call it.
func (s *Stream) FailUpload(err error) {
	s.progress.FailUpload(err)
	s.Cancel(s.progress.UploadFailure())
	signal(s.responseNews)
}

// StopWaiting has [Stream.Await] return [ErrStopped] instead of waiting for the worker any
// longer. Any goroutine may call it.
func (s *Stream) StopWaiting() {
	s.stopped.Store(true)
	signal(s.responseNews)
}

// awaitsLetGo reports whether the exchange is over and its worker has not let go. The caller
// holds the pool's lock.
func (s *Stream) awaitsLetGo() bool { return s.overSince != 0 }

// setAssignment notes which lane the stream has; nil: none.
func (s *Stream) setAssignment(a *assignment) {
	s.mu.Lock()
	s.assignment = a
	s.mu.Unlock()
}

// withAssignment calls f with the assignment of s, if it has one. The memory of its link
// stays mapped during the call.
func (s *Stream) withAssignment(f func(*assignment)) {
	s.mu.Lock()
	if s.assignment != nil {
		f(s.assignment)
	}
	s.mu.Unlock()
}

// announceRequest tells the worker of published request slots, if it waits for them.
func (s *Stream) announceRequest() {
	s.withAssignment(func(a *assignment) {
		if a.lane.WantsRequest() { // S2
			a.link.end.Notify(a.index)
		}
	})
}

// reclaim takes back the request slots that the worker has released, and evicts the link
// if its count makes no sense.
func (s *Stream) reclaim() {
	if err := s.request.Reclaim(); err != nil {
		evictOwner(err)
	}
}

// evictOwner closes the link whose word was wrong. By now another one may serve the
// stream.
func evictOwner(cause error) {
	var violation *shm.Violation
	if !errors.As(cause, &violation) {
		return
	}
	if l, ok := violation.Owner.(*link); ok {
		l.close(evicted, cause)
	}
}

// wake makes both goroutines of the exchange look again.
func (s *Stream) wake() {
	signal(s.responseNews)
	signal(s.uploadNews)
}

// cancelReason returns what a worker is told when an exchange fails, or ends well.
func cancelReason(err error) shm.Reason {
	if err == nil {
		return shm.ReasonFinished
	}
	return cancelReasons[fault.Of(err).Cancel]
}

var cancelReasons = [...]shm.Reason{
	fault.CancelFinished: shm.ReasonFinished, fault.CancelClientGone: shm.ReasonClientGone,
	fault.CancelClientSlow: shm.ReasonClientSlow, fault.CancelTooLarge: shm.ReasonTooLarge,
	fault.CancelDeadline: shm.ReasonDeadline, fault.CancelInvalid: shm.ReasonInvalid,
	fault.CancelShutdown: shm.ReasonShutdown,
}

// signal leaves a token in a channel of one, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}
