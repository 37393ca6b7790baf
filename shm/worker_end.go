package shm

import (
	"sync/atomic"
	"time"
)

// WorkerEnd is the worker's end of a link, the counterpart of [ServerEnd]: it
// takes streams, hears of news, tells of news, and rings and waits as the sleep
// edges demand.
type WorkerEnd struct {
	Inbox   InboxReader
	notices NoticeReader

	segment  *RequestSegment
	response *ResponseSegment
	mailbox  mailbox
	attach   uint32 // the generation of the mailbox while it is ours
	position []Position
	outbox   NoticeWriter
	asleep   *atomic.Uint64 // ours
	rung     atomic.Uint64  // the last sleep of the server for which we rang
	server   *Eventfd       // the server's bell
	sleeps   uint64         // how often we slept
}

// OpenResponseGeometry returns where everything is in the response segment of
// link i, as its mailbox says. It returns [ErrGeometry] when the mailbox serves
// another attach than the one of this generation.
func (s *RequestSegment) OpenResponseGeometry(i, generation uint32) (ResponseGeometry, error) {
	if i >= s.geometry.Links {
		return ResponseGeometry{}, geometryError("link %d of %d", i, s.geometry.Links)
	}
	box := newMailbox(s.mailbox(i))
	g := box.responseGeometry(s.geometry.SlotSize, s.geometry.SlotLimit)
	if got := box.generation.Load(); got != generation { // after the words: the server changes it before them
		return ResponseGeometry{}, geometryError("mailbox of attach %d, want %d", got, generation)
	}
	if g.Lanes > s.geometry.InboxEntries {
		return g, geometryError("%d lanes, the mailbox has %d positions", g.Lanes, s.geometry.InboxEntries)
	}
	return g, nil
}

// NewWorkerEnd opens the worker's end of link i, which is closed as soon as its mailbox
// serves another attach than the one of this generation. Preconditions: i < Links; the
// segments belong together.
func NewWorkerEnd(segment *RequestSegment, i, generation uint32, response *ResponseSegment,
	server *Eventfd) *WorkerEnd {
	g, box, words := response.geometry, newMailbox(segment.mailbox(i)), response.mem[:response.geometry.LanesAt]
	e := &WorkerEnd{segment: segment, response: response, mailbox: box, attach: generation,
		asleep: u64at(words, lnkAsleep), server: server}
	e.Inbox.ring = newInboxRing(box.inboxHead, u64at(words, lnkTaken), box.inboxMem(), segment.geometry.InboxEntries)
	e.Inbox.ours = e.ours
	e.notices.ring = newNoticeRing(box.noticeHead, box.noticeMem(&segment.geometry), segment.geometry.NoticeEntries)
	e.outbox.ring = newNoticeRing(u64at(words, lnkOutboxHead), words[LinkBytes:], g.OutboxEntries)
	e.position = box.positions(&segment.geometry, g.Lanes)
	return e
}

// Lanes returns the number of lanes.
func (e *WorkerEnd) Lanes() uint32 { return e.response.geometry.Lanes }

// Buffers returns the number of response buffers, for the worker's [Pool].
func (e *WorkerEnd) Buffers() uint32 { return e.response.geometry.Buffers }

// SlotSize returns the most bytes that a slot can have.
func (e *WorkerEnd) SlotSize() int { return int(e.response.geometry.SlotSize) }

// Lane returns lane i. Preconditions: i < Lanes.
func (e *WorkerEnd) Lane(i uint32) *Lane { return &e.response.lanes[i] }

// Position returns the position of lane i. Preconditions: i < Lanes.
func (e *WorkerEnd) Position(i uint32) *Position { return &e.position[i] }

// Row returns row i. Preconditions: [WorkerEnd.CheckAssignment].
func (e *WorkerEnd) Row(i uint32) *Row { return &e.segment.rows[i] }

// NewWriter returns the writer of response lane i, closed.
func (e *WorkerEnd) NewWriter(i uint32) *Writer { return e.response.NewWriter(i) }

// CheckAssignment returns an error when a names a row or a lane that is not
// there.
func (e *WorkerEnd) CheckAssignment(a Assignment) error {
	if a.Row >= e.segment.geometry.Rows || a.Lane >= e.Lanes() {
		return geometryError("stream %d on row %d, lane %d", a.StreamID, a.Row, a.Lane)
	}
	return nil
}

// Reader returns the reader of the request lane of a stream. It resets the
// lane's counter, so it comes before Accept.
func (e *WorkerEnd) Reader(a Assignment) Reader {
	lane, row := e.Lane(a.Lane), e.Row(a.Row)
	lane.released.Store(0)
	return Reader{
		ring: e.segment.ring(a.Row), buffers: e.segment.buffers(), limit: e.segment.limit(), released: lane.released,
		published: peerCounter{word: row.published, gate: row.streamID, streamID: a.StreamID},
	}
}

// Notify tells the server that a lane has news (I1), and wakes its watcher if it
// sleeps (S2). It is safe for concurrent use.
func (e *WorkerEnd) Notify(lane uint32) {
	e.outbox.Push(lane)
	asleep := e.mailbox.watcherAsleep.Load()
	if asleep != 0 && e.rung.Swap(asleep) != asleep {
		e.server.Ring()
	}
}

// News calls news for each lane with news (H2), or returns all = true when all
// may have some. Lane indices are not checked. One goroutine calls it.
func (e *WorkerEnd) News(news func(lane uint32)) (all bool, err error) {
	if all, err = e.notices.Drain(news); !e.ours() {
		return false, nil // the ring is another's by now: lanes were looked at for nothing
	}
	return all, err
}

// State returns the state of the link. It is closed once the mailbox serves
// another attach.
func (e *WorkerEnd) State() LinkState {
	if state := LinkState(e.mailbox.state.Load()); e.ours() {
		return state
	}
	return LinkClosed
}

// ours reports whether what was read from the mailbox before this call was
// written for this attach. A server that evicts a link may give its mailbox to
// another while the first worker has not heard of it yet; it changes the
// generation before anything else.
func (e *WorkerEnd) ours() bool { return e.mailbox.generation.Load() == e.attach }

// Sleep announces for which reasons the worker wants its bell rung, and reports
// whether it may sleep: if false there is news. It calls Awake after its sleep. A worker
// that is busy leaves the streams in its inbox for later, and whoever ends that
// state looks at the inbox; a nil busy is never. One goroutine calls the two.
//
// S1: announcement, full fence, second look.
func (e *WorkerEnd) Sleep(reasons Asleep, state LinkState, busy func() bool) bool {
	e.sleeps++
	e.asleep.Store(e.sleeps<<8 | uint64(reasons))
	return (reasons&AsleepStream == 0 || e.Inbox.Empty() || busy != nil && busy()) && e.notices.Empty() &&
		e.State() == state
}

// Awake takes back the announcement of Sleep.
func (e *WorkerEnd) Awake() { e.asleep.Store(0) }

// Bell returns the count of rings of the futex bell. Load it before Sleep.
func (e *WorkerEnd) Bell() uint32 { return e.mailbox.bell.Load() }

// WaitBell sleeps on the futex bell until it has rung since the count was
// loaded, or for timeout, when it returns os.ErrDeadlineExceeded. It takes a
// thread: Go workers sleep on an eventfd.
func (e *WorkerEnd) WaitBell(count uint32, timeout time.Duration) error {
	return futexWait(e.mailbox.bell, count, timeout)
}
