package shm

import "sync/atomic"

// Reader is the reading end of a lane: tail a slot, use it, release it. Workers
// read request lanes with it, the server response lanes. One goroutine uses it.
type Reader struct {
	ring      descriptorRing
	buffers   bufferArea
	published peerCounter    // the writer's: A2 or C2
	released  *atomic.Uint64 // ours: B1 or D1
	limit     uint64         // most outstanding slots
	seen      uint64         // published slots, validated
	interim   uint64         // slots before the headers that were looked at
	done      uint64         // slots that we released
}

// Tail returns slot n, counted from 1, as soon as the writer has published it.
// Until then it returns [ErrNothingYet]; after its release [ErrReleased]; and a
// [*Violation] when the writer's numbers make no sense.
func (r *Reader) Tail(n uint64) (Slot, error) {
	if n <= r.done {
		return Slot{}, ErrReleased
	}
	if n > r.seen {
		if err := r.look(); err != nil {
			return Slot{}, err
		}
		if n > r.seen {
			return Slot{}, ErrNothingYet
		}
	}
	return r.slot(n)
}

// Published returns how many slots the writer has published.
func (r *Reader) Published() (uint64, error) {
	err := r.look()
	return r.seen, err
}

// look loads the writer's counter.
//
// A2/C2: after this acquire load the slots up to it are ours to read.
func (r *Reader) look() error {
	published := r.published.load()
	if published < r.seen || published-r.done > r.limit {
		return &Violation{What: "published slots", Got: published, Max: r.done + r.limit}
	}
	r.seen = published
	return nil
}

// slot copies the descriptor of slot n, checks the copy and returns what it
// describes.
func (r *Reader) slot(n uint64) (Slot, error) {
	d := r.ring.load(n)
	kind, final := Kind(d.kind)&^Final, Kind(d.kind)&Final != 0
	switch {
	case d.number != n:
		return Slot{}, &Violation{What: "slot number", Got: d.number, Max: n}
	case !kind.Valid() || final && !kind.Message():
		return Slot{}, &Violation{What: "slot kind", Got: uint64(d.kind), Max: uint64(KindClose)}
	case !r.inPlace(kind, n):
		return Slot{}, &Violation{What: "kind of slot " + kind.String(), Got: n, Max: r.interim + 1}
	case !kind.mayCarry(d.length):
		return Slot{}, &Violation{What: "length of " + kind.String() + " slot", Got: uint64(d.length), Max: 0}
	case d.length == 0:
		return Slot{Number: n, Kind: kind, Final: final, Time: d.time}, nil
	case d.buffer >= r.buffers.count:
		return Slot{}, &Violation{What: "slot buffer", Got: uint64(d.buffer), Max: uint64(r.buffers.count) - 1}
	case d.length > r.buffers.slotSize || d.offset > r.buffers.slotSize-d.length:
		return Slot{}, &Violation{What: "end of slot", Got: uint64(d.offset) + uint64(d.length),
			Max: uint64(r.buffers.slotSize)}
	}
	return Slot{Number: n, Kind: kind, Final: final, Time: d.time, Bytes: r.buffers.at(d.buffer, d.offset, d.length)},
		nil
}

// inPlace reports whether slot n may be of a kind: interim responses come first,
// then the headers, then the rest.
func (r *Reader) inPlace(kind Kind, n uint64) bool {
	next := r.interim + 1 // where the headers are, or one more interim response
	switch kind {
	case KindAbort:
		return true
	case KindHeaders:
		return n == next
	case KindInterim:
		if n == next {
			r.interim = n
		}
		return n <= r.interim
	}
	return n > next
}

// Release gives the slots up to and including n back to the writer. Their bytes
// may be overwritten at once.
//
// B1/D1: our reads of those bytes happen before the writer's reuse, which
// follows its acquire load of the counter (B2/D2).
//
// Preconditions: slot n is published.
func (r *Reader) Release(n uint64) {
	if n > r.seen {
		_ = r.look() // the caller may know of it otherwise; Tail reports errors
	}
	if n > r.seen {
		panic("shm: Release of a slot that was never seen")
	}
	if n <= r.done {
		return
	}
	r.done = n
	r.released.Store(n)
}

// Released returns the number of the last released slot.
func (r *Reader) Released() uint64 { return r.done }
