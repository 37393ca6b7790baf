package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// workerLane is what the worker knows of one lane.
type workerLane struct {
	index    uint32
	writer   *Writer
	reader   Reader
	a        Assignment
	active   bool
	runnable bool

	next             uint64 // slot to be tailed
	received, expect uint64 // bytes of the request body
	requestEnded     bool
	started, ended   bool   // the response has its first, its last slot
	sent, send       uint64 // bytes of the response body
}

// stepLane reads and writes until it can do neither, then says what it waits
// for, and looks once more (S1).
func (w *loopWorker) stepLane(lane *workerLane) error {
	words := w.end.Lane(lane.index)
	words.WantRequest(false)
	words.WantRoomAt(0)
	for announced := false; ; {
		read, err := w.read(lane)
		if err != nil {
			return err
		}
		wrote, err := w.write(lane)
		if err != nil {
			return err
		}
		switch {
		case lane.requestEnded && lane.ended:
			lane.active = false
			w.active--
			w.letGo(lane.a)
			return nil
		case read || wrote:
			announced = false
		case announced:
			lane.runnable = false
			return nil
		default:
			words.WantRequest(!lane.requestEnded)
			if !lane.ended { // any slot that is out will do
				words.WantRoomAt(lane.writer.Committed() - w.random.Uint64N(max(1, lane.writer.Outstanding())))
			}
			announced = true
		}
	}
}

// read reads what is there, releasing now and then, and everything before it
// waits.
func (w *loopWorker) read(lane *workerLane) (worked bool, err error) {
	for !lane.requestEnded {
		slot, err := lane.reader.Tail(lane.next)
		if errors.Is(err, ErrNothingYet) {
			break
		}
		if err != nil {
			return false, err
		}
		worked = true
		if err := lane.check(slot); err != nil {
			return false, err
		}
		lane.next++
		if w.random.IntN(3) == 0 {
			w.release(lane, lane.next-1-w.random.Uint64N(lane.next-lane.reader.Released()))
		}
		if w.random.IntN(8) == 0 {
			return true, nil // write a little
		}
	}
	w.release(lane, lane.next-1)
	return worked, nil
}

func (w *loopWorker) release(lane *workerLane, n uint64) {
	if n <= lane.reader.Released() {
		return
	}
	lane.reader.Release(n)
	if w.end.Row(lane.a.Row).WantsRoomAt(n) {
		w.end.Notify(lane.index)
	}
}

func (l *workerLane) check(slot Slot) error {
	switch slot.Kind {
	case KindHeaders:
		l.expect, l.send = binary.LittleEndian.Uint64(slot.Bytes), binary.LittleEndian.Uint64(slot.Bytes[8:])
		return nil
	case KindBody:
		err := pattern(l.a.StreamID).check(slot.Bytes, l.received)
		l.received += uint64(len(slot.Bytes))
		return err
	case KindEnd:
		l.requestEnded = true
		if l.received != l.expect {
			return fmt.Errorf("the request ended after %d of %d bytes", l.received, l.expect)
		}
		return nil
	default:
		return fmt.Errorf("unexpected %v", slot.Kind)
	}
}

// write fills the room that there is.
func (w *loopWorker) write(lane *workerLane) (worked bool, err error) {
	defer func() { w.publish(lane) }()
	for lane.next > 1 && !lane.ended {
		if lane.sent == lane.send && lane.started {
			if err := lane.writer.CommitEmpty(KindEnd); err != nil {
				return worked, roomLater(err)
			}
			lane.ended = true
			return true, nil
		}
		if err := w.writeSlot(lane); err != nil {
			return worked, roomLater(err)
		}
		worked = true
		if w.random.IntN(4) == 0 {
			w.publish(lane)
		}
		if w.random.IntN(8) == 0 {
			return true, nil // read a little
		}
	}
	return worked, nil
}

func (w *loopWorker) writeSlot(lane *workerLane) error {
	if !lane.started {
		space, err := lane.writer.Reserve(headersBytes)
		if err != nil {
			return err
		}
		copy(space, appendSizes(lane.a.StreamID, lane.send))
		lane.writer.Commit(headersBytes, KindHeaders)
		lane.started = true
		return nil
	}
	least := int(min(lane.send-lane.sent, 1+w.random.Uint64N(uint64(w.end.SlotSize()))))
	space, err := lane.writer.Reserve(least)
	if err != nil {
		return err
	}
	n := int(min(lane.send-lane.sent, uint64(least)+w.random.Uint64N(uint64(len(space)-least)+1)))
	responsePattern(lane.a.StreamID).fill(space[:n], lane.sent)
	lane.writer.Commit(n, KindBody)
	lane.sent += uint64(n)
	return nil
}

func (w *loopWorker) publish(lane *workerLane) {
	if lane.writer.Publish() && w.end.Position(lane.index).WantsResponse() {
		w.end.Notify(lane.index)
	}
}

// roomLater makes a lack of room no error.
func roomLater(err error) error {
	if errors.Is(err, ErrNoRoom) {
		return nil
	}
	return err
}
