package server

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"time"
)

// heldUpAfter is how long the server waits for a client before it counts as waiting: as
// long as others are busy, a byte that is there may take a while to be read.
const heldUpAfter = 5 * time.Millisecond

// reclaimAfter is how long somebody has to wait for a place before a slow client loses
// its own for it.
const reclaimAfter = 100 * time.Millisecond

// beyondTime is how long a client may keep the server waiting, while others wait for its
// place, if its address has more than its share.
const beyondTime = 500 * time.Millisecond

// keepsWaiting reports whether the exchange can only go on if its client does
// something. In an open WebSocket it may say nothing as long as it likes.
func (s *stream) keepsWaiting(now int64) bool {
	before := now - int64(heldUpAfter)
	return pending(&s.watch.readSince, before) || pending(&s.watch.writeSince, before)
}

// awaitsBody reports whether nothing has come of a body that the client is to send
// without being asked.
func (s *stream) awaitsBody() bool {
	return s.bodied.Load() && !s.upload.ended.Load() && s.upload.amount.Load() == 0
}

// waitedFor reports the same, also when it was cut off for it and is not gone yet.
func (s *stream) waitedFor(now int64) bool { return s.keepsWaiting(now) || s.watch.clientSlow.Load() }

// occupant is an exchange that has a place which others may want.
type occupant struct {
	stream *stream
	id     uint64
	client netip.Prefix
	left   time.Duration // of its patience
	going  bool          // it was told to go already
}

// occupantOf describes an exchange that keeps its place waiting, for the clock. The
// caller holds the lock that guards the stream's client.
func occupantOf(s *stream, most time.Duration) occupant {
	id := s.id.Load()
	return occupant{s, id, s.client.address, s.watch.patience.of(id, most), s.watch.clientSlow.Load()}
}

// overdue returns those that have to make room for so many that wait, when there are so
// many places in all: of the address that keeps the most places waiting, who has the
// least patience left. Those that are within its share, because they came first, have
// all of the time, the others beyondTime.
func overdue(list []occupant, wanted, all int, most time.Duration) (victims []occupant) {
	crowds := map[netip.Prefix][]occupant{}
	for _, o := range list {
		if o.going {
			wanted--
		}
		crowds[o.client] = append(crowds[o.client], o)
	}
	largest := slices.SortedFunc(maps.Values(crowds), func(a, b []occupant) int { return len(b) - len(a) })
	for _, crowd := range largest {
		victims = append(victims, dueOf(crowd, shareOf(all), most)...)
	}
	return victims[:max(min(wanted, len(victims)), 0)]
}

// dueOf returns those of one address whose time is up, who has the least left first.
func dueOf(crowd []occupant, share int, most time.Duration) (due []occupant) {
	slices.SortFunc(crowd, func(a, b occupant) int { return cmp.Compare(a.id, b.id) })
	for i, o := range crowd {
		if !o.going && (o.left <= 0 || i >= share && o.left <= most-beyondTime) {
			due = append(due, o)
		}
	}
	slices.SortStableFunc(due, func(a, b occupant) int { return cmp.Compare(a.left, b.left) })
	return due
}

// reclaim has slow clients make room for others who wait for a stream, or for a lane of
// a pool. Their exchanges end as those of slow clients do.
func (r *UploadResponseRouter) reclaim(now int64) {
	most := r.config.StallTime
	if most == 0 || now-r.requests.reclaimed < int64(len(r.requests.streams))*int64(goodFor) {
		return
	}
	r.requests.reclaimed = now
	victims := r.requests.overdue(now, most)
	for _, p := range r.pools {
		victims = append(victims, p.overdue(now, most)...)
	}
	for _, o := range victims {
		if o.stream.yield(o.id, now) {
			r.counters.Reclaimed.Add(1)
		}
	}
}

// overdue returns whose streams others need. See the function of that name.
func (c *RequestChunkCache) overdue(now int64, most time.Duration) []occupant {
	all := len(c.streams)
	c.mu.Lock()
	wanted := wantedBy(&c.line, now, all)
	c.mu.Unlock()
	if wanted == 0 {
		return nil
	}
	var list []occupant
	for streams := range slices.Chunk(c.streams, lookedAtOnce) {
		c.mu.Lock()
		for _, s := range streams {
			if s.id.Load() != 0 && s.waitedFor(now) {
				list = append(list, occupantOf(s, most))
			}
		}
		c.mu.Unlock()
	}
	return overdue(list, wanted, all, most)
}

// overdue returns whose lanes others need. See the function of that name.
func (p *pool) overdue(now int64, most time.Duration) []occupant {
	p.mu.Lock()
	all, links := p.lanes(), slices.Clone(p.links)
	wanted := wantedBy(&p.line, now, all)
	p.mu.Unlock()
	if wanted == 0 {
		return nil
	}
	var list []occupant
	for _, l := range links {
		p.mu.Lock()
		l.each(func(at *place) {
			if at.stream.waitedFor(now) {
				list = append(list, occupantOf(at.stream, most))
			}
		})
		p.mu.Unlock()
	}
	return overdue(list, wanted, all, most)
}

// wantedBy returns how many of all places are wanted by those that have waited in a line
// for long. The caller holds its lock.
func wantedBy(waiting *line, now int64, all int) int {
	return waiting.since(now-int64(reclaimAfter), all)
}

// yield ends the exchange with an id if its client still keeps it waiting, and reports
// whether it did.
func (s *stream) yield(id uint64, now int64) bool {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if s.id.Load() != id || w.controller == nil || !s.keepsWaiting(now) || w.clientSlow.Load() {
		return false
	}
	w.yields.Store(true)
	w.cutLocked(w.writeSince.Load() != 0)
	return true
}
