package dispatch

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// RequestLane is the request lane of a stream for the goroutine that receives the upload:
// reserve, fill, commit, publish, end. That goroutine is the lane's only writer until
// Finish of the stream.
type RequestLane struct {
	stream      *Stream
	unannounced atomic.Int32  // published slots without a wake-up of the worker
	batched     bool          // wake the worker for several slots at once
	stop        chan struct{} // closed when the exchange is over
}

// Open makes l the lane of a stream. Preconditions: the headers slot is published.
func (l *RequestLane) Open(s *Stream) { l.stream, l.stop = s, make(chan struct{}) }

// ErrOver ends the upload of an exchange that is over.
var ErrOver = errors.New("exchange over")

// announceEvery is how many slots are published before the worker is woken, while more
// bytes are there to be read: a wake-up costs about as much as reading a slot
// (docs/design/wakeups.md).
const announceEvery = 8

// AnnounceInBatches lets Publish wake the worker for several slots at once. The caller
// then calls Announce before it waits for more bytes.
func (l *RequestLane) AnnounceInBatches() { l.batched = true }

// Publish hands the committed slots to the worker, which sees them at once if it is awake.
// It is woken when several have come together, or when there is nothing more to read.
func (l *RequestLane) Publish() {
	l.stream.request.Publish() // A1
	if n := l.unannounced.Add(1); !l.batched || n >= announceEvery {
		l.Announce()
	}
}

// Announce wakes the worker if it waits for what has been published. Any goroutine may
// call it: at the end of the body net/http reads on in one of its own.
func (l *RequestLane) Announce() {
	if l.unannounced.Load() > 0 && l.unannounced.Swap(0) > 0 {
		l.stream.announceRequest()
	}
}

// Reserve returns space for the next slot, at least so many bytes, and waits for it. The
// space is valid until Commit or the next Reserve.
func (l *RequestLane) Reserve(least int) (space []byte, err error) {
	err = l.await(func() (err error) {
		space, err = l.stream.request.Reserve(least)
		return err
	})
	return space, err
}

// ReserveSome returns space for the next read: a good part of a slot if there is one, and
// anything at all rather than waiting.
func (l *RequestLane) ReserveSome() ([]byte, error) {
	space, err := l.stream.request.Reserve(l.SlotSize() / 2)
	if err == nil {
		return space, nil
	}
	return l.Reserve(1)
}

// SlotSize returns the most bytes in a slot.
func (l *RequestLane) SlotSize() int { return l.stream.cache.slotSize }

// Commit makes the first n bytes that were reserved the next slot.
func (l *RequestLane) Commit(n int, kind shm.Kind) { l.stream.request.Commit(n, kind) }

// CommitEmpty makes a slot without bytes the next one, and waits for room.
func (l *RequestLane) CommitEmpty(kind shm.Kind) error {
	return l.await(func() error { return l.stream.request.CommitEmpty(kind) })
}

// End publishes the end of the request. The goroutine that sends the response, which may
// wait for nothing else, looks again.
func (l *RequestLane) End() error {
	if err := l.CommitEmpty(shm.KindEnd); err != nil {
		return err
	}
	s := l.stream
	s.request.LowerGuarantee()
	s.progress.EndUpload()
	s.request.Publish() // A1
	s.announceRequest()
	signal(s.responseNews)
	return nil
}

// AwaitReader waits until a worker wants to read the request.
func (l *RequestLane) AwaitReader() error {
	s := l.stream
	s.row.WantRoom(true) // S1
	defer s.row.WantRoom(false)
	for {
		wanted := false
		s.withAssignment(func(a *assignment) { wanted = a.lane.Accepted(s.id.Load()) && a.lane.WantsRequest() })
		if wanted {
			return nil
		}
		select {
		case <-s.uploadNews:
		case <-l.stop:
			return ErrOver
		}
	}
}

// Stop ends the upload: whatever waits for the lane returns [ErrOver]. The goroutine that
// serves the exchange calls it, once.
func (l *RequestLane) Stop() { close(l.stop) }

// Stopped reports whether Stop was called.
func (l *RequestLane) Stopped() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// await calls try until it does not fail for want of room: the worker has to release slots
// first. This is what holds the client back: nobody reads its connection meanwhile.
func (l *RequestLane) await(try func() error) error {
	s := l.stream
	err := try()
	if !errors.Is(err, shm.ErrNoRoom) {
		return l.check(err)
	}
	s.request.Keep(false) // too long, or in too many pieces, to be held until the response begins
	l.Announce()
	s.row.WantRoom(true) // S1
	s.progress.BlockUpload(true)
	defer s.row.WantRoom(false)
	defer s.progress.BlockUpload(false)
	for {
		if err := try(); !errors.Is(err, shm.ErrNoRoom) {
			s.withAssignment(func(a *assignment) { a.link.markUseful() })
			return l.check(err)
		}
		select {
		case <-s.uploadNews:
		case <-l.stop:
			return ErrOver
		}
	}
}

// check evicts the worker if err says that it broke the protocol. The upload ends with it:
// it fails first, so that no other worker is given a request of which nothing more comes.
func (l *RequestLane) check(err error) error {
	if err == nil {
		return nil
	}
	l.stream.progress.FailUpload(fmt.Errorf("%w: %w", fault.ErrWorkerLost, err))
	evictOwner(err)
	<-l.stop // the goroutine that sends the response sees that the link is dead and ends the exchange
	return ErrOver
}

// ReserveHeaders returns space for the first slot of the request. Preconditions: nothing
// was published of the stream.
func (s *Stream) ReserveHeaders(n int) ([]byte, error) { return s.request.Reserve(n) }

// PublishHeaders publishes the first slot of the request, n bytes of what was reserved,
// and the end of a request that is whole.
func (s *Stream) PublishHeaders(n int, whole bool) error {
	s.request.Commit(n, shm.KindHeaders)
	if whole {
		if err := s.request.CommitEmpty(shm.KindEnd); err != nil {
			return err
		}
		s.progress.EndUpload()
	}
	s.request.Publish() // A1
	return nil
}

// EndRequest publishes the end of a request of which only the headers were published, if
// there is room. Preconditions: there is no [RequestLane].
func (s *Stream) EndRequest() {
	if err := s.request.CommitEmpty(shm.KindEnd); err != nil {
		return // not even one more slot: the worker has to do without
	}
	s.progress.EndUpload()
	s.request.Publish() // A1
	s.announceRequest()
}

// KeepNoMore lets the worker's released slots be filled anew: the request cannot be served
// again from then on. Any goroutine of the exchange may call it.
func (s *Stream) KeepNoMore() { s.request.Keep(false) }
