package server

import "time"

// patience is the clock's account of how long the server may still wait for a client
// when others wait for its place: it runs down while it waits, and what moves meanwhile
// gives some of it back.
type patience struct {
	stream uint64 // that it is of
	looked int64  // when, shm.Now
	left   time.Duration
	moved  uint64 // bytes, at the last look, if counted
	counts wait
}

// patienceRate is how many bytes a second keep a client's patience from running down, and
// patienceEvery how often it is looked after.
const (
	patienceRate  = 1 << 10
	patienceEvery = 50 * time.Millisecond
)

// patienceLost is how much of it a client has lost that counts as slow.
const patienceLost = 100 * time.Millisecond

// of returns what is left for the stream with an id.
func (p *patience) of(id uint64, most time.Duration) time.Duration {
	if p.stream != id {
		return most
	}
	return p.left
}

// look brings the account up to date.
func (p *patience) look(s *stream, id uint64, now int64, most time.Duration) {
	if p.stream != id {
		*p = patience{stream: id, looked: now, left: most}
	}
	if now-p.looked < int64(patienceEvery) {
		return
	}
	before, counted := p.moved, p.counts
	var since int64
	p.counts, since = s.watch.waits()
	waited := now - max(since, p.looked)
	p.looked = now
	if p.counts == noWait || waited <= 0 {
		p.counts = noWait
		return
	}
	p.moved = s.moved(p.counts)
	p.left -= time.Duration(waited)
	if p.counts == counted && p.moved > before {
		p.left += time.Duration(min(p.moved-before, patienceRate<<10)) * (time.Second / patienceRate)
	}
	p.left = max(min(p.left, most), 0)
	slow := p.left < most-patienceLost
	s.watch.slow.Store(slow)
	if slow {
		s.watch.wasSlow.Store(true)
	}
}
