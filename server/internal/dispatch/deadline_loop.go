package dispatch

import (
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// checkEvery is how often the deadline loop checks every stream, and so how late a deadline
// may be noticed.
const checkEvery = 10 * time.Millisecond

// runDeadlines looks after the deadlines of all streams until stop is closed.
func (d *Dispatcher) runDeadlines(stop <-chan struct{}) {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		now := shm.Now()
		d.rounds.Add(1)
		d.stuck.noteRound(now)
		if d.requests.active.Load() > 0 {
			d.checkAll(now)
		} else {
			d.checkedAt = 0
		}
		d.findStuckWorkers(now)
	}
}

// checkAll is one round of the deadline loop.
func (d *Dispatcher) checkAll(now int64) {
	round := int64(checkEvery)
	if d.checkedAt != 0 {
		round = now - d.checkedAt
	}
	d.checkedAt = now
	for _, s := range d.requests.streams {
		if id := s.id.Load(); id != 0 {
			d.check(s, id, now, round)
		}
	}
	d.countMoved(now)
	d.requests.retryQueue()
	for _, p := range d.allPools() {
		p.retryQueue()
	}
	d.preempt(now)
	d.evictKeeper(now)
}

// check checks the deadlines of one stream. The last check was a round ago.
func (d *Dispatcher) check(s *Stream, id uint64, now, round int64) {
	since := s.progress.WaitingSince()
	var at *assignment
	s.withAssignment(func(a *assignment) {
		at = a
		s.checkTurn(a, id, now, since)
	})
	if since != 0 && at != nil && d.outOfTime(at, s, now-max(since, s.turn.since)) {
		s.progress.Expire(id)
		signal(s.responseNews)
	}
	if s.progress.Check(id, now, &d.config.Load().Limits) {
		signal(s.responseNews)
	}
	if at != nil {
		at.link.pool.countHeld(&s.progress, round)
		at.link.pool.reconsider(s, at, now, d.inboxTime(at.link.pool))
	}
}

// responseTimeout returns how long a worker of a pool may make no progress with a request that
// it has taken.
func (d *Dispatcher) responseTimeout(p *Pool) time.Duration {
	timeout := d.config.Load().ResponseTimeout
	if stuck := d.stuckAfter(p); stuck > 0 {
		return min(timeout, stuck)
	}
	return timeout
}

// outOfTime reports whether a worker has made no progress with a request for too long. One that
// it has not taken has more time than those with which it may be stuck: another worker gets
// it then.
func (d *Dispatcher) outOfTime(a *assignment, s *Stream, waited int64) bool {
	p := a.link.pool
	return waited > int64(d.responseTimeout(p)) &&
		(waited > int64(d.config.Load().ResponseTimeout) || p.isTaken(a, s))
}

// isTaken reports whether a stream is still the one of a lane, and the worker has taken it.
func (p *Pool) isTaken(a *assignment, s *Stream) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return a.stream == s && a.link.end.Inbox.Took(a.entry)
}

// checkTurn begins the worker's turn anew if the worker has made progress, or if it is not
// its turn: the server has waited for a slot of the response since waits, 0 if it does not.
// A count of released slots that goes back is no progress.
func (s *Stream) checkTurn(a *assignment, id uint64, now, waits int64) {
	t := &s.turn
	if waits == 0 {
		*t = turn{assignment: a, stream: id, since: now}
		return
	}
	released := s.request.Progress()
	if a != t.assignment || id != t.stream || released > t.released || !s.workersTurn(a) {
		*t = turn{a, id, released, now}
	}
	t.since = max(t.since, waits)
}

// workersTurn reports whether the exchange can only go on if the worker does something: it
// has the whole request, or slots that it neither released nor waits behind, or the upload
// waits for it to release some. It has to answer a request for a WebSocket; in an open one
// it may leave messages lying.
func (s *Stream) workersTurn(a *assignment) bool {
	switch {
	case s.progress.UploadEnded() || s.progress.UploadBlocked():
		return true
	case s.websocket.Load():
		return s.onDrain.Load() == nil
	}
	return s.request.Outstanding() > 0 && !a.lane.WantsRequest()
}
