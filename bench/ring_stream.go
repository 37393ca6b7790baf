package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/shm"
)

// ringStream is one stream on a lane of a link, as an exchange of the server has one.
// One goroutine uses it.
type ringStream struct {
	id       uint64
	link     *ringLink
	index    uint32 // of the lane
	lane     *shm.Lane
	place    *shm.Position
	row      *shm.Row
	writer   *shm.Writer
	reader   shm.Reader // of the response
	next     uint64     // response slot
	pending  int        // published slots that the reader was not woken for
	slots    int64
	slotSize int
	spin     bool
}

// What the first slot asks of the reader: to add up what comes, or to send it back.
const (
	ringCount byte = 1
	ringEcho  byte = 2
)

// announceEvery is after how many slots a sleeping reader is woken, as in the server's
// pump.
const announceEvery = 8

// streamGuarantee is how many buffers a stream can always have, as in the server.
const streamGuarantee = 2

// open gives the stream to the reader. Release: close.
func (s *ringStream) open(pool *shm.Pool, id uint64, mode byte) error {
	if !s.writer.Open(pool, streamGuarantee) {
		return errors.New("no buffers are left")
	}
	s.id, s.next, s.slots = id, 1, 0
	s.row.Open(id)
	s.place.Open(id)
	s.reader = s.link.end.Reader(s.index, id)
	s.writer.BindLane(s.lane, id, nil)
	space, err := s.writer.Reserve(1)
	if err != nil {
		return err
	}
	space[0] = mode
	s.writer.Commit(1, shm.KindHeaders)
	s.writer.Publish()
	s.link.mu.Lock()
	s.link.end.Inbox.Append(shm.Assignment{StreamID: id, Row: s.row.Index(), Lane: s.index, Time: shm.Now()})
	s.link.mu.Unlock()
	s.link.end.Offered()
	return nil
}

// close ends the stream once the reader has let go of it.
func (s *ringStream) close() error {
	s.place.Finish()
	err := s.wait("the reader to let go", func() (bool, error) { return s.lane.HasLetGo(s.id), nil })
	s.writer.Close()
	s.row.Close()
	return err
}

// send sends a body of payload.
func (s *ringStream) send(size int64) error {
	at := 0
	for left := size; left > 0; {
		space, err := s.reserve()
		if err != nil {
			return err
		}
		n := s.fill(space[:min(int64(len(space)), left)], at)
		left, at = left-int64(n), (at+n)%len(load.Payload)
		s.writer.Commit(n, shm.KindBody)
		s.slots++
		s.publish()
	}
	return s.end()
}

// fill fills a slot with payload from an offset on.
func (s *ringStream) fill(space []byte, at int) (n int) {
	for n < len(space) {
		n += copy(space[n:], load.Payload[(at+n)%len(load.Payload):])
	}
	return n
}

// publish wakes the reader for several slots at once.
func (s *ringStream) publish() {
	s.writer.Publish()
	if s.pending++; s.pending >= announceEvery {
		s.announce()
	}
}

func (s *ringStream) announce() {
	s.pending = 0
	if s.lane.WantsRequest() {
		s.link.end.Notify(s.index)
	}
}

func (s *ringStream) end() error {
	err := s.writer.CommitEmpty(shm.KindEnd)
	if errors.Is(err, shm.ErrNoRoom) {
		err = s.waitRoom(func() error { return s.writer.CommitEmpty(shm.KindEnd) })
	}
	s.writer.Publish()
	s.announce()
	return err
}

// reserve returns room for a slot, and waits until there is some.
func (s *ringStream) reserve() (space []byte, err error) {
	space, err = s.writer.Reserve(s.slotSize)
	if errors.Is(err, shm.ErrNoRoom) {
		err = s.waitRoom(func() (err error) {
			space, err = s.writer.Reserve(s.slotSize)
			return err
		})
	}
	return space, err
}

func (s *ringStream) waitRoom(try func() error) error {
	s.announce()
	s.row.WantRoom(true) // S1
	defer s.row.WantRoom(false)
	return s.wait("room", func() (bool, error) {
		err := try()
		return !errors.Is(err, shm.ErrNoRoom), ignoring(err, shm.ErrNoRoom)
	})
}

// receive returns the next slot of the response.
func (s *ringStream) receive() (slot shm.Slot, err error) {
	if slot, err = s.reader.Tail(s.next); errors.Is(err, shm.ErrNothingYet) {
		s.place.WantResponse(!s.spin) // S1
		err = s.wait("a response", func() (bool, error) {
			slot, err = s.reader.Tail(s.next)
			return !errors.Is(err, shm.ErrNothingYet), ignoring(err, shm.ErrNothingYet)
		})
		s.place.WantResponse(false)
	}
	s.next++
	return slot, err
}

// checkAnswer compares what the reader has added up with what was sent.
func (s *ringStream) checkAnswer(size int64) error {
	slot, err := s.receive()
	if err != nil {
		return err
	}
	want := load.ChecksumOf(size)
	if got := string(slot.Bytes); got != want.String() {
		return fmt.Errorf("the reader answers %q, want %q", got, want.String())
	}
	return nil
}

// bounce sends a slot and waits until it comes back.
func (s *ringStream) bounce(stamp uint64) error {
	space, err := s.writer.Reserve(tripBytes)
	if err != nil {
		return err
	}
	binary.LittleEndian.PutUint64(space, stamp)
	s.writer.Commit(tripBytes, shm.KindBody)
	s.writer.Publish()
	s.announce()
	slot, err := s.receive()
	if err != nil {
		return err
	}
	if len(slot.Bytes) != tripBytes || binary.LittleEndian.Uint64(slot.Bytes) != stamp {
		return fmt.Errorf("%d other bytes came back", len(slot.Bytes))
	}
	s.reader.Release(slot.Number)
	return nil
}

// tripBytes is the size of what goes round.
const tripBytes = 64

// wait waits until done returns true, and looks whenever there is news of the lane, or
// all the time.
func (s *ringStream) wait(what string, done func() (bool, error)) error {
	if s.spin {
		return spinUntil(what, done)
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-s.link.news[s.index]:
		case <-timer.C:
			return fmt.Errorf("waited in vain for %s", what)
		}
	}
}

// spinUntil is wait that looks all the time.
func spinUntil(what string, done func() (bool, error)) error {
	deadline := time.Time{}
	for i := 1; ; i++ {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if i%(1<<20) != 0 {
			continue
		}
		if deadline.IsZero() {
			deadline = time.Now().Add(patience)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain for %s", what)
		}
	}
}

func ignoring(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
