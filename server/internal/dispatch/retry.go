package dispatch

import (
	"errors"
	"log/slog"
)

// Retry reports whether another link can serve the stream after it failed with err, and
// takes it from the present one if so; Assign is next. The last link never had the request
// as far as it can be known; or it died with it, the method is idempotent, and it is the
// first time. In any case the request has to be whole in memory. That is for the server to
// know: a worker may say anything. Preconditions: the response has not begun.
func (s *Stream) Retry(err error) bool {
	if !s.mayRetry(err) {
		return false
	}
	s.noteRetry(errors.Is(err, errRevoked))
	s.served.detach(s)
	s.served.pool.counters.Retried.Add(1)
	return true
}

// mayRetry decides it, and detaches the request from the last link if another one can
// serve it.
func (s *Stream) mayRetry(err error) bool {
	switch {
	case !errors.Is(err, errRevoked) && !errors.Is(err, errLinkDead):
		return false
	case s.lost >= mostAttempts || s.progress.UploadFailure() != nil:
		return false
	}
	served := s.mayHaveBeenServed(err)
	if !s.retryAllowed(err, served) {
		return false
	}
	whole := s.request.Detach()
	if !whole && !served {
		s.assignment.link.close(evicted, errors.New("it has released slots of a stream that it says it has not taken"))
	}
	switch {
	case served:
		s.deaths++
	case errors.Is(err, errLinkDead):
		s.lost++
	}
	return whole
}

// retryAllowed reports whether the pool has such a request given to another worker.
func (s *Stream) retryAllowed(err error, served bool) bool {
	r := s.served.pool.retriesOf(s)
	died := errors.Is(err, errLinkDead)
	switch {
	case !served:
		return r.OnRefused || errors.Is(err, errRevoked) // nothing has failed
	case s.idempotent && r.OnDied && s.deaths < r.Times:
		return !died || !s.endedWorker()
	case died && s.deaths > 0:
		go s.served.logDeath(s.deathLog(), "request not served again: one more worker died with it")
	case died:
		go s.served.logLoneDeath(s.deathLog())
	}
	return false
}

// endedWorker reports whether the worker ended by itself when it had nothing but this
// request: the next one would most likely do so, too.
func (s *Stream) endedWorker() bool {
	how, alone := s.served.endedAlone()
	if alone {
		s.served.pool.counters.Poisoned.Add(1)
		s.deathLog().Error(loneDeath, "how", how)
	}
	return alone
}

// loneDeath is what the log says of a request that was all that its worker had.
const loneDeath = "request not served again: its worker ended when it served nothing else"

// logLoneDeath logs, of a request that is not served again in any case, that it was all that
// its worker had, if it was.
func (l *link) logLoneDeath(log *slog.Logger) {
	if how, alone := l.endedAlone(); alone {
		l.pool.counters.Poisoned.Add(1)
		log.Error(loneDeath, "how", how)
	}
}

// logDeath logs how the worker has ended, if that is known.
func (l *link) logDeath(log *slog.Logger, what string) {
	end, _ := l.process.death()
	log.Error(what, "how", end.How)
}

// deathLog returns a log that names the request and its worker.
func (s *Stream) deathLog() *slog.Logger {
	l := s.served
	return l.logger().With("method", forLog(s.info.Method), "path", s.target(),
		"id", s.info.RequestID, "stream", s.id.Load())
}

// mayHaveBeenServed reports whether the last link may have begun with the request. It has
// if it was ever seen to have accepted it, or has written anything. Of a link that is dead
// even the taking counts: nobody can ask it any more whether it passed the entry over.
func (s *Stream) mayHaveBeenServed(err error) bool {
	a := s.assignment
	return a.hasAccepted(s.id.Load()) || s.responses.next > 1 ||
		errors.Is(err, errLinkDead) && a.link.end.Inbox.Took(a.entry)
}

// noteRetry notes, before a stream goes elsewhere, whether it was taken back from the
// assignment that it still has, or served there.
func (s *Stream) noteRetry(takenBack bool) {
	switch {
	case !takenBack:
		s.responses.firstAssigned = 0
	case s.responses.firstAssigned == 0:
		s.responses.firstAssigned = s.assignment.assignedAt
	}
}
