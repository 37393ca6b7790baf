package dispatch

import "time"

// serviceTime is how fast a link clears streams, and so how many it may be given ahead of
// need.
type serviceTime struct {
	mean     time.Duration // smoothed time from one answered stream to the next; 0: none yet
	lastDone int64         // as shm.Now
}

// prefetchTime is how much work a link may have waiting. Handing over costs a round trip
// between processes, about as long when both sleep; with that much ahead the link never
// waits for it, and nothing waits long behind it.
const prefetchTime = 200 * time.Microsecond

// prefetchLanes is how many lanes a link has beyond what it serves at once, for streams
// that are assigned ahead of need.
const prefetchLanes = 16

// smoothing is the weight of the past in the smoothed time, as in TCP's round trip
// estimate (RFC 6298).
const smoothing = 8

// add notes that a stream which was assigned at one time was answered at another. It is
// the worker that says when: the server may come to see it much later, when others need its
// processors. A worker that lies is given more ahead than it can clear, until the server
// takes it back.
func (s *serviceTime) add(assigned, answered, now int64) {
	answered = min(max(answered, assigned), now)
	took := max(time.Duration(answered-max(assigned, s.lastDone)), 1)
	s.lastDone = max(s.lastDone, answered)
	if s.mean == 0 {
		s.mean = took
		return
	}
	s.mean += (took - s.mean) / smoothing
}

// prefetch returns how many streams the link may have beyond what it serves at once: as
// many as it clears within prefetchTime.
func (s *serviceTime) prefetch() int {
	if s.mean <= 0 {
		return 0
	}
	return int(min(prefetchTime/s.mean, prefetchLanes))
}
