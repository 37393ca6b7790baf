package dispatch

import (
	"sync/atomic"

	"github.com/wavey-ai/upload-response/shm"
)

// assignment is one lane of a link and the stream to which it was given.
type assignment struct {
	link     *link
	index    uint32
	lane     *shm.Lane
	position *shm.Position

	// Under the pool's lock.
	stream     *Stream // nil: the lane is free
	last       uint64  // id of the last stream on the lane
	served     bool    // the response has ended well, and the stream does not count as work any more
	entry      uint64  // in the inbox
	assignedAt int64   // shm.Now
	named      bool    // the log has the stream as one that hangs

	// Of the present stream. What was seen stays: a worker cannot take it back.
	accepted atomic.Bool // the worker was seen to have accepted it
	tooLate  atomic.Bool // the server wanted it back when it had been taken: the worker may pass it over
}

// hasAccepted reports whether the worker has accepted the stream, or was seen to have.
func (a *assignment) hasAccepted(id uint64) bool {
	if !a.lane.Accepted(id) {
		return a.accepted.Load()
	}
	if !a.accepted.Load() {
		a.accepted.Store(true)
	}
	return true
}

// tookBack reports whether the worker says that it has not accepted the stream, and was
// seen to have.
func (a *assignment) tookBack(id uint64) bool { return a.hasAccepted(id) && !a.lane.Accepted(id) }

// hasLetGo reports whether the worker has let go of the stream (K2). It counts only when
// the worker has taken the entry. Before that, what it let go of was an earlier entry of
// the same stream on this lane; and when it has, that word is gone: there was another entry
// of the lane in between (see pickLane), of which it let go before it took this one. So the
// second look at the lane comes after that at the inbox.
func (a *assignment) hasLetGo(id uint64) bool {
	return a.lane.HasLetGo(id) && a.link.end.Inbox.Took(a.entry) && a.lane.HasLetGo(id)
}

// passedOver reports whether the worker has taken the entry just when the server wanted it
// back, and has let go of the stream without having accepted it. Nothing else that it lets
// go of is as good as never assigned.
func (a *assignment) passedOver(id uint64) bool {
	return a.tooLate.Load() && a.hasLetGo(id) && !a.hasAccepted(id) // in this order: it accepts first
}
