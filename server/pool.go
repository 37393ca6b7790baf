package server

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// pool is the links that serve the same routes, and the exchanges that wait for
// one of them. The server assigns; workers never race for a stream.
type pool struct {
	name       string
	supervised bool // its workers come back by themselves
	queue      *queue
	counters   *counters
	shared     bool // an address can keep only so many lanes waiting

	mu    sync.Mutex
	links []*link
	came  bool // a link was added, ever
	lost  bool // none was, and none is to be expected
	held  holdings
	line  line
	idles uint64 // how often a link of this pool became idle
}

// assign gives s a place on a link, waiting in line if all are busy. A stream
// that comes back because its link died goes to the front. Release: leave.
func (p *pool) assign(ctx context.Context, s *stream) error {
	p.mu.Lock()
	if len(p.links) == 0 && (!p.supervised || p.lost) {
		p.mu.Unlock()
		return ErrNoWorker
	}
	if p.line.size == 0 && p.standing(s.client) != full {
		if l := p.pick(s); l != nil {
			l.take(s)
			p.mu.Unlock()
			l.end.Offered()
			return nil
		}
	}
	t := newTicket(s.client, s, shm.Now())
	p.line.push(t, s.attempts > 0)
	p.serveLine()
	p.mu.Unlock()
	return p.waitInLine(ctx, t)
}

func (p *pool) waitInLine(ctx context.Context, t *ticket) error {
	result, err := await(ctx, p.queue, t, t.done)
	if err == nil {
		return result
	}
	p.mu.Lock()
	left := p.line.remove(t)
	p.mu.Unlock()
	if !left {
		return <-t.done // answered in the meantime
	}
	return err
}

// pick returns the link that is to serve s, or nil if all are busy: an idle one if
// there is any, and of these the one that was idle last, whose caches are warm;
// else the one with the most room.
func (p *pool) pick(s *stream) *link {
	var best *link
	id := s.id.Load()
	for _, l := range p.links {
		if !l.hasRoom(id) {
			continue
		}
		switch {
		case best == nil,
			l.inflight == 0 && (best.inflight > 0 || l.idleSince > best.idleSince),
			best.inflight > 0 && l.load() < best.load():
			best = l
		}
	}
	return best
}

// serveLine assigns waiting exchanges while links have room. The caller holds
// the lock. Rings under the lock are safe: a link of the pool is not dead.
func (p *pool) serveLine() {
	for p.line.size > 0 && p.hasRoom() {
		t := p.line.next(p.standing)
		if t == nil {
			return
		}
		l := p.pick(t.stream)
		if l == nil {
			return
		}
		p.line.serve(t)
		l.take(t.stream)
		l.end.Offered()
		t.done <- nil
	}
}

// add makes l one of the links of the pool, unless it is dead already.
func (p *pool) add(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.dead {
		return
	}
	p.links = append(p.links, l)
	p.came, p.lost = true, false
	p.serveLine()
}

// hopeless notes that the workers of the pool do not come up. It reports whether that is
// news: one that has attached may come back.
func (p *pool) hopeless() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.came || p.lost {
		return false
	}
	p.lost = true
	p.line.fail(ErrNoWorker)
	return true
}

// remove takes l out of the pool. The caller holds the lock.
func (p *pool) remove(l *link) {
	if i := slices.Index(p.links, l); i >= 0 {
		p.links = slices.Delete(p.links, i, i+1)
	}
	if len(p.links) == 0 && !p.supervised {
		p.line.fail(ErrNoWorker)
	}
}

// hasRoom reports whether any link could take a stream. The caller holds the lock.
func (p *pool) hasRoom() bool {
	return slices.ContainsFunc(p.links, func(l *link) bool { return l.hasRoom(noStream) })
}

// noStream is the id of none.
const noStream = math.MaxUint64

// lanes returns how many exchanges the links serve at once. The caller holds the lock.
func (p *pool) lanes() (n int) {
	for _, l := range p.links {
		n += l.concurrency
	}
	return n
}

// each calls f for every place of a link of the pool that has a stream. The caller holds
// the lock.
func (p *pool) each(f func(*place)) {
	for _, l := range p.links {
		l.each(f)
	}
}

// each calls f for every place of the link that has a stream. The caller holds the
// pool's lock.
func (l *link) each(f func(*place)) {
	for i := range l.places {
		if at := &l.places[i]; at.stream != nil {
			f(at)
		}
	}
}

// standing returns how a client stands with the lanes of the pool. The caller holds the
// lock.
func (p *pool) standing(who client) standing {
	all := p.lanes()
	if !p.shared || p.held.few(who, all) {
		return within
	}
	return p.held.standing(who, all, shm.Now(), func(look func(*stream)) {
		p.each(func(at *place) { look(at.stream) })
	})
}

// assignedFor is how long a stream may lie in the inbox of a link before the
// server looks for a better place.
const assignedFor = 5 * time.Millisecond

// stuckAfter is how long a stream may lie in the inbox of the only link there is
// before the next ones wait in line rather than behind it.
const stuckAfter = 100 * time.Millisecond

// tick looks again whether somebody in the line can be served: a stuck link may
// have come back.
func (p *pool) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serveLine()
}

// reconsider takes s back from a link that has not taken it for a while, if
// another has room. The responder then assigns it anew. The link gets no more
// streams until it has emptied its inbox.
func (p *pool) reconsider(s *stream, at *place, now int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.stream != s || at.link.dead || now-at.assignedAt < int64(assignedFor) || s.attempts >= mostAttempts || at.hasAccepted(s.id.Load()) {
		return
	}
	l, age := at.link, now-at.assignedAt
	before := l.stuck
	l.stuck = true // pick another
	if !l.draining && p.pick(s) == nil {
		l.stuck = before || age > int64(stuckAfter)
		return
	}
	untouched, err := l.end.Inbox.Revoke(at.entry)
	if err != nil || !untouched {
		at.tooLate.Store(err == nil)
		return // evicted elsewhere, or taken: it serves the stream or lets go of it
	}
	s.revoked.Store(true)
	signal(s.news)
}
