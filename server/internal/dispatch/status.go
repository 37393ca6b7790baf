package dispatch

import (
	"cmp"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// PoolStatus is a pool at a moment.
type PoolStatus struct {
	Name       string
	Supervised bool   // a supervisor starts the workers again
	Hopeless   bool   // it has failed: requests fail at once, unless a link is attached
	Failed     string // why, if so
	Drained    bool   // by an operator: requests fail at once
	Links      int
	Lanes      int // requests that the links serve at once
	Busy       int // lanes with a request whose response has not ended well
	Unreleased int // lanes with a request that is over, and that the worker has not let go
	Queue      int // requests that wait for a lane
}

// LinkStatus is an attached link at a moment.
type LinkStatus struct {
	Pool, Name string
	Worker     string // name of the worker that has it: APP/SLOT if the server has started it, else that of the link
	PID        int    // of the process that attached
	Leader     int    // of the started worker that the process is, or descends from; 0: none
	Lanes      int
	Busy       int
	Unreleased int
	Served     uint64    // requests that it has finished
	Since      time.Time // when it attached
	Draining   bool      // it is given no more requests
}

// StreamState is how far an exchange is.
type StreamState string

// The states of an exchange that has a stream. An exchange that is ending is one whose response
// is over: the rest of an upload comes in, or the worker has not let go of it.
const (
	StateQueued  StreamState = "queued"  // it waits for a worker
	StateOffered StreamState = "offered" // it lies in the inbox of a worker
	StateRunning StreamState = "running" // a worker has accepted it
	StateEnding  StreamState = "ending"
)

// Holder is who keeps an exchange waiting.
type Holder string

// Those who can keep an exchange waiting.
const (
	HeldByNobody Holder = ""
	HeldByClient Holder = "client" // to send, or to take what is sent
	HeldByWorker Holder = "worker" // to take the request, to read it, or to respond
)

// StreamStatus is an exchange at a moment.
type StreamStatus struct {
	ID       uint64
	Info     RequestInfo
	State    StreamState
	Link     string // name of the link that serves it; "": none
	Worker   string // that has the link
	PID      int    // of the process of that link
	Received int64  // bytes of the request's body
	Sent     uint64 // bytes of the response's body that the connection has taken
	HeldBy   Holder
	HeldFor  time.Duration
}

// placement is where the survey of the links has found a stream.
type placement struct {
	link        *link
	accepted    bool
	over        bool
	workersTurn bool
}

// Survey is what pools and links do at a moment, and where each stream is.
type Survey struct {
	Pools []PoolStatus // by name
	Links []LinkStatus // of one pool after the other, the longest attached first

	placements map[uint64]placement // by stream id
}

// Survey looks at all pools, link by link: nobody waits for its locks longer than it takes to
// look at the lanes of one link.
func (d *Dispatcher) Survey() *Survey {
	v := &Survey{placements: map[uint64]placement{}}
	for _, p := range d.allPools() {
		v.addPool(p)
	}
	slices.SortFunc(v.Pools, func(a, b PoolStatus) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortStableFunc(v.Links, func(a, b LinkStatus) int { return cmp.Compare(a.Pool, b.Pool) })
	return v
}

func (v *Survey) addPool(p *Pool) {
	p.mu.Lock()
	links := slices.Clone(p.links)
	status := PoolStatus{Name: p.name, Supervised: p.supervised, Queue: p.queue.size,
		Hopeless: p.failed != "", Failed: p.failed, Drained: p.drained}
	p.mu.Unlock()
	for _, l := range links {
		if s, open := v.addLink(l); open {
			status.Links++
			status.Lanes += s.Lanes
			status.Busy += s.Busy
			status.Unreleased += s.Unreleased
			v.Links = append(v.Links, s)
		}
	}
	v.Pools = append(v.Pools, status)
}

// addLink looks at the lanes of a link, and reports whether the link is open.
func (v *Survey) addLink(l *link) (status LinkStatus, open bool) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.closed {
		return status, false
	}
	status = LinkStatus{
		Pool: l.pool.name, Name: l.name, Worker: l.worker, PID: l.pid, Leader: l.leader, Lanes: l.concurrency,
		Busy: l.inflight, Served: l.ended, Since: l.since, Draining: l.draining || l.retiring,
	}
	l.each(func(a *assignment) {
		id := a.stream.id.Load()
		at := placement{link: l, accepted: a.hasAccepted(id), over: a.stream.awaitsLetGo()}
		if at.over {
			status.Unreleased++
		} else {
			at.workersTurn = a.stream.workersTurn(a)
		}
		v.placements[id] = at
	})
	return status, true
}

// Streams returns the exchanges of a pool that have a stream, the oldest first and at most so
// many. Nil is every pool. It takes the lock of the streams for a thousand of them at once,
// and only for those that may be in the list.
func (d *Dispatcher) Streams(v *Survey, pool *Pool, most int) (list []StreamStatus) {
	type used struct {
		id     uint64
		stream *Stream
	}
	var all []used
	for _, s := range d.requests.streams {
		if id := s.id.Load(); id != 0 {
			all = append(all, used{id, s})
		}
	}
	slices.SortFunc(all, func(a, b used) int { return cmp.Compare(a.id, b.id) })
	now := shm.Now()
	for some := range slices.Chunk(all, surveyedAtOnce) {
		d.requests.mu.Lock()
		for _, u := range some {
			wanted := len(list) < most && u.stream.id.Load() == u.id && (pool == nil || u.stream.info.Pool == pool)
			if wanted {
				list = append(list, u.stream.status(u.id, v.placements[u.id], now))
			}
		}
		d.requests.mu.Unlock()
		if len(list) >= most {
			break
		}
	}
	return list
}

// status describes the exchange of s. The caller holds the lock of the cache: the row is not
// given to another one meanwhile.
func (s *Stream) status(id uint64, at placement, now int64) StreamStatus {
	status := StreamStatus{ID: id, Info: s.info, Received: s.progress.Received(), Sent: s.progress.Taken()}
	if at.link != nil {
		status.Link, status.Worker, status.PID = at.link.name, at.link.worker, at.link.pid
	}
	switch {
	case at.over, at.link == nil && s.progress.Started():
		status.State = StateEnding
	case at.link == nil:
		status.State = StateQueued
	case !at.accepted:
		status.State = StateOffered
	default:
		status.State = StateRunning
	}
	status.HeldBy, status.HeldFor = s.heldBy(at, now)
	return status
}

// heldBy returns who keeps the exchange waiting, and for how long.
func (s *Stream) heldBy(at placement, now int64) (Holder, time.Duration) {
	if since := s.progress.ClientWaitingSince(); since != 0 && now-since > int64(heldAfter) {
		return HeldByClient, time.Duration(now - since)
	}
	if at.link == nil || at.over || !at.workersTurn {
		return HeldByNobody, 0
	}
	since := s.progress.WaitingSince()
	switch {
	case since != 0 && now-since > int64(heldAfter):
		return HeldByWorker, time.Duration(now - since)
	case s.progress.UploadBlocked():
		return HeldByWorker, 0
	}
	return HeldByNobody, 0
}

// heldAfter is how long the server waits for a client or a worker that counts as keeping an
// exchange waiting.
const heldAfter = 5 * time.Millisecond

// PoolName returns the name of the pool for which the request is, or "".
func (i *RequestInfo) PoolName() string {
	if i.Pool == nil {
		return ""
	}
	return i.Pool.name
}
