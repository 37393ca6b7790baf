package dispatch

import (
	"errors"
	"fmt"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// responseLane is where the goroutine that sends the response is in the response lane of
// the present assignment.
type responseLane struct {
	reader        shm.Reader
	next          uint64 // number of the next slot
	endedAt       int64  // when the worker ended its response, as it says; 0: it has not
	firstAssigned int64  // when the stream was first assigned, if it was only taken back since, shm.Now; else 0
}

// The ways in which the present link can fail a stream that may be assigned again, see
// [Stream.Retry].
var (
	errLinkDead = fmt.Errorf("%w: link dead", fault.ErrWorkerLost)
	errRevoked  = fmt.Errorf("%w: taken back before the worker took it", fault.ErrWorkerLost)
)

// errLetGo is returned when the worker let go of the exchange without an end.
var errLetGo = fmt.Errorf("%w: it let go of the exchange without an end", fault.ErrWorkerAborted)

// ErrNothingYet is returned by [Stream.Next] when the worker has published no more slots.
var ErrNothingYet = shm.ErrNothingYet

// ErrStopped is returned by [Stream.Await] after [Stream.StopWaiting].
var ErrStopped = errors.New("nobody waits for the worker any more")

// Next returns the next response slot, or [ErrNothingYet]. The slot is valid until
// ReleaseSlot.
func (s *Stream) Next() (shm.Slot, error) {
	slot, err := s.responses.reader.Tail(s.responses.next)
	if errors.Is(err, shm.ErrNothingYet) {
		return slot, err
	}
	return slot, s.checkSlot(err)
}

// NextBody returns the slot after the present one if it has been published and belongs to
// the body. The present one is then released with it.
func (s *Stream) NextBody() (slot shm.Slot, ok bool) {
	slot, err := s.responses.reader.Tail(s.responses.next + 1)
	if err != nil || slot.Kind != shm.KindBody {
		return slot, false // Next meets it again
	}
	s.responses.next++
	return slot, true
}

// Await waits for the next response slot. It returns why waiting makes no sense any more
// if that comes first.
func (s *Stream) Await() (shm.Slot, error) {
	s.assignment.position.WantResponse(true) // S1
	s.progress.StartWait(s.waitsSince())
	defer s.assignment.position.WantResponse(false)
	defer s.progress.EndWait()
	for {
		interrupted := s.interrupted() // before Tail: what the worker published before it died counts
		slot, err := s.responses.reader.Tail(s.responses.next)
		if !errors.Is(err, shm.ErrNothingYet) {
			s.assignment.link.markUseful()
			return slot, s.checkSlot(err)
		}
		if interrupted != nil {
			return slot, interrupted
		}
		<-s.responseNews // the deadline loop rings it for every deadline, and if the client is gone
	}
}

// AwaitUpload waits until the whole request is published, or until waiting makes no sense
// any more: the upload of a request whose response has ended goes on while the worker
// reads it. The worker can be given other streams meanwhile. When the timer fires, flush
// is called.
func (s *Stream) AwaitUpload(timer <-chan time.Time, flush func() error) {
	s.assignment.position.WantResponse(true) // S1
	s.progress.StartWait(shm.Now())
	defer s.assignment.position.WantResponse(false)
	defer s.progress.EndWait()
	for !s.progress.UploadEnded() && s.interrupted() == nil {
		select {
		case <-s.responseNews:
		case <-timer:
			_ = flush()
		}
	}
}

// Answered notes that the response has ended well: the worker can be given another stream,
// also while the rest of the upload comes in.
func (s *Stream) Answered() { s.served.answered(s) }

// ReleaseSlot gives the slot that Next, NextBody or Await has returned back to the worker,
// and tells it if it waits for room.
func (s *Stream) ReleaseSlot() {
	r := &s.responses
	r.reader.Release(r.next) // D1
	r.next++
	if s.assignment.lane.WantsRoomAt(r.next - 1) { // S2
		s.assignment.link.end.Notify(s.assignment.index)
	}
}

// NoteEnd notes when the worker ended its response, as the last slot says.
func (s *Stream) NoteEnd(slot shm.Slot) { s.responses.endedAt = slot.Time }

// AbortCause returns why the worker gave the exchange up.
func (s *Stream) AbortCause() error {
	if s.assignment.link.gone.Load() { // it was told, and gives up what it cannot finish
		return s.causeOr(errLinkDead)
	}
	return s.causeOr(fault.ErrWorkerAborted)
}

// waitsSince returns since when the server waits for a response slot, shm.Now: a stream
// that comes round from link to link, and is taken by none, gains no time.
func (s *Stream) waitsSince() int64 {
	if s.responses.firstAssigned != 0 && s.responses.next == 1 {
		return s.responses.firstAssigned
	}
	return shm.Now()
}

// checkSlot evicts the worker if err says that it broke the protocol.
func (s *Stream) checkSlot(err error) error {
	if err == nil {
		return nil
	}
	return s.evictFor(err)
}

func (s *Stream) evictFor(err error) error {
	s.assignment.link.close(evicted, err)
	return fmt.Errorf("%w: %w", fault.ErrWorkerLost, err)
}

// interrupted returns why waiting for the worker makes no sense any more, or nil.
func (s *Stream) interrupted() error {
	a, id := s.assignment, s.id.Load()
	switch {
	case s.revoked.Load(), a.passedOver(id):
		return s.causeOr(errRevoked)
	case a.link.gone.Load():
		return s.causeOr(errLinkDead)
	case a.tookBack(id):
		return s.checkSlot(fmt.Errorf("it takes back that it has accepted stream %d", id))
	case a.hasLetGo(id):
		return s.causeOr(errLetGo)
	case s.stopped.Load():
		return ErrStopped
	}
	return s.causeOr(nil)
}

// ClientGone returns why the exchange has failed if the client is gone, or nil. Await returns
// the same; while the worker has slots ready, nobody calls Await.
func (s *Stream) ClientGone() error {
	if !s.progress.ClientGone() {
		return nil
	}
	return s.causeOr(nil)
}

// causeOr returns why the exchange has failed on our side, or err: a worker that gives up
// mostly does so because of what we told it.
func (s *Stream) causeOr(err error) error {
	if failure := s.progress.UploadFailure(); failure != nil {
		return failure
	}
	if s.progress.ClientGone() {
		return s.goneCause()
	}
	if s.progress.Expired(s.id.Load()) {
		return fault.ErrWorkerTimeout
	}
	return err
}

// goneCause returns why a client that is gone has left: of itself, or because it was too slow
// before and its stream or connection was closed for that.
func (s *Stream) goneCause() error {
	switch {
	case s.progress.Preempted():
		return fault.ErrPreempted
	case s.progress.ClientSlow():
		return fmt.Errorf("%w: it was cut off before", fault.ErrClientSlow)
	}
	return fault.ErrClientGone
}
