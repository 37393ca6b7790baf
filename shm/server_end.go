package shm

import "sync/atomic"

// ServerEnd is the server's end of a link: it offers streams, tells of news,
// hears of news, and rings and waits as the sleep edges demand. All of it is
// safe for concurrent use but for what says otherwise.
type ServerEnd struct {
	Inbox  InboxWriter // under the caller's lock
	outbox NoticeReader

	segment  *RequestSegment
	response *ResponseSegment
	mailbox  mailbox
	position []Position
	notices  NoticeWriter
	asleep   *atomic.Uint64 // worker's
	rung     atomic.Uint64  // the last sleep of the worker for which we rang
	ring     func()
	sleeps   uint64 // how often we slept
}

// NewServerEnd opens the server's end of link i, whose mailbox it resets. With a
// nil bell the worker sleeps on the mailbox's futex word. Preconditions: no
// other end of link i is in use.
func NewServerEnd(segment *RequestSegment, i, generation uint32, response *ResponseSegment, bell *Eventfd) *ServerEnd {
	g, box, words := response.geometry, newMailbox(segment.mailbox(i)), response.mem[:response.geometry.LanesAt]
	box.reset(generation, g)
	e := &ServerEnd{segment: segment, response: response, mailbox: box, asleep: u64at(words, lnkAsleep)}
	e.Inbox.ring = newInboxRing(box.inboxHead, u64at(words, lnkTaken), box.inboxMem(), segment.geometry.InboxEntries)
	e.notices.ring = newNoticeRing(box.noticeHead, box.noticeMem(&segment.geometry), segment.geometry.NoticeEntries)
	e.outbox.ring = newNoticeRing(u64at(words, lnkOutboxHead), words[LinkBytes:], g.OutboxEntries)
	e.position = box.positions(&segment.geometry, g.Lanes)
	e.ring = func() {
		box.bell.Add(1)
		futexWake(box.bell)
	}
	if bell != nil {
		e.ring = bell.Ring
	}
	return e
}

// Lanes returns the number of lanes.
func (e *ServerEnd) Lanes() uint32 { return e.response.geometry.Lanes }

// Lane returns lane i. Preconditions: i < Lanes.
func (e *ServerEnd) Lane(i uint32) *Lane { return &e.response.lanes[i] }

// Position returns the position of lane i. Preconditions: i < Lanes.
func (e *ServerEnd) Position(i uint32) *Position { return &e.position[i] }

// Reader returns the reader of the response to a stream that is assigned to lane
// i. Preconditions: the lane's Position is open for the stream.
func (e *ServerEnd) Reader(i uint32, streamID uint64) Reader {
	return Reader{
		ring: e.response.ring(i), buffers: e.response.buffers(), limit: e.response.limit(),
		released: e.position[i].released,
		published: peerCounter{word: e.response.lanes[i].published, gate: e.response.lanes[i].streamID,
			streamID: streamID},
	}
}

// Offered wakes the worker if it sleeps until a stream comes (S2). Call it after
// Inbox.Append.
func (e *ServerEnd) Offered() { e.wake(AsleepStream) }

// Notify tells the worker that a lane has news (H1), and wakes it if it sleeps
// until then (S2).
func (e *ServerEnd) Notify(lane uint32) {
	e.notices.Push(lane)
	e.wake(AsleepNotice)
}

// Alert is Notify for news that every sleeper wants: a cancellation.
func (e *ServerEnd) Alert(lane uint32) {
	e.notices.Push(lane)
	e.Wake()
}

// Wake wakes the worker if it sleeps, for any reason.
func (e *ServerEnd) Wake() { e.wake(anyReason) }

// anyReason rings every sleeper, even one that asked for nothing.
const anyReason = ^Asleep(0)

// wake rings, once for each sleep of the worker.
//
// S2: the caller's publication, a full fence, and this load, against the
// worker's announcement, a full fence, and its second look (S1): one of the two
// sees the other.
func (e *ServerEnd) wake(why Asleep) {
	asleep := e.asleep.Load()
	wanted := why == anyReason || Asleep(asleep)&why != 0
	if asleep != 0 && wanted && e.rung.Swap(asleep) != asleep {
		e.ring()
	}
}

// SetState tells the worker the state of its link; it wakes up to see it.
func (e *ServerEnd) SetState(state LinkState) {
	e.mailbox.state.Store(uint32(state))
	e.Wake()
}

// News calls news for each lane with news (I2), or returns all = true when all
// may have some. Lane indices are not checked. One goroutine calls it.
func (e *ServerEnd) News(news func(lane uint32)) (all bool, err error) { return e.outbox.Drain(news) }

// Sleep announces that the server's watcher of this link goes to sleep, and
// reports whether it may: if false there is news. The watcher calls Awake after
// its sleep. One goroutine calls the two.
//
// S1: announcement, full fence, second look.
func (e *ServerEnd) Sleep() bool {
	e.sleeps++
	e.mailbox.watcherAsleep.Store(e.sleeps)
	return e.outbox.Empty()
}

// Awake takes back the announcement of Sleep.
func (e *ServerEnd) Awake() { e.mailbox.watcherAsleep.Store(0) }
