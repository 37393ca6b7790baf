package dispatch

import (
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

	BusyTime     time.Duration  // that all streams together have had lanes
	HeldByClient time.Duration  // that streams waited for clients to take a response
	HeldByWorker time.Duration  // that uploads waited for workers to make room
	Moved        progress.Moved // by exchanges that went on when it was counted, each byte once
}

// PoolGauges returns the gauges of each pool.
func (d *Dispatcher) PoolGauges() (all []PoolGauges) {
	for _, p := range d.pools {
		all = append(all, p.gauges(shm.Now()))
	}
	return all
}

func (p *Pool) gauges(now int64) PoolGauges {
	g := PoolGauges{
		Name:         p.name,
		Moved:        progress.Moved{Received: p.received.Load(), Sent: p.sent.Load()},
		HeldByClient: time.Duration(p.heldByClient.Load()), HeldByWorker: time.Duration(p.heldByWorker.Load()),
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	g.Links, g.Lanes, g.Waiting = len(p.links), p.lanes(), p.queue.size
	busy := p.busyTime
	for _, l := range p.links {
		g.Busy += min(l.inflight, l.concurrency) // more are assigned ahead of need
	}
	p.each(func(a *assignment) {
		if !a.served {
			busy += now - a.assignedAt
		}
	})
	g.BusyTime = time.Duration(busy)
	return g
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
			p.received.Add(m.Received)
			p.sent.Add(m.Sent)
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
	g.ResponseUsed = d.config.Memory - d.config.Memory/2 - r.left
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
