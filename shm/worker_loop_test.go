package shm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// headersBytes is what the headers slot of a test carries: how long the request
// body and the response body are.
const headersBytes = 16

func appendSizes(request, response uint64) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, request), response)
}

// responsePattern is the body of the response to a stream.
func responsePattern(streamID uint64) pattern { return pattern(streamID*31 + 7) }

// loopWorker serves the streams of a link on one goroutine, as an SDK does: it
// checks every byte of each request and writes each response. A lane that waits
// is looked at again only after a notice about it, so a lost one is a hang.
type loopWorker struct {
	end     *WorkerEnd
	bell    *Eventfd // nil: the futex
	pool    *Pool
	random  *rand.Rand
	lanes   []*workerLane
	active  int
	futexes int
}

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

func newLoopWorker(end *WorkerEnd, bell *Eventfd, seed uint64) *loopWorker {
	w := &loopWorker{end: end, bell: bell, pool: NewPool(end.Buffers()), random: rand.New(rand.NewPCG(seed, 99))}
	for i := range end.Lanes() {
		lane := &workerLane{index: i, writer: end.NewWriter(i)}
		lane.writer.Open(w.pool, 1)
		w.lanes = append(w.lanes, lane)
	}
	return w
}

// run serves until the link is drained.
func (w *loopWorker) run() error {
	for {
		if err := w.take(); err != nil {
			return err
		}
		worked, err := w.step()
		if err != nil {
			return err
		}
		if worked {
			continue
		}
		if w.end.State() != LinkOpen && w.active == 0 {
			return nil
		}
		if err := w.sleep(); err != nil {
			return err
		}
	}
}

// take accepts every stream of the inbox.
func (w *loopWorker) take() error {
	for {
		a, revoked, ok := w.end.Inbox.Take()
		if !ok {
			return nil
		}
		if err := w.end.CheckAssignment(a); err != nil {
			return err
		}
		if revoked {
			w.letGo(a)
			continue
		}
		if err := w.accept(a); err != nil {
			return err
		}
	}
}

func (w *loopWorker) accept(a Assignment) error {
	lane := w.lanes[a.Lane]
	if lane.active {
		return fmt.Errorf("lane %d was assigned to stream %d and serves stream %d", a.Lane, a.StreamID, lane.a.StreamID)
	}
	// The lane is ours again, so the server is done with its last response.
	if err := lane.writer.Reclaim(); err != nil {
		return err
	}
	if n := lane.writer.Outstanding(); n != 0 {
		return fmt.Errorf("lane %d was assigned again with %d slots out", a.Lane, n)
	}
	writer := lane.writer
	writer.Close()
	if !writer.Open(w.pool, 1) {
		return fmt.Errorf("lane %d has lost its guarantee: %+v", a.Lane, w.pool.Stats())
	}
	writer.BindPosition(w.end.Position(a.Lane), a.StreamID)
	*lane = workerLane{index: a.Lane, writer: writer, reader: w.end.Reader(a), a: a, active: true, runnable: true, next: 1}
	w.end.Lane(a.Lane).Accept(a.StreamID)
	w.active++
	return nil
}

func (w *loopWorker) letGo(a Assignment) {
	w.end.Lane(a.Lane).LetGo(a.StreamID)
	w.end.Notify(a.Lane)
}

// step does what can be done on the lanes with news.
func (w *loopWorker) step() (worked bool, err error) {
	for _, lane := range w.lanes {
		if !lane.active || !lane.runnable {
			continue
		}
		worked = true
		if err := w.stepLane(lane); err != nil {
			return false, fmt.Errorf("stream %d, lane %d: %w", lane.a.StreamID, lane.index, err)
		}
	}
	return worked, nil
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

// write writes what there is room for.
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

// sleep waits for news and marks the lanes that it is about.
func (w *loopWorker) sleep() error {
	reasons := AsleepNotice
	if w.active < len(w.lanes) {
		reasons |= AsleepStream
	}
	count, state := w.end.Bell(), w.end.State()
	announce := func() bool { return w.end.Sleep(reasons, state) }
	var err error
	if w.bell != nil {
		err = w.bell.Wait(announce)
	} else if announce() {
		w.futexes++
		err = w.end.WaitBell(count, lostWakeUp)
	}
	w.end.Awake()
	if err != nil {
		return fmt.Errorf("asleep for %d: %w", reasons, err)
	}
	all, err := w.end.News(func(lane uint32) { w.lanes[lane].runnable = true })
	if all {
		for _, lane := range w.lanes {
			lane.runnable = true
		}
	}
	return err
}

// lostWakeUp is how long nobody ever waits: who does has missed a bell.
const lostWakeUp = 40 * time.Second
