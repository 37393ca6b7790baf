package dispatch

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// link is one attached worker connection: its lanes, its bells, its control socket, and
// how fast it serves.
type link struct {
	pool       *Pool
	cache      *RequestChunkCache
	responses  *ResponseChunkCache
	log        *slog.Logger
	name       string // which the worker has given it
	worker     string // name of the worker: APP/SLOT if the server has started it, else that of the link
	pid        int
	leader     int            // see process
	process    *workerProcess // of the leader; nil: nobody knows how it ends
	stacks     int            // signal on which the process prints its stacks; 0: none
	holder     holder         // for whom it is counted
	since      time.Time
	index      uint32
	generation uint32

	end         *shm.ServerEnd
	segment     *shm.ResponseSegment
	bell        *shm.Eventfd // ours
	workerBell  *shm.Eventfd // the worker's; nil: futex
	conn        *net.UnixConn
	assignments []assignment // one for each lane
	watcher     ResponseWatcher

	gone   atomic.Bool    // closed, for those that do not hold the lock
	useful atomic.Bool    // news was of use since the watcher's last round
	users  sync.WaitGroup // streams with a lane here, and the watcher

	// Under the pool's lock.
	closed      bool
	draining    bool // the worker wants no more streams
	retiring    bool // the server gives it no more
	reported    bool // as stuck
	lagging     bool // it left a stream in its inbox for long
	concurrency int  // streams that it serves at once
	free        []uint32
	inflight    int    // lanes in use, but for those whose response has ended well
	ended       uint64 // streams with which it is done
	idleSince   uint64
	serviceTime serviceTime
	retirements []*retirement // that wait until no lane is in use

	taking taking // the deadline loop's
}

// openLanes makes an assignment for each of the link's lanes, and all of them free.
func (l *link) openLanes() {
	n := l.end.Lanes()
	l.assignments = make([]assignment, n)
	for i := range n {
		a := &l.assignments[i]
		a.link, a.index, a.lane, a.position = l, i, l.end.Lane(i), l.end.Position(i)
		l.free = append(l.free, n-1-i)
	}
}

// hasRoom reports whether the link can be given the stream now. The caller holds the
// pool's lock.
func (l *link) hasRoom(id uint64) bool {
	if l.draining || l.retiring || l.pickLane(id) < 0 || l.inflight >= l.concurrency+l.serviceTime.prefetch() {
		return false
	}
	room, empty, err := l.end.Inbox.Room()
	if err != nil {
		go l.close(evicted, err) // not here: it takes the lock that we hold
		return false
	}
	l.lagging = l.lagging && !empty
	return room && !l.lagging
}

// pickLane returns which of the free lanes is for the stream, or -1: the one freed last. A
// stream that was taken back never returns to the lane where it was: there the worker's
// letting go of it could not be told from that of the first time.
func (l *link) pickLane(id uint64) int {
	i := len(l.free) - 1
	for i >= 0 && l.assignments[l.free[i]].last == id {
		i--
	}
	return i
}

// load is how busy the link is, between 0 and a little over 1.
func (l *link) load() float64 { return float64(l.inflight) / float64(l.concurrency) }

// assign gives s a free lane. The caller holds the pool's lock, and calls Offered after.
// Preconditions: hasRoom for it. Release: finish.
func (l *link) assign(s *Stream) {
	id := s.id.Load()
	n := l.pickLane(id)
	i := l.free[n]
	l.free = slices.Delete(l.free, n, n+1)
	l.inflight++
	l.users.Add(1)
	a := &l.assignments[i]
	a.stream, a.last, a.assignedAt, a.named = s, id, shm.Now(), false
	a.accepted.Store(false)
	a.tooLate.Store(false)
	a.position.Open(id)
	s.attempts++
	s.revoked.Store(false)
	s.placedAt.Store(a.assignedAt)
	s.queued.Store(false)
	s.responses.reader, s.responses.next, s.responses.endedAt = l.end.Reader(i, id), 1, 0
	s.request.BindLane(a.lane, id, l)
	s.setAssignment(a)
	l.pool.held.add(s, a.assignedAt)
	a.entry = l.end.Inbox.Append(shm.Assignment{StreamID: id, Row: s.row.Index(), Lane: i, Time: a.assignedAt}) // E1
}

// finish ends the exchange of s on this link. The lane is free, and the stream goes back
// to the cache, as soon as the worker has let go of it; until then its lane and its row are
// out of use. A worker that has ended the response and still looks at the request can serve
// another one meanwhile; one that failed to is not given more. With a leftover - the rest of
// an upload, or of a WebSocket - the row stays in use until leave, too. Preconditions: the
// goroutine that sends the response calls it, once; without a leftover the upload has ended.
func (l *link) finish(s *Stream, why shm.Reason, leftover bool) {
	a := l.detachFromLane(s)
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if s.rowUses = 1; leftover {
		s.rowUses = 2
	}
	id := s.id.Load()
	switch {
	case l.closed || s.revoked.Load() || a.hasLetGo(id): // K2
	case !a.hasAccepted(id) && l.takeBack(a):
	default:
		s.row.Cancel(why) // L1
		s.overSince = shm.Now()
		s.overFor = why
		l.end.Alert(a.index)
		if why == shm.ReasonFinished {
			l.endWork(a)
		}
		return
	}
	l.retire(a)
}

// answered notes that the response to s has ended well: its worker can be given another
// stream, also while the rest of the upload comes in.
func (l *link) answered(s *Stream) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.endWork(s.assignment)
}

// endWork marks the stream of a lane as served, and gives the link's room to the next. The
// caller holds the pool's lock.
func (l *link) endWork(a *assignment) {
	if !l.closed && !a.served {
		l.markServed(a)
		l.pool.serveQueue()
	}
}

// leave ends the leftover of an exchange that finish has ended. Preconditions: the upload
// has ended.
func (l *link) leave(s *Stream) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.dropRow(s)
}

// retire frees the lane of an exchange that is over: its worker has let go of it, or never
// had it. The caller holds the pool's lock.
func (l *link) retire(a *assignment) {
	s := a.stream
	l.freeLane(a)
	l.dropRow(s)
}

// dropRow ends one use of the row of a stream. The caller holds the pool's lock.
func (l *link) dropRow(s *Stream) {
	if s.rowUses--; s.rowUses == 0 {
		l.cache.release(s)
	}
}

// detach ends the part of this link in an exchange that goes on elsewhere. Preconditions:
// as finish, but for the upload; the request lane was detached.
func (l *link) detach(s *Stream) {
	a := l.detachFromLane(s)
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.freeLane(a)
}

// detachFromLane takes its assignment from s; for the pool the lane still is that of s.
func (l *link) detachFromLane(s *Stream) *assignment {
	a := s.assignment
	s.setAssignment(nil)
	s.request.Unbind() // the lane's words may soon be about another stream
	a.position.WantResponse(false)
	a.position.Finish() // D1
	return a
}

// takeBack takes back the inbox entry of a stream, and reports whether the worker will
// never touch it. The caller holds the pool's lock.
func (l *link) takeBack(a *assignment) bool {
	untouched, err := l.end.Inbox.Revoke(a.entry)
	if err != nil {
		go l.close(evicted, err) // not here: it takes the lock that the caller holds
	}
	return err == nil && untouched
}

// freeLane makes a lane free again, and gives it to the next. The caller holds the pool's
// lock.
func (l *link) freeLane(a *assignment) {
	if !a.served {
		l.markServed(a)
	}
	l.pool.held.remove(a.stream)
	a.stream, a.served = nil, false
	l.free = append(l.free, a.index)
	if l.retiring && l.isEmpty() {
		l.noteEmpty()
	}
	l.users.Done()
	if !l.closed {
		l.pool.serveQueue()
	}
}

// markServed notes that the work for the stream of a lane is done. The caller holds the
// pool's lock.
func (l *link) markServed(a *assignment) {
	a.served = true
	l.inflight--
	l.ended++
	now := shm.Now()
	l.pool.busyTime += now - a.assignedAt
	ended := a.stream.responses.endedAt
	if ended == 0 {
		ended = now // it did not end it, or we did not come to see it
	}
	l.serviceTime.add(a.assignedAt, ended, now)
	if l.inflight == 0 {
		l.pool.idles++
		l.idleSince = l.pool.idles
	}
}

// handleNotice is called by the watcher when a lane has news. A lingering stream whose
// worker has let go of it goes back; an exchange in progress is woken. It reports whether
// the news was of use to anybody.
func (l *link) handleNotice(lane uint32) (useful bool) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	a := &l.assignments[lane]
	s := a.stream
	switch {
	case s == nil:
		return false
	case !s.awaitsLetGo():
		if a.position.WantsResponse() {
			signal(s.responseNews)
		}
		if s.row.WantsRoom() {
			signal(s.uploadNews)
		}
		return false // the goroutine that it woke will know: markUseful
	case a.hasLetGo(s.id.Load()): // K2
		l.retire(a)
		return true
	}
	return false
}

// markUseful notes that somebody who waited for news found some.
func (l *link) markUseful() {
	if !l.useful.Load() {
		l.useful.Store(true)
	}
}

// takeUseful reports whether news was of use since the last call.
func (l *link) takeUseful() bool { return l.useful.Load() && l.useful.Swap(false) }

// each calls f for every lane of the link that has a stream. The caller holds the pool's
// lock.
func (l *link) each(f func(*assignment)) {
	for i := range l.assignments {
		if a := &l.assignments[i]; a.stream != nil {
			f(a)
		}
	}
}
