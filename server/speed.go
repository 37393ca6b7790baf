package server

import "time"

// speed is how fast a link clears streams, and so how many it may be given ahead
// of need.
type speed struct {
	each     time.Duration // smoothed time from one answered stream to the next; 0: none yet
	lastDone int64         // as shm.Now
}

// aheadFor is how much work a link may have waiting. Handing over costs a round
// trip between processes, about as long when both sleep; with that much ahead
// the link never waits for it, and nothing waits long behind it.
const aheadFor = 200 * time.Microsecond

// smoothing is the weight of the past in the smoothed time, as in TCP's round
// trip estimate (RFC 6298).
const smoothing = 8

// done notes that a stream which was assigned at one time was answered at
// another. It is the worker that says when: the server may come to see it much
// later, when others need its processors. A worker that lies is given more ahead
// than it can clear, until the server takes it back.
func (s *speed) done(assigned, answered, now int64) {
	answered = min(max(answered, assigned), now)
	took := max(time.Duration(answered-max(assigned, s.lastDone)), 1)
	s.lastDone = max(s.lastDone, answered)
	if s.each == 0 {
		s.each = took
		return
	}
	s.each += (took - s.each) / smoothing
}

// ahead returns how many streams the link may have beyond what it serves at
// once: as many as it clears within aheadFor.
func (s *speed) ahead() int {
	if s.each <= 0 {
		return 0
	}
	return int(min(aheadFor/s.each, aheadLanes))
}
