package dispatch

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// preemptAfter is how long somebody has to wait for a place before a slow client loses its
// own for it.
const preemptAfter = 100 * time.Millisecond

// overShareTime is how long a client may keep the server waiting, while others wait for
// its place, if its address has more than its share.
const overShareTime = 500 * time.Millisecond

// candidate is an exchange that keeps a place waiting which others may want.
type candidate struct {
	stream  *Stream
	id      uint64
	address netip.Prefix
	left    time.Duration // of its stall budget
	going   bool          // it was told to go already
}

// newCandidate describes an exchange that keeps its place waiting, for the deadline loop.
// The caller holds the lock that guards the stream's client.
func newCandidate(s *Stream, most time.Duration) candidate {
	id := s.id.Load()
	return candidate{s, id, s.client.address, s.progress.BudgetLeft(id, most), s.progress.ToldToGo()}
}

// chooseVictims returns the candidates that have to make room for so many that wait, when
// there are so many places in all: of the address that keeps the most places waiting, those
// with the least budget left. Those that are within its share, because they came first, have
// all of the time, the others overShareTime.
func chooseVictims(list []candidate, wanted, all int, most time.Duration) (victims []candidate) {
	addresses := map[netip.Prefix][]candidate{}
	for _, c := range list {
		if c.going {
			wanted--
		}
		addresses[c.address] = append(addresses[c.address], c)
	}
	largest := slices.SortedFunc(maps.Values(addresses), func(a, b []candidate) int { return len(b) - len(a) })
	for _, ofOne := range largest {
		victims = append(victims, overdue(ofOne, fairShare(all), most)...)
	}
	return victims[:max(min(wanted, len(victims)), 0)]
}

// overdue returns the candidates of one address whose time is up, those with the least left
// first.
func overdue(ofOne []candidate, share int, most time.Duration) (due []candidate) {
	slices.SortFunc(ofOne, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	for i, c := range ofOne {
		if !c.going && (c.left <= 0 || i >= share && c.left <= most-overShareTime) {
			due = append(due, c)
		}
	}
	slices.SortStableFunc(due, func(a, b candidate) int { return cmp.Compare(a.left, b.left) })
	return due
}

// preempt has slow clients make room for others that wait for a stream, or for a lane of a
// pool. Their exchanges end as those of slow clients do.
func (d *Dispatcher) preempt(now int64) {
	most := d.config.Load().Limits.StallTime
	if most == 0 || now-d.preemptedAt < int64(len(d.requests.streams))*int64(goodFor) {
		return
	}
	d.preemptedAt = now
	victims := d.requests.victims(now, most)
	for _, p := range d.allPools() {
		victims = append(victims, p.victims(now, most)...)
	}
	for _, v := range victims {
		if v.stream.progress.Preempt(now, func() bool { return v.stream.id.Load() == v.id }) {
			d.counters.Preempted.Add(1)
		}
	}
}

// victims returns the exchanges whose streams others need.
func (c *RequestChunkCache) victims(now int64, most time.Duration) []candidate {
	all := len(c.streams)
	c.mu.Lock()
	wanted := wantedBy(&c.queue, now, all)
	c.mu.Unlock()
	if wanted == 0 {
		return nil
	}
	var list []candidate
	for streams := range slices.Chunk(c.streams, surveyedAtOnce) {
		c.mu.Lock()
		for _, s := range streams {
			if s.id.Load() != 0 && s.progress.StalledOrEnded(now) {
				list = append(list, newCandidate(s, most))
			}
		}
		c.mu.Unlock()
	}
	return chooseVictims(list, wanted, all, most)
}

// victims returns the exchanges whose lanes others need.
func (p *Pool) victims(now int64, most time.Duration) []candidate {
	p.mu.Lock()
	all, links := p.lanes(), slices.Clone(p.links)
	wanted := wantedBy(&p.queue, now, all)
	p.mu.Unlock()
	if wanted == 0 {
		return nil
	}
	var list []candidate
	for _, l := range links {
		p.mu.Lock()
		l.each(func(a *assignment) {
			if a.stream.progress.StalledOrEnded(now) {
				list = append(list, newCandidate(a.stream, most))
			}
		})
		p.mu.Unlock()
	}
	return chooseVictims(list, wanted, all, most)
}

// wantedBy returns how many of all places are wanted by those that have waited in a queue
// for long. The caller holds its lock.
func wantedBy(q *fairQueue, now int64, all int) int {
	return q.waitingSince(now-int64(preemptAfter), all)
}
