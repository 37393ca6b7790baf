package shm

import (
	"sync"
	"sync/atomic"
)

// Writer is the writing end of a lane: reserve, fill, commit, publish. The
// server writes request lanes with it, the Go SDK response lanes.
//
// One goroutine reserves, commits and publishes. [Writer.Reclaim] may be called
// by any goroutine at any time, so that the buffers of a lane whose writer is
// busy elsewhere can still go back to the pool.
type Writer struct {
	ring      descriptorRing
	buffers   bufferArea
	published *atomic.Uint64 // ours: A1 or C1
	limit     uint64         // most outstanding slots

	mu        sync.Mutex
	account   Account
	released  peerCounter // the reader's: B2 or D2
	owner     any         // of the reader, see BindLane
	committed uint64      // slots committed, published or not
	visible   uint64      // slots published
	reclaimed uint64      // slots whose bytes we have back
	kept      bool        // give nothing back: the lane may be read again
	filled    []span      // buffers that are full, oldest first
	current   span        // buffer that is being filled
	used      uint32      // bytes of current that slots cover
	reserved  uint32      // bytes of current that are reserved beyond used
}

// span is a buffer and the last slot that has bytes in it. The slots of a
// buffer are consecutive, so it is free once that slot is released.
type span struct {
	buffer uint32
	last   uint64
}

// Open readies w for a new stream with a guaranteed minimum of buffers, or
// reports false when the pool cannot promise them now. Nothing is reclaimed
// until a reader is bound. Preconditions: w is closed. Release: [Writer.Close].
func (w *Writer) Open(pool *Pool, guarantee int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !pool.Open(&w.account, guarantee) {
		return false
	}
	w.resetLocked()
	return true
}

// OpenAwaited does the same with the guarantee for which a waiter of the pool waits.
func (w *Writer) OpenAwaited(waiter *Waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !waiter.Open(&w.account) {
		return false
	}
	w.resetLocked()
	return true
}

func (w *Writer) resetLocked() {
	w.released, w.owner = peerCounter{}, nil
	w.committed, w.visible, w.reclaimed = 0, 0, 0
	w.kept = false
	w.current, w.used, w.reserved = span{buffer: NoBuffer}, 0, 0
	w.published.Store(0)
}

// BindLane makes the worker behind the lane the reader of this stream. A lane
// that was detached can be bound again, to another worker. Violations of the
// reader name its owner, which may be any value. Server only.
func (w *Writer) BindLane(lane *Lane, streamID uint64, owner any) {
	w.bind(peerCounter{word: lane.released, gate: lane.streamID, streamID: streamID, otherwise: 0}, owner)
}

// BindPosition makes the server the reader of this stream. Worker only.
func (w *Writer) BindPosition(p *Position, streamID uint64) {
	w.bind(peerCounter{word: p.released, gate: p.streamID, streamID: streamID, otherwise: AllReleased}, nil)
}

// Unbind forgets the reader: it is dead, and what it released does not count.
func (w *Writer) Unbind() { w.bind(peerCounter{}, nil) }

func (w *Writer) bind(released peerCounter, owner any) {
	w.mu.Lock()
	w.released, w.owner = released, owner
	w.mu.Unlock()
}

// Detach forgets the reader if every slot committed so far can still be read by
// another, and reports whether it did. It is one step: nothing is taken back
// between the look and the forgetting, and nothing after it until another reader
// is bound. Only what the writer itself has taken back counts, not what the
// reader says.
func (w *Writer) Detach() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reclaimed != 0 {
		return false
	}
	w.released, w.owner = peerCounter{}, nil
	return true
}

// Reserve returns space for the next slot: at least min bytes, and up to what
// remains in the buffer. It continues the present buffer when that has room, so
// small slots share one. The space is the caller's until Commit or the next
// Reserve; nothing is visible to the reader before Publish.
//
// It returns [ErrNoRoom] when the lane or the pool is full, and a [*Violation]
// when the reader's counter makes no sense.
//
// Preconditions: 1 <= min <= slot size.
func (w *Writer) Reserve(min int) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if min < 1 || min > int(w.buffers.slotSize) {
		panic("shm: Reserve of more than a slot")
	}
	w.reserved = 0
	if err := w.reclaimLocked(); err != nil {
		return nil, err
	}
	if w.committed-w.reclaimed >= w.limit {
		return nil, ErrNoRoom
	}
	w.rewindLocked() // a reservation that was given up may have held it back
	if w.current.buffer == NoBuffer || w.buffers.slotSize-w.used < uint32(min) {
		buffer, ok := w.account.Take()
		if !ok {
			return nil, ErrNoRoom
		}
		if w.current.buffer != NoBuffer {
			w.filled = append(w.filled, w.current)
		}
		w.current, w.used = span{buffer: buffer, last: w.reclaimed}, 0
	}
	w.reserved = w.buffers.slotSize - w.used
	return w.buffers.at(w.current.buffer, w.used, w.reserved), nil
}

// Commit makes the first n bytes of the reservation the next slot. It is the
// reader's only after Publish.
//
// Preconditions: the last Reserve succeeded and 0 < n <= what it returned.
func (w *Writer) Commit(n int, kind Kind) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n < 1 || uint32(n) > w.reserved {
		panic("shm: Commit of more than was reserved")
	}
	w.committed++
	w.ring.store(descriptor{number: w.committed, buffer: w.current.buffer, offset: w.used, length: uint32(n),
		kind: uint32(kind), time: Now()})
	w.current.last = w.committed
	w.used = min(uint32(roundUp(uint64(w.used)+uint64(n), SlotAlign)), w.buffers.slotSize)
	w.reserved = 0
}

// CommitEmpty makes a slot without bytes the next one. It returns [ErrNoRoom]
// when the lane is full.
func (w *Writer) CommitEmpty(kind Kind) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.reclaimLocked(); err != nil {
		return err
	}
	if w.committed-w.reclaimed >= w.limit {
		return ErrNoRoom
	}
	w.committed++
	w.ring.store(descriptor{number: w.committed, buffer: NoBuffer, kind: uint32(kind), time: Now()})
	return nil
}

// Publish hands every committed slot to the reader and reports whether there
// was one to hand over.
//
// A1/C1: the slots' bytes and descriptors pass to the reader, who sees them
// after its acquire load of the counter (A2/C2).
func (w *Writer) Publish() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.visible == w.committed {
		return false
	}
	w.visible = w.committed
	w.published.Store(w.committed)
	return true
}

// Reclaim takes back the bytes of released slots.
//
// B2/D2: the acquire load of the reader's counter pairs with its release store
// (B1/D1): the reader does not look at those bytes any more.
func (w *Writer) Reclaim() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reclaimLocked()
}

func (w *Writer) reclaimLocked() error {
	if w.kept || w.released.word == nil {
		return nil
	}
	released := w.released.load()
	if released == AllReleased {
		released = w.visible
	}
	if released == w.reclaimed {
		return nil
	}
	if released < w.reclaimed || released > w.visible {
		return &Violation{What: "released slots", Got: released, Max: w.visible, Owner: w.owner}
	}
	w.reclaimed = released
	done := 0
	for done < len(w.filled) && w.filled[done].last <= released {
		w.account.Give(w.filled[done].buffer)
		done++
	}
	w.filled = append(w.filled[:0], w.filled[done:]...)
	w.rewindLocked()
	return nil
}

// rewindLocked starts the present buffer again when nobody reads it any more.
func (w *Writer) rewindLocked() {
	if w.reserved == 0 && w.current.last <= w.reclaimed {
		w.used = 0
	}
}

// Keep stops the reclaiming of slots, so that the lane stays whole and can be
// read from its first slot again; Keep(false) lets it go on.
func (w *Writer) Keep(on bool) {
	w.mu.Lock()
	w.kept = on
	w.mu.Unlock()
}

// Whole reports whether every slot committed so far can still be read. It may be
// out of date at once: see [Writer.Detach].
func (w *Writer) Whole() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reclaimed == 0
}

// LowerGuarantee gives up the guaranteed buffers of a lane that needs no more.
func (w *Writer) LowerGuarantee() {
	w.mu.Lock()
	w.account.Close()
	w.mu.Unlock()
}

// Progress returns how many slots the reader says it has released, at most all
// that are published. Unlike Reclaim it takes nothing back: it is for watching
// whether the number grows.
func (w *Writer) Progress() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.released.word == nil {
		return 0
	}
	return min(w.released.load(), w.visible)
}

// Outstanding returns the number of published slots that the reader has not
// released, as of the last Reclaim.
func (w *Writer) Outstanding() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.visible - w.reclaimed
}

// Committed returns the number of slots committed.
func (w *Writer) Committed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.committed
}

// Held returns the number of buffers that the lane holds.
func (w *Writer) Held() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.account.Held()
}

// Close gives back every buffer and the guarantee. Preconditions: the reader
// has let go of the lane or is dead; no reservation is in use.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emptyLocked()
	w.account.Close()
}

// Reopen readies w for a new stream with the guarantee that it has.
// Preconditions: as Close; w is open.
func (w *Writer) Reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emptyLocked()
	w.resetLocked()
}

// Empty gives back every buffer and keeps the guarantee. Preconditions: as Close.
func (w *Writer) Empty() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.emptyLocked()
}

func (w *Writer) emptyLocked() {
	for _, s := range w.filled {
		w.account.Give(s.buffer)
	}
	w.filled = w.filled[:0]
	if w.current.buffer != NoBuffer {
		w.account.Give(w.current.buffer)
	}
	w.current, w.used, w.reserved = span{buffer: NoBuffer}, 0, 0
	w.released, w.owner = peerCounter{}, nil
}
