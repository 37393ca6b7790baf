package shm

import (
	"sync"
	"sync/atomic"
)

// noticeRing is a ring of lane indices: "look at this lane". A notice is a hint,
// so the ring may overflow: the reader then looks at every lane.
type noticeRing struct {
	head *atomic.Uint64
	mem  []byte
	mask uint64
}

func newNoticeRing(head *atomic.Uint64, mem []byte, entries uint32) noticeRing {
	return noticeRing{head: head, mem: mem[:uint64(entries)*NoticeBytes], mask: uint64(entries) - 1}
}

func (r *noticeRing) entry(i uint64) *atomic.Uint32 { return u32at(r.mem, (i&r.mask)*NoticeBytes) }

// NoticeWriter is the writing end of a notice ring, safe for concurrent use.
type NoticeWriter struct {
	mu   sync.Mutex
	ring noticeRing
}

// Push says that a lane has news.
//
// H1/I1: whatever was published on the lane before is visible to the reader
// after its acquire load of the head (H2/I2).
func (w *NoticeWriter) Push(lane uint32) {
	w.mu.Lock()
	head := w.ring.head.Load()
	w.ring.entry(head).Store(lane)
	w.ring.head.Store(head + 1)
	w.mu.Unlock()
}

// NoticeReader is the reading end of a notice ring. One goroutine uses it.
type NoticeReader struct {
	ring noticeRing
	seen uint64
}

// Empty reports whether there is nothing new.
func (r *NoticeReader) Empty() bool { return r.ring.head.Load() == r.seen }

// Drain calls news for every lane with news. It returns all = true when notices
// were, or may have been, overwritten before they were read: every lane may then
// have news. A head that runs backwards is a [*Violation].
//
// A full ring counts as overwritten: a writer stores the next notice, in the
// place of the oldest, before it moves the head.
func (r *NoticeReader) Drain(news func(lane uint32)) (all bool, err error) {
	head := r.ring.head.Load() // H2/I2
	if head < r.seen {
		return false, &Violation{What: "notice head", Got: head, Max: r.seen}
	}
	first := r.seen
	r.seen = head
	if head-first > r.ring.mask {
		return true, nil
	}
	for i := first; i != head; i++ {
		news(r.ring.entry(i).Load())
	}
	return r.ring.head.Load()-first > r.ring.mask, nil
}
