package shm

import "sync/atomic"

// Assignment is one entry of an inbox: a stream for the link to serve.
type Assignment struct {
	StreamID uint64
	Row      uint32
	Lane     uint32
	Time     int64 // CLOCK_MONOTONIC of the assignment, nanoseconds
}

// inboxRing is the ring of streams assigned to a link.
type inboxRing struct {
	head  *atomic.Uint64 // server
	taken *atomic.Uint64 // worker
	mem   []byte
	mask  uint64
}

func newInboxRing(head, taken *atomic.Uint64, mem []byte, entries uint32) inboxRing {
	return inboxRing{head: head, taken: taken, mem: mem[:uint64(entries)*InboxEntryBytes], mask: uint64(entries) - 1}
}

func (r *inboxRing) at(i, field uint64) uint64 { return (i&r.mask)*InboxEntryBytes + field }

// InboxWriter is the server's end of an inbox. The server holds the link's lock
// around its calls.
type InboxWriter struct {
	ring inboxRing
	seen uint64 // taken, validated
}

// Room reports whether the inbox has a free entry. A worker that is slow to
// pass over revoked entries can fill it up. One entry always stays unused: the
// one that the worker has just taken and whose revocation it still looks at. It
// also reports whether the worker has taken all there was.
func (w *InboxWriter) Room() (room, empty bool, err error) {
	taken, err := w.Taken()
	waiting := w.ring.head.Load() - taken
	return waiting < w.ring.mask, waiting == 0, err
}

// Append assigns a stream and returns the number of its entry.
//
// E1: the stream's row and first slots pass to the worker, which reads them
// after its acquire load of the head (E2).
//
// Preconditions: Room.
func (w *InboxWriter) Append(a Assignment) uint64 {
	i := w.ring.head.Load()
	u64at(w.ring.mem, w.ring.at(i, inbStreamID)).Store(a.StreamID)
	u32at(w.ring.mem, w.ring.at(i, inbRow)).Store(a.Row)
	u32at(w.ring.mem, w.ring.at(i, inbLane)).Store(a.Lane)
	u32at(w.ring.mem, w.ring.at(i, inbRevoked)).Store(0)
	u64at(w.ring.mem, w.ring.at(i, inbTime)).Store(uint64(a.Time))
	w.ring.head.Store(i + 1)
	return i
}

// Taken returns the number of entries that the worker has taken (F2).
func (w *InboxWriter) Taken() (uint64, error) {
	taken, head := w.ring.taken.Load(), w.ring.head.Load()
	if taken < w.seen || taken > head {
		return w.seen, &Violation{What: "taken streams", Got: taken, Max: head}
	}
	w.seen = taken
	return taken, nil
}

// Took reports whether the worker says that it has taken entry i. The word is not
// checked: [InboxWriter.Taken] does that. Unlike the rest it needs no lock.
func (w *InboxWriter) Took(i uint64) bool { return w.ring.taken.Load() > i }

// Revoke takes back the assignment in entry i, and reports whether the worker
// had not taken it yet. If it returns true the worker will never touch the
// stream. If false, the worker has taken the entry and either serves the stream
// or passes it over; it then lets go of it without a response.
//
// G1, full fence, F2 against the worker's F1, full fence, G2: whoever comes
// second sees the other, so that a stream is never served by two.
//
// An entry that was taken long ago may hold another stream by now, so it is
// left alone: only while it is not taken does nobody reuse it.
func (w *InboxWriter) Revoke(i uint64) (bool, error) {
	taken, err := w.Taken()
	if err != nil || taken > i {
		return false, err
	}
	u32at(w.ring.mem, w.ring.at(i, inbRevoked)).Store(1) // G1
	taken, err = w.Taken()
	return taken <= i, err
}

// InboxReader is the worker's end of an inbox. One goroutine uses it.
type InboxReader struct {
	ring  inboxRing
	ours  func() bool   // the words read before were written for us
	taken atomic.Uint64 // what the word says: the server takes that memory back when the link is over
}

// Empty reports whether there is nothing to take.
func (r *InboxReader) Empty() bool { return r.ring.head.Load() == r.taken.Load() }

// Take takes the next assignment. It reports ok = false if there is none, or if
// the mailbox serves another attach by now, and revoked = true if the server has
// taken this one back: the caller lets go of the stream on the lane, before it
// takes another, and does nothing else with it.
func (r *InboxReader) Take() (a Assignment, revoked, ok bool) {
	i := r.taken.Load()
	if r.ring.head.Load() == i { // E2
		return Assignment{}, false, false
	}
	a = Assignment{
		StreamID: u64at(r.ring.mem, r.ring.at(i, inbStreamID)).Load(),
		Row:      u32at(r.ring.mem, r.ring.at(i, inbRow)).Load(),
		Lane:     u32at(r.ring.mem, r.ring.at(i, inbLane)).Load(),
		Time:     int64(u64at(r.ring.mem, r.ring.at(i, inbTime)).Load()),
	}
	if !r.ours() {
		return Assignment{}, false, false
	}
	flag := u32at(r.ring.mem, r.ring.at(i, inbRevoked))
	r.taken.Store(i + 1)
	r.ring.taken.Store(i + 1)  // F1
	revoked = flag.Load() != 0 // G2
	if !r.ours() {
		return Assignment{}, false, false // nor is the flag for us
	}
	return a, revoked, true
}
