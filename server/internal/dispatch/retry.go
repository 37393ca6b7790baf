package dispatch

import "errors"

// mostAttempts bounds how often a stream is assigned again because its links kept dying
// before they took it.
const mostAttempts = 8

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
	case s.attempts >= mostAttempts || s.progress.UploadFailure() != nil:
		return false
	}
	served := s.mayHaveBeenServed(err)
	if served && (s.retried || !s.idempotent) {
		return false
	}
	whole := s.request.Detach()
	if !whole && !served {
		s.assignment.link.close(evicted, errors.New("it has released slots of a stream that it says it has not taken"))
	}
	s.retried = s.retried || served
	return whole
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
