package server

import (
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// link is one attached worker connection: its lanes, its bells, its control
// socket, and what the dispatcher knows of its speed.
type link struct {
	pool       *pool
	cache      *RequestChunkCache
	responses  *ResponseChunkCache
	log        *slog.Logger
	name       string
	pid        int
	holder     holder // for whom it is counted
	index      uint32
	generation uint32

	end        *shm.ServerEnd
	segment    *shm.ResponseSegment
	bell       *shm.Eventfd // ours
	workerBell *shm.Eventfd // the worker's; nil: futex
	conn       *net.UnixConn
	places     []place
	watcher    ResponseWatcher

	gone  atomic.Bool    // dead, for those who do not hold the lock
	used  atomic.Bool    // news was of use since the watcher's last round
	users sync.WaitGroup // streams with a place here, and the watcher

	// Under the pool's lock.
	dead        bool
	draining    bool
	stuck       bool // it left a stream in its inbox for long
	concurrency int  // streams that it serves at once
	free        []uint32
	inflight    int // lanes in use, but for those whose response has ended well
	idleSince   uint64
	speed       speed
}

// place is one lane of a link and the stream that it was assigned to.
type place struct {
	link     *link
	index    uint32
	lane     *shm.Lane
	position *shm.Position
	// Under the pool's lock.
	stream     *stream
	last       uint64 // id of the last stream that was assigned to it
	served     bool   // its response has ended well, and does not count as work any more
	entry      uint64 // in the inbox
	assignedAt int64  // shm.Now

	// Of the present stream. What was seen stays: a worker cannot take it back.
	accepted atomic.Bool // the worker was seen to have accepted it
	tooLate  atomic.Bool // the server wanted it back when it had been taken: the worker may pass it over
}

// openPlaces makes a place of each of the link's lanes.
func (l *link) openPlaces() {
	n := l.end.Lanes()
	l.places = make([]place, n)
	for i := range n {
		at := &l.places[i]
		at.link, at.index, at.lane, at.position = l, i, l.end.Lane(i), l.end.Position(i)
		l.free = append(l.free, n-1-i)
	}
}

// hasRoom reports whether the link can be given the stream now. The caller holds
// the pool's lock.
func (l *link) hasRoom(id uint64) bool {
	if l.draining || l.freeLane(id) < 0 || l.inflight >= l.concurrency+l.speed.ahead() {
		return false
	}
	room, empty, err := l.end.Inbox.Room()
	if err != nil {
		go l.evict(err) // not here: it takes the lock that we hold
		return false
	}
	l.stuck = l.stuck && !empty
	return room && !l.stuck
}

// freeLane returns which of the free lanes is for the stream, or -1: the one freed
// last. A stream that was taken back never returns to the lane where it was: there
// the worker's letting go of it could not be told from that of the first time.
func (l *link) freeLane(id uint64) int {
	i := len(l.free) - 1
	for i >= 0 && l.places[l.free[i]].last == id {
		i--
	}
	return i
}

// load is how busy the link is, between 0 and a little over 1.
func (l *link) load() float64 { return float64(l.inflight) / float64(l.concurrency) }

// take assigns s to a free lane. The caller holds the pool's lock, and calls
// Offered after. Preconditions: hasRoom for it. Release: finish.
func (l *link) take(s *stream) {
	id := s.id.Load()
	n := l.freeLane(id)
	i := l.free[n]
	l.free = slices.Delete(l.free, n, n+1)
	l.inflight++
	l.users.Add(1)
	at := &l.places[i]
	at.stream, at.last, at.assignedAt = s, id, shm.Now()
	at.accepted.Store(false)
	at.tooLate.Store(false)
	at.position.Open(id)
	s.attempts++
	s.answered = 0
	s.revoked.Store(false)
	s.placed.Store(at.assignedAt)
	s.queued.Store(false)
	s.response, s.next = l.end.Reader(i, id), 1
	s.request.BindLane(at.lane, id, l)
	s.settle(at)
	l.pool.held.enter(s, at.assignedAt)
	at.entry = l.end.Inbox.Append(shm.Assignment{StreamID: id, Row: s.row.Index(), Lane: i, Time: at.assignedAt}) // E1
}

// finish ends the exchange of s on this link. The lane is free, and the stream goes
// back to the cache, as soon as the worker has let go of it; until then its lane and
// its row are out of use. A worker that has ended the response and still looks at the
// request can serve another one meanwhile; one that failed to is not given more.
// With a leftover - the rest of an upload, or of a WebSocket - the row stays in use
// until leave, too. Preconditions: the responder calls it, once; without a leftover
// the pump has ended.
func (l *link) finish(s *stream, why shm.Reason, leftover bool) {
	at := l.part(s)
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if s.uses = 1; leftover {
		s.uses = 2
	}
	id := s.id.Load()
	switch {
	case l.dead || s.revoked.Load() || at.hasLetGo(id): // K2
	case !at.hasAccepted(id) && l.untaken(at):
	default:
		s.row.Cancel(why) // L1
		s.overSince = shm.Now()
		l.end.Alert(at.index)
		if why == shm.ReasonFinished {
			l.relieve(at)
		}
		return
	}
	l.retire(at)
}

// answered notes that the response to s has ended well: its worker can be given
// another stream, also while the rest of the upload comes in.
func (l *link) answered(s *stream) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.relieve(s.place)
}

// relieve notes that the work for the stream of a lane is done, and serves who waits.
// The caller holds the pool's lock.
func (l *link) relieve(at *place) {
	if !l.dead && !at.served {
		l.serve(at)
		l.pool.serveLine()
	}
}

// leave ends the leftover of an exchange that finish has ended. Preconditions: the pump
// has ended.
func (l *link) leave(s *stream) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.drop(s)
}

// retire makes the lane of an exchange that is over free again: its worker has let go
// of it, or never had it. The caller holds the pool's lock.
func (l *link) retire(at *place) {
	s := at.stream
	l.vacate(at)
	l.drop(s)
}

// drop ends one use of the row of a stream. The caller holds the pool's lock.
func (l *link) drop(s *stream) {
	if s.uses--; s.uses == 0 {
		l.cache.release(s)
	}
}

// detach ends the part of this link in an exchange that goes on elsewhere.
// Preconditions: as finish, but for the pump; the request lane was detached.
func (l *link) detach(s *stream) {
	at := l.part(s)
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.vacate(at)
}

// part takes s out of its place, for everybody but the dispatcher.
func (l *link) part(s *stream) *place {
	at := s.place
	s.settle(nil)
	s.request.Unbind() // the lane's words may soon be about another stream
	at.position.WantResponse(false)
	at.position.Finish() // D1
	return at
}

// untaken takes back the inbox entry of a stream, and reports whether the worker
// will never touch it. The caller holds the pool's lock.
func (l *link) untaken(at *place) bool {
	untouched, err := l.end.Inbox.Revoke(at.entry)
	if err != nil {
		go l.evict(err) // not here: it takes the lock that the caller holds
	}
	return err == nil && untouched
}

// vacate makes a lane free again and serves who waits. The caller holds the
// pool's lock.
func (l *link) vacate(at *place) {
	if !at.served {
		l.serve(at)
	}
	l.pool.held.leave(at.stream)
	at.stream, at.served = nil, false
	l.free = append(l.free, at.index)
	l.users.Done()
	if !l.dead {
		l.pool.serveLine()
	}
}

// serve notes that the work for the stream of a lane is done. The caller holds the
// pool's lock.
func (l *link) serve(at *place) {
	at.served = true
	l.inflight--
	now := shm.Now()
	answered := at.stream.answered
	if answered == 0 {
		answered = now // it was not, or we did not come to see it
	}
	l.speed.done(at.assignedAt, answered, now)
	if l.inflight == 0 {
		l.pool.idles++
		l.idleSince = l.pool.idles
	}
}

// hear is called by the watcher when a lane has news. A lingering stream whose
// worker has let go of it goes back; an exchange in progress is woken. It reports
// whether the news was of use to anybody.
func (l *link) hear(lane uint32) (useful bool) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	at := &l.places[lane]
	s := at.stream
	switch {
	case s == nil:
		return false
	case !s.lingers():
		if at.position.WantsResponse() {
			signal(s.news)
		}
		if s.row.WantsRoom() {
			signal(s.room)
		}
		return false // whom it woke will know: useNews
	case at.hasLetGo(s.id.Load()): // K2
		l.retire(at)
		return true
	}
	return false
}

// useNews notes that somebody who waited for news found some.
func (l *link) useNews() {
	if !l.used.Load() {
		l.used.Store(true)
	}
}

// newsUsed reports whether news was of use since the last call.
func (l *link) newsUsed() bool { return l.used.Load() && l.used.Swap(false) }

// evict ends the link because its worker broke the protocol, and tells it so.
func (l *link) evict(cause error) {
	if l.die(&attach.Refusal{Code: attach.CodeEvicted, Message: cause.Error()}) {
		l.pool.counters.Evicted.Add(1)
		l.log.Error("link evicted", "link", l.name, "pool", l.pool.name, "pid", l.pid, "cause", cause)
	}
}

// lost ends the link because its worker went away.
func (l *link) lost(cause error) {
	if l.die(nil) {
		l.pool.counters.Lost.Add(1)
		l.log.Warn("link lost", "link", l.name, "pool", l.pool.name, "pid", l.pid, "cause", cause)
	}
}

// die ends the link: no stream is assigned to it any more, those that it had
// find out, and its memory goes when the last of them has. The last message, if
// not nil, reaches the worker before it finds the link closed. It reports whether
// the link was alive.
func (l *link) die(last attach.Message) bool {
	if !l.bury() {
		return false
	}
	if last != nil {
		l.say(last)
	}
	l.pool.mu.Lock()
	l.end.SetState(shm.LinkClosed)
	for i := range l.places {
		at := &l.places[i]
		if s := at.stream; s != nil && s.lingers() {
			l.retire(at)
		} else if s != nil {
			s.wake()
		}
	}
	l.pool.mu.Unlock()

	_ = l.conn.Close()
	_ = l.bell.Close() // ends the watcher
	go func() {
		l.users.Wait()
		if l.workerBell != nil {
			_ = l.workerBell.Close()
		}
		l.responses.release(l)
	}()
	return true
}

// bury takes the link out of its pool, and reports whether it was in it.
func (l *link) bury() bool {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.dead {
		return false
	}
	l.dead = true
	l.gone.Store(true)
	l.pool.remove(l)
	return true
}

// setDraining notes that the worker wants no more streams; what lies in its inbox
// goes elsewhere, and it may leave when it has finished the rest.
func (l *link) setDraining() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if !l.dead && !l.draining {
		l.draining = true
		l.end.SetState(shm.LinkDraining)
	}
}

// depart ends the link of a worker that said goodbye.
func (l *link) depart() {
	if l.die(nil) {
		l.log.Info("link left", "link", l.name, "pool", l.pool.name, "pid", l.pid)
	}
}

// say sends the worker a message. A worker that does not read its control
// socket misses it.
func (l *link) say(m attach.Message) {
	packet, err := attach.Encode(m)
	if err != nil {
		l.log.Error("cannot encode a message", "type", m.Type(), "error", err)
		return
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = l.conn.Write(packet)
}
