package server

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/shm"
)

// laneFeed puts into the request lane of a stream what comes from the client. It is
// the lane's only writer while it runs.
type laneFeed struct {
	stream *stream
	slot   int // bytes in a slot

	unannounced atomic.Int32 // published slots that the worker was not woken for
	patient     bool         // wake the worker for several slots at once

	stop chan struct{} // closed when the exchange is over
	done chan struct{} // closed when nothing more is written
}

func newLaneFeed(s *stream, slot int) laneFeed {
	return laneFeed{stream: s, slot: slot, stop: make(chan struct{}), done: make(chan struct{})}
}

// errStopped ends a pump whose exchange is over.
var errStopped = errors.New("exchange over")

// announceEvery is how many slots are published before the worker is woken, while
// more bytes are there to be read: a wake-up costs about as much as reading a
// slot (docs/design/wakeups.md).
const announceEvery = 8

// publish hands the committed slot to the worker, who sees it at once if it is
// awake. It is woken when several have come together, or when there is nothing
// more to read.
func (f *laneFeed) publish() {
	f.stream.request.Publish() // A1
	if n := f.unannounced.Add(1); !f.patient || n >= announceEvery {
		f.announce()
	}
}

// announce wakes the worker if it waits for what has been published. At the end of
// the body net/http reads on in a goroutine of its own, which calls it too.
func (f *laneFeed) announce() {
	if f.unannounced.Load() > 0 && f.unannounced.Swap(0) > 0 {
		f.stream.announceRequest()
	}
}

// publishEnd ends the lane.
func (f *laneFeed) publishEnd() error {
	s := f.stream
	err := f.wait(func() error { return s.request.CommitEmpty(shm.KindEnd) })
	if err != nil {
		return err
	}
	s.request.LowerGuarantee()
	s.upload.ended.Store(true)
	s.request.Publish() // A1
	s.announceRequest()
	return nil
}

// reserve returns space for the next read: a good part of a slot if there is
// one, and anything at all rather than waiting.
func (f *laneFeed) reserve() ([]byte, error) {
	space, err := f.stream.request.Reserve(f.slot / 2)
	if err == nil {
		return space, nil
	}
	err = f.wait(func() (err error) {
		space, err = f.stream.request.Reserve(1)
		return err
	})
	return space, err
}

// wait calls try until it does not fail for want of room: the worker has to
// release slots first. This is what holds the client back: nobody reads its
// connection meanwhile.
func (f *laneFeed) wait(try func() error) error {
	s := f.stream
	err := try()
	if !errors.Is(err, shm.ErrNoRoom) {
		return f.check(err)
	}
	s.request.Keep(false) // too long, or in too many pieces, to be held until the response begins
	f.announce()
	s.row.WantRoom(true) // S1
	s.upload.waits.Store(true)
	defer s.row.WantRoom(false)
	defer s.upload.waits.Store(false)
	for {
		if err := try(); !errors.Is(err, shm.ErrNoRoom) {
			s.withPlace(func(at *place) { at.link.useNews() })
			return f.check(err)
		}
		select {
		case <-s.room:
		case <-f.stop:
			return errStopped
		}
	}
}

// check evicts the worker if err says that it broke the protocol. The upload ends
// with it: it fails first, so that no other worker is given a request of which
// nothing more comes.
func (f *laneFeed) check(err error) error {
	if err == nil {
		return nil
	}
	f.stream.upload.fail(fmt.Errorf("%w: %w", ErrWorkerLost, err))
	evictOwner(err)
	<-f.stop // the responder sees that the link is dead and ends the exchange
	return errStopped
}

func (f *laneFeed) stopped() bool {
	select {
	case <-f.stop:
		return true
	default:
		return false
	}
}
