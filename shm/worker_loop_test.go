package shm

import (
	"encoding/binary"
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
	writer.Reopen()
	writer.BindPosition(w.end.Position(a.Lane), a.StreamID)
	*lane = workerLane{index: a.Lane, writer: writer, reader: w.end.Reader(a), a: a, active: true, runnable: true,
		next: 1}
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

// sleep waits for news and marks the lanes that it is about.
func (w *loopWorker) sleep() error {
	reasons := AsleepNotice
	if w.active < len(w.lanes) {
		reasons |= AsleepStream
	}
	count, state := w.end.Bell(), w.end.State()
	announce := func() bool { return w.end.Sleep(reasons, state, nil) }
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
