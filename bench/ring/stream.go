package ring

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/shm"
)

// stream is one stream on a lane of a link, as the server has for each request. One
// goroutine uses it.
type stream struct {
	id       uint64
	link     *link
	index    uint32 // of the lane
	lane     *shm.Lane
	position *shm.Position
	row      *shm.Row
	writer   *shm.Writer
	reader   shm.Reader // of the response
	next     uint64     // response slot
	pending  int        // slots published since the reader was last woken
	slots    int64
	slotSize int
	spin     bool
}

// The modes, in the first slot: the reader adds up what comes, or sends it back.
const (
	modeCount byte = 1
	modeEcho  byte = 2
)

// announceEvery is after how many slots a sleeping reader is woken, as in the server.
const announceEvery = 8

// streamGuarantee is how many buffers a stream can always have, as in the server.
const streamGuarantee = 2

// open gives the stream to the reader. Release: close.
func (s *stream) open(pool *shm.Pool, id uint64, mode byte) error {
	if !s.writer.Open(pool, streamGuarantee) {
		return errors.New("no buffers are left")
	}
	s.id, s.next, s.slots = id, 1, 0
	s.row.Open(id)
	s.position.Open(id)
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
func (s *stream) close() error {
	s.position.Finish()
	err := s.wait("the reader to let go", func() (bool, error) { return s.lane.HasLetGo(s.id), nil })
	s.writer.Close()
	s.row.Close()
	return err
}

// send sends a body of payload.
func (s *stream) send(size int64) error {
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
func (s *stream) fill(space []byte, at int) (n int) {
	for n < len(space) {
		n += copy(space[n:], load.Payload[(at+n)%len(load.Payload):])
	}
	return n
}

// publish wakes the reader for several slots at once.
func (s *stream) publish() {
	s.writer.Publish()
	if s.pending++; s.pending >= announceEvery {
		s.announce()
	}
}

func (s *stream) announce() {
	s.pending = 0
	if s.lane.WantsRequest() {
		s.link.end.Notify(s.index)
	}
}

func (s *stream) end() error {
	err := s.writer.CommitEmpty(shm.KindEnd)
	if errors.Is(err, shm.ErrNoRoom) {
		err = s.waitRoom(func() error { return s.writer.CommitEmpty(shm.KindEnd) })
	}
	s.writer.Publish()
	s.announce()
	return err
}

// reserve returns room for a slot, and waits until there is some.
func (s *stream) reserve() (space []byte, err error) {
	space, err = s.writer.Reserve(s.slotSize)
	if errors.Is(err, shm.ErrNoRoom) {
		err = s.waitRoom(func() (err error) {
			space, err = s.writer.Reserve(s.slotSize)
			return err
		})
	}
	return space, err
}

func (s *stream) waitRoom(try func() error) error {
	s.announce()
	s.row.WantRoom(true) // S1
	defer s.row.WantRoom(false)
	return s.wait("room", func() (bool, error) {
		err := try()
		return !errors.Is(err, shm.ErrNoRoom), ignoring(err, shm.ErrNoRoom)
	})
}

// receive returns the next slot of the response.
func (s *stream) receive() (slot shm.Slot, err error) {
	if slot, err = s.reader.Tail(s.next); errors.Is(err, shm.ErrNothingYet) {
		s.position.WantResponse(!s.spin) // S1
		err = s.wait("a response", func() (bool, error) {
			slot, err = s.reader.Tail(s.next)
			return !errors.Is(err, shm.ErrNothingYet), ignoring(err, shm.ErrNothingYet)
		})
		s.position.WantResponse(false)
	}
	s.next++
	return slot, err
}

// checkAnswer compares what the reader has added up with what was sent.
func (s *stream) checkAnswer(size int64) error {
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
func (s *stream) bounce(stamp uint64) error {
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

// tripBytes is how much goes each way.
const tripBytes = 64

// wait waits until done returns true. It checks after each notice of the lane, or spins.
func (s *stream) wait(what string, done func() (bool, error)) error {
	if s.spin {
		return spinUntil(what, done)
	}
	timer := time.NewTimer(role.Timeout)
	defer timer.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-s.link.news[s.index]:
		case <-timer.C:
			return fmt.Errorf("timed out waiting for %s", what)
		}
	}
}

// spinUntil is wait for a stream that spins.
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
			deadline = time.Now().Add(role.Timeout)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("timed out waiting for %s", what)
		}
	}
}

func ignoring(err, harmless error) error {
	if errors.Is(err, harmless) {
		return nil
	}
	return err
}
