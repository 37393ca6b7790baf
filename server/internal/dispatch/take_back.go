package dispatch

import (
	"math"
	"slices"
	"time"
)

const (
	// takeBackAfter is how long a stream may lie in the inbox of a link before the server looks
	// for a better one; twice as long in the next inbox, and so on: where all workers are slow
	// it would else have been everywhere in no time.
	takeBackAfter = 5 * time.Millisecond
	// laggingAfter is how long a stream may lie in the inbox of the only link there is before
	// the next ones wait in the queue rather than behind it.
	laggingAfter = 100 * time.Millisecond
	// queueBefore is how long before the worker's time is up a stream that it has not taken goes
	// back to the queue, but no longer than half of that time.
	queueBefore = time.Second
	// mostAttempts is how often a stream is assigned before it stays in an inbox for want of a
	// better one, and how many links may die before they took it.
	mostAttempts = 8
)

// reconsider takes s back from a link that has not taken it for a while, if another has
// room, or if it is of no use to wait for this one. Its exchange then assigns it again. The link
// gets no more streams until it has emptied its inbox.
func (p *Pool) reconsider(s *Stream, a *assignment, now, patience int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.stream != s || a.link.closed || a.hasAccepted(s.id.Load()) || !p.retriesOf(s).OnRefused ||
		!p.wantsBack(s, a.link, now-a.assignedAt, patience) {
		return
	}
	untouched, err := a.link.end.Inbox.Revoke(a.entry)
	if err != nil || !untouched {
		a.tooLate.Store(err == nil)
		return // evicted elsewhere, or taken: it serves the stream or lets go of it
	}
	s.revoked.Store(true)
	signal(s.responseNews)
}

// wantsBack reports whether a stream of such an age, in nanoseconds, is to be taken back from the
// inbox of a link. The caller holds the lock.
func (p *Pool) wantsBack(s *Stream, l *link, age, patience int64) bool {
	switch {
	case age < int64(takeBackAfter):
		return false
	case l.draining || l.retiring: // which gets no more: the last attempt, too, is taken back
		l.lagging = true
		return true
	case s.attempts >= mostAttempts || age < int64(takeBackAfter)<<(s.attempts-1):
		return false
	}
	before := l.lagging
	l.lagging = true // pick another
	if p.pick(s) != nil {
		return true
	}
	if (age > patience || age > int64(laggingAfter) && p.queuePasses(l)) && p.waits.hasRoom() {
		return true
	}
	l.lagging = before || age > int64(laggingAfter)
	return false
}

// queuePasses reports whether streams in the queue are served by other links before what lies
// in the inbox of this one. The caller holds the lock.
func (p *Pool) queuePasses(l *link) bool {
	return p.queue.size > 0 && slices.ContainsFunc(p.links, func(other *link) bool {
		return other != l && !other.lagging && !other.draining && !other.retiring
	})
}

// inboxTime returns how long a stream may lie in the inbox of a worker of a pool, in nanoseconds: a
// request that nobody has begun with waits in the queue when the worker is as good as stuck. Where
// nobody looks for stuck workers, it stays.
func (d *Dispatcher) inboxTime(p *Pool) int64 {
	timeout := d.responseTimeout(p)
	if d.stuckAfter(p) < 0 {
		return math.MaxInt64
	}
	return int64(timeout - min(queueBefore, timeout/2))
}
