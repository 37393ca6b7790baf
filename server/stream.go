package server

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// stream is one exchange's place in memory: a row with its request lane and,
// while a link serves it, a lane of that link. It is reused for exchange after
// exchange, but not before its worker has let go of the last one.
type stream struct {
	row     *shm.Row
	request *shm.Writer

	news chan struct{} // the responder is to look again
	room chan struct{} // the pump is to look again

	id       atomic.Uint64  // 0: not in use
	client   client         // under the lock of the cache, and of the pool
	queued   atomic.Bool    // it has a row, and no link yet
	bodied   atomic.Bool    // a body is to come
	placed   atomic.Int64   // when it got what it has of a row and a link, shm.Now
	attempts int            // links that it was assigned to
	frame    proto.Request  // reused for its fields
	reply    proto.Response // likewise

	mu        sync.Mutex // guards place against the pump and the clock
	place     *place     // nil: no link serves it
	revoked   atomic.Bool
	overSince int64      // the exchange is over, shm.Now, its worker has not let go; 0: not; under the pool's lock
	uses      int        // of its row, by its worker and by what is left of an exchange that is over; under the pool's lock
	response  shm.Reader // of the present place; the responder's
	next      uint64     // number of the next response slot; the responder's
	answered  int64      // when the worker ended its response, as it says; 0: not; the responder's

	upload    uploadState
	watch     streamWatch
	offered   atomic.Bool               // the request asks for a WebSocket
	websocket atomic.Pointer[websocket] // nil: no open WebSocket
}

func newStream(row *shm.Row, request *shm.Writer) *stream {
	return &stream{row: row, request: request, news: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// open readies s for a new exchange. Preconditions: its request lane is open.
func (s *stream) open(id uint64) {
	s.row.Open(id)
	s.attempts = 0
	s.upload.reset()
	s.watch.reset()
	s.offered.Store(false)
	s.bodied.Store(false)
	s.websocket.Store(nil)
	drain(s.news)
	drain(s.room)
	s.id.Store(id)
}

// close ends the use of s. Preconditions: as [RequestChunkCache.release].
func (s *stream) close() {
	s.id.Store(0)
	s.overSince = 0
	s.request.Close()
	s.row.Close()
}

// lingers reports whether the exchange is over and its worker has not let go. The
// caller holds the pool's lock.
func (s *stream) lingers() bool { return s.overSince != 0 }

// settle notes the place that the dispatcher has found for s.
func (s *stream) settle(p *place) {
	s.mu.Lock()
	s.place = p
	s.mu.Unlock()
}

// withPlace calls f with the place of s, if it has one. The place's memory stays
// mapped during the call.
func (s *stream) withPlace(f func(*place)) {
	s.mu.Lock()
	if s.place != nil {
		f(s.place)
	}
	s.mu.Unlock()
}

// announceRequest tells the worker of published request slots, if it waits for
// them.
func (s *stream) announceRequest() {
	s.withPlace(func(p *place) {
		if p.lane.WantsRequest() { // S2
			p.link.end.Notify(p.index)
		}
	})
}

// cancel tells the worker that nobody wants the exchange any more.
func (s *stream) cancel(why shm.Reason) {
	if s.row.Cancel(why) { // L1
		s.withPlace(func(p *place) { p.link.end.Alert(p.index) })
	}
}

// reclaim takes back the request slots that the worker has released, and evicts
// the link if its count makes no sense.
func (s *stream) reclaim() {
	if err := s.request.Reclaim(); err != nil {
		evictOwner(err)
	}
}

// evictOwner ends the link whose word was wrong. By now another one may serve the
// stream.
func evictOwner(cause error) {
	var violation *shm.Violation
	if !errors.As(cause, &violation) {
		return
	}
	if l, ok := violation.Owner.(*link); ok {
		l.evict(cause)
	}
}

// clientError returns what the failure of a write to the client means.
func (s *stream) clientError(err error) error {
	switch {
	case err == nil, errors.Is(err, http.ErrNotSupported):
		return nil
	case s.watch.yields.Load():
		return fault.ErrPreempted
	case s.watch.clientSlow.Load():
		return fmt.Errorf("%w: it took no byte of the response within the limit", ErrClientSlow)
	}
	return fmt.Errorf("%w: %w", ErrClientGone, err)
}

// wake makes responder and pump look again.
func (s *stream) wake() {
	signal(s.news)
	signal(s.room)
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
