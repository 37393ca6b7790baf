package dispatch

import (
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// PoolGauges is what a pool has and does at a moment, and has done so far.
type PoolGauges struct {
	Name    string
	Links   int // attached
	Lanes   int // streams that they serve at once
	Busy    int // of these lanes
	Waiting int // streams in the queue

	BusyTime     time.Duration // that all streams together have had lanes
	HeldByClient time.Duration // that streams waited for clients to take a response
	HeldByWorker time.Duration // that uploads waited for workers to make room
}

// PoolGauges returns the gauges of each pool.
func (d *Dispatcher) PoolGauges() (all []PoolGauges) {
	byName := map[string]int{} // a pool that is about to go may be there again
	for _, p := range d.allPools() {
		i, again := byName[p.name]
		if !again {
			i = len(all)
			byName[p.name] = i
			all = append(all, PoolGauges{Name: p.name})
		}
		all[i].add(p, shm.Now())
	}
	return all
}

// add adds what a pool has and does.
func (g *PoolGauges) add(p *Pool, now int64) {
	g.HeldByClient += time.Duration(p.heldByClient.Load())
	g.HeldByWorker += time.Duration(p.heldByWorker.Load())
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Links += len(p.links)
	g.Lanes += p.lanes()
	g.Waiting += p.queue.size
	busy := p.busyTime
	for _, l := range p.links {
		g.Busy += min(l.inflight, l.concurrency) // more are assigned ahead of need
	}
	p.each(func(a *assignment) {
		if !a.served {
			busy += now - a.assignedAt
		}
	})
	g.BusyTime += time.Duration(busy)
}

// countHeld counts who keeps a stream waiting. The deadline loop samples that: whoever does when it looks is counted
// for the whole round. The clock is not read on the way of a request for it, and over many rounds the sum is right.
func (p *Pool) countHeld(x *progress.Exchange, round int64) {
	byClient, byWorker := x.Held()
	if byClient {
		p.heldByClient.Add(round)
	}
	if byWorker {
		p.heldByWorker.Add(round)
	}
}

// movedBytes is how much the exchanges of all pools of a name have moved that went on when that was counted.
type movedBytes struct{ received, sent atomic.Int64 }

// movedOf returns that of a name. The caller holds the lock of changes.
func (d *Dispatcher) movedOf(pool string) *movedBytes {
	if d.moved[pool] == nil {
		if d.moved == nil {
			d.moved = map[string]*movedBytes{}
		}
		d.moved[pool] = &movedBytes{}
	}
	return d.moved[pool]
}

// Moved returns how many bytes of bodies have moved in exchanges that went on when that was counted, by pool: each
// byte is counted once, see [Stream.Progress]. Pools that are gone are there, too.
func (d *Dispatcher) Moved() map[string]progress.Moved {
	d.changing.Lock()
	defer d.changing.Unlock()
	all := map[string]progress.Moved{}
	for pool, m := range d.moved {
		all[pool] = progress.Moved{Received: m.received.Load(), Sent: m.sent.Load()}
	}
	return all
}

// countEvery is how often the bytes of exchanges that go on are counted.
const countEvery = time.Second

// countMoved counts the bytes that the exchanges of all streams have moved.
func (d *Dispatcher) countMoved(now int64) {
	if now-d.countedAt < int64(countEvery) {
		return
	}
	d.countedAt = now
	for _, s := range d.requests.streams {
		if s.id.Load() == 0 {
			continue
		}
		var p *Pool
		s.withAssignment(func(a *assignment) { p = a.link.pool })
		if p != nil {
			m := s.progress.CountMoved()
			p.moved.received.Add(m.Received)
			p.moved.sent.Add(m.Sent)
		}
	}
}

// MemoryGauges is how the shared memory is used at a moment, in bytes.
type MemoryGauges struct {
	RequestUsed, RequestFree   uint64 // buffers of the request segment
	ResponseUsed, ResponseFree uint64 // the budget for the segments of links
}

// MemoryGauges returns how the shared memory is used.
func (d *Dispatcher) MemoryGauges() (g MemoryGauges) {
	buffers, slot := d.requests.pool.Stats(), uint64(d.requests.slotSize)
	g.RequestFree = uint64(buffers.Free) * slot
	g.RequestUsed = uint64(buffers.Total)*slot - g.RequestFree
	r := d.responses
	r.mu.Lock()
	defer r.mu.Unlock()
	g.ResponseFree = r.left
	memory := d.config.Load().Memory
	g.ResponseUsed = memory - memory/2 - r.left
	return g
}

// StreamGauges is how many streams there are, and how many requests wait for one.
type StreamGauges struct {
	Total, Used, Waiting int
}

// StreamGauges returns the gauges of the streams.
func (d *Dispatcher) StreamGauges() StreamGauges {
	c := d.requests
	c.mu.Lock()
	waiting := c.queue.size
	c.mu.Unlock()
	return StreamGauges{
		Total: len(c.streams), Used: int(c.active.Load()), Waiting: waiting + int(c.awaiting.Load()),
	}
}

// AssignedAt returns when the stream got its lane, shm.Now. Preconditions: Assign has succeeded.
func (s *Stream) AssignedAt() int64 { return s.placedAt.Load() }
