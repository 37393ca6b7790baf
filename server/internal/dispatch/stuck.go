package dispatch

import (
	"cmp"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// A worker is stuck when it makes no progress with a request for long although it is the
// worker's turn: it has neither taken the request nor released slots, written, or let go,
// also when it was told that the time is up. Nobody asks it for a sign of life: a process
// that answers a ping may still serve nothing. A request whose bytes move slowly does not
// hang, nor one that waits for its client, nor an open WebSocket.
//
// The deadline loop looks for stuck workers, and says so once of each link. From then on
// the link gets no more requests, and counts as none of its pool.

// stuckSearch is when the deadline loop has looked for stuck workers.
type stuckSearch struct {
	searched int64 // shm.Now
	round    int64 // the last round of the loop
	resumed  int64 // when the loop went on after a pause
}

const (
	// searchEvery is how often every lane is looked at, and so how late a stuck worker may
	// be noticed.
	searchEvery = 100 * time.Millisecond
	// longPause is how long the deadline loop may stand still before the time does not
	// count: what kept it from running, such as a stopped machine, has stopped workers, too.
	longPause = time.Second
	// cancelTime is how long a worker may take to let go of a request that was cancelled,
	// whenever its last progress was; but no longer than half of the stuck time.
	cancelTime = 500 * time.Millisecond
)

// noteRound notes when a round of the deadline loop begins.
func (f *stuckSearch) noteRound(now int64) {
	if f.round != 0 && now-f.round > int64(longPause) {
		f.resumed = now
	}
	f.round = now
}

// due reports whether it is time to look again.
func (f *stuckSearch) due(now int64) bool {
	if now-f.searched < int64(searchEvery) {
		return false
	}
	f.searched = now
	return true
}

// findStuckWorkers reports the workers that have become stuck.
func (d *Dispatcher) findStuckWorkers(now int64) {
	if !d.stuck.due(now) {
		return
	}
	for _, l := range d.openLinks() {
		after := d.stuckAfter(l.pool)
		if after < 0 {
			continue
		}
		w, err := l.findStuck(standstill{now: now, after: int64(after), resumed: d.stuck.resumed})
		switch {
		case err != nil:
			go l.close(evicted, err)
		case w != nil:
			go d.reportStuck(l, w) // not here: nobody's deadline waits for a log or a socket
		}
	}
}

// stuckAfter returns how long a worker of a pool may make no progress; negative: any time.
// Without a time for it that is as long as the worker may take for a response: what was
// allowed on purpose is not ended.
func (d *Dispatcher) stuckAfter(p *Pool) time.Duration {
	c := d.config.Load()
	return cmp.Or(p.config.Load().StuckAfter, c.StuckAfter, c.ResponseTimeout)
}

// standstill is how long the time is that lanes are measured by.
type standstill struct {
	now     int64 // shm.Now
	after   int64 // nanoseconds
	resumed int64 // no idle time counts from before it
}

// reached reports whether what has stood still since a time has done so for too long.
func (t *standstill) reached(since int64) bool { return t.now-max(since, t.resumed) > t.after }

// cancelTime returns how long a worker may take to let go, in nanoseconds.
func (t *standstill) cancelTime() int64 { return min(int64(cancelTime), t.after/2) }

// taking is how the worker of a link empties its inbox: also what the server has taken
// back is for it to take.
type taking struct {
	taken uint64 // entries
	since int64  // when that changed, or when nothing was to be taken, shm.Now
}

// census is what the lanes of a link do.
type census struct {
	moving  int // their requests have made progress, or wait for their clients
	sockets int // open WebSockets
	hanging int // their requests are over, and nothing came of them before
	kept    int // their responses or WebSockets have ended long ago
}

// findStuck returns a description of the worker if it has become stuck, or else nil. The
// link gets no more requests then. Of a worker that was reported before, it describes
// requests that hang since then, without a Why. An error says that the worker broke the
// protocol. Preconditions: only the deadline loop calls it.
func (l *link) findStuck(t standstill) (*StuckWorker, error) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.closed {
		return nil, nil
	}
	if l.reported {
		if w := l.describeStuck(&t, ""); w.Requests != nil {
			return w, nil
		}
		return nil, nil
	}
	why, err := l.judge(l.census(&t), &t)
	if err != nil || why == "" {
		return nil, err
	}
	l.reported, l.retiring = true, true
	return l.describeStuck(&t, why), nil
}

// census counts the lanes. The caller holds the pool's lock.
func (l *link) census(t *standstill) (c census) {
	l.each(func(a *assignment) {
		switch {
		case !l.end.Inbox.Took(a.entry):
		case a.hangs(t) && a.isKept():
			c.kept++
		case a.hangs(t):
			c.hanging++
		case a.stream.onDrain.Load() != nil:
			c.sockets++
		default:
			c.moving++
		}
	})
	return c
}

// judge returns why the worker is stuck, or "". The caller holds the pool's lock.
//
// One request that hangs is enough: its lane is lost, and nothing but the end of the
// process brings it back. A request in the inbox says less: a worker with as many requests
// as it serves at once, or that is busy with one, leaves others there. And a worker may do
// something after a response, or may not notice that a WebSocket is closed: that counts
// when such lanes keep others waiting.
func (l *link) judge(c census, t *standstill) (why string, err error) {
	_, empty, err := l.end.Inbox.Room()
	if err != nil {
		return "", err
	}
	taken, _ := l.end.Inbox.Taken()
	first := l.taking.since == 0
	if first || empty || taken != l.taking.taken || c.moving > 0 || c.sockets >= l.concurrency {
		l.taking = taking{taken, t.now}
	}
	othersWait := len(l.free) == 0 || l.pool.queue.size > 0
	switch {
	case c.hanging > 0:
		return "its requests hang", nil
	case t.reached(l.taking.since + t.cancelTime()): // those in the inbox have timed out
		return "it takes no requests", nil
	case othersWait && c.kept > 0 && 2*c.kept >= l.concurrency:
		return "it does not let go of requests that have ended", nil
	}
	return "", nil
}

// hangs reports whether the worker keeps a request that is over, with which it made no
// progress before. One that is not over still has time. The caller holds the pool's lock,
// and is the deadline loop.
func (a *assignment) hangs(t *standstill) bool {
	s := a.stream
	return s.awaitsLetGo() && t.now-s.overSince > t.cancelTime() && t.reached(a.progressAt())
}

// progressAt returns when the worker has last made progress with the stream of a lane, or
// was last not to. The caller holds the pool's lock, and is the deadline loop.
//
// That an exchange is over is no progress, if it is not by what the worker did: the worker
// may hang in it as before.
func (a *assignment) progressAt() int64 {
	s := a.stream
	switch {
	case s.awaitsLetGo() && s.overByWorker():
		return s.overSince
	case s.turn.assignment == a && s.turn.stream == s.id.Load():
		return max(s.turn.since, a.assignedAt)
	}
	return a.assignedAt
}

// overByWorker reports whether the exchange, which is over, has ended with a response, or
// with what the server has to take for one that failed.
func (s *Stream) overByWorker() bool {
	return s.overFor == shm.ReasonFinished || s.overFor == shm.ReasonInvalid
}

// isKept reports whether the worker has only to let go of a stream that has ended well. It
// need not have noticed the end of a WebSocket.
func (a *assignment) isKept() bool {
	s := a.stream
	return s.awaitsLetGo() && (s.overFor == shm.ReasonFinished || s.onDrain.Load() != nil)
}
