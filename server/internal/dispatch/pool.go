package dispatch

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// Pool is the links that serve the same routes, and the streams that wait for one of them.
// The server assigns; workers never race for a stream.
type Pool struct {
	name     string
	waits    *waitLimit
	counters *Counters
	config   atomic.Pointer[PoolConfig]

	mu         sync.Mutex
	links      []*link
	supervised bool      // the workers come back by themselves
	fair       bool      // an address can keep only so many lanes waiting
	leaving    bool      // no route leads here any more
	served     bool      // so it is, and nobody waits any more: the links leave when they are empty
	drained    bool      // by an operator: requests fail
	attached   bool      // a link was added, ever
	expected   time.Time // until then a worker is to be expected, see ExpectWorkers
	failed     string    // why no worker is to be expected, for a person; "": one is
	held       holdings
	queue      fairQueue
	idles      uint64 // how often a link of this pool became idle
	lost       loss   // the last link whose worker went away without a word
	busyTime   int64  // that streams have had lanes, but for those that have them now; nanoseconds

	moved                      *movedBytes
	heldByClient, heldByWorker atomic.Int64 // how long streams were kept waiting; nanoseconds; the deadline loop's
}

// assign gives s a lane, and waits in the queue if all links are busy. A stream that comes
// back because its link was closed goes to the front. Release: Finish.
func (p *Pool) assign(ctx context.Context, s *Stream) error {
	p.mu.Lock()
	if err := p.checkExpected(); err != nil {
		p.mu.Unlock()
		return err
	}
	if p.queue.size == 0 && p.share(s.client) != exhausted {
		if l := p.pick(s); l != nil {
			l.assign(s)
			p.mu.Unlock()
			l.end.Offered()
			return nil
		}
	}
	if err := s.progress.UploadFailure(); err != nil { // cancelled: nobody looks for it in the queue any more
		p.mu.Unlock()
		return err
	}
	w := newWaiter(s.client, s, shm.Now())
	p.queue.push(w, s.attempts > 0)
	p.serveQueue()
	p.mu.Unlock()
	return p.await(ctx, w)
}

func (p *Pool) await(ctx context.Context, w *waiter) error {
	result, err := await(ctx, p.waits, w, w.done)
	if err == nil {
		return result
	}
	p.mu.Lock()
	left := p.queue.remove(w)
	p.mu.Unlock()
	if !left {
		return <-w.done // answered in the meantime
	}
	return err
}

// pick returns the link that is to serve s, or nil if all are busy: an idle one if there is
// any, and of these the one that was idle last, whose caches are warm; else the one with
// the most room.
func (p *Pool) pick(s *Stream) *link {
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

// serveQueue assigns waiting streams while links have room. The caller holds the lock.
// Rings under the lock are safe: a link of the pool is not closed.
func (p *Pool) serveQueue() {
	for p.queue.size > 0 && p.hasRoom() {
		w := p.queue.next(p.share)
		if w == nil {
			return
		}
		l := p.pick(w.stream)
		if l == nil {
			return
		}
		p.queue.serve(w)
		l.assign(w.stream)
		l.end.Offered()
		w.done <- nil
	}
	if p.leaving && !p.served && p.queue.size == 0 {
		p.leave()
	}
}

// retryQueue looks again whether somebody in the queue can be served: a lagging link may have
// come back.
func (p *Pool) retryQueue() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.serveQueue()
}

// add makes l one of the links of the pool, unless it is closed already.
func (p *Pool) add(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.closed {
		return
	}
	if p.served {
		go l.close(removed, nil)
		return
	}
	p.links = append(p.links, l)
	p.attached, p.failed = true, ""
	p.serveQueue()
}

// remove takes l out of the pool. The caller holds the lock.
func (p *Pool) remove(l *link) {
	if i := slices.Index(p.links, l); i >= 0 {
		p.links = slices.Delete(p.links, i, i+1)
	}
	if err := p.checkExpected(); err != nil {
		p.queue.fail(err)
	}
}

// hasRoom reports whether any link could take a stream. The caller holds the lock.
func (p *Pool) hasRoom() bool {
	return slices.ContainsFunc(p.links, func(l *link) bool { return l.hasRoom(noStream) })
}

// noStream is the id of no stream.
const noStream = math.MaxUint64

// lanes returns how many streams the links serve at once, but for those that get no more.
// The caller holds the lock.
func (p *Pool) lanes() (n int) {
	for _, l := range p.links {
		if !l.retiring {
			n += l.concurrency
		}
	}
	return n
}

// each calls f for every lane of the pool that has a stream. The caller holds the lock.
func (p *Pool) each(f func(*assignment)) {
	for _, l := range p.links {
		l.each(f)
	}
}

// share returns how a client stands with the lanes of the pool. The caller holds the lock.
func (p *Pool) share(client Client) share {
	all := p.lanes()
	if !p.fair || p.held.few(client, all) {
		return under
	}
	return p.held.share(client, all, shm.Now(), func(look func(*Stream)) {
		p.each(func(a *assignment) { look(a.stream) })
	})
}
