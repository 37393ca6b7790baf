package server

import "time"

// speed is how fast a link clears streams, and so how many it may be given ahead
// of need.
type speed struct {
	each     time.Duration // smoothed time from one finished stream to the next
	lastDone int64         // shm.Now
}

// aheadFor is how much work a link may have waiting. Handing over costs a round
// trip between processes, about as long when both sleep; with that much ahead
// the link never waits for it, and nothing waits long behind it.
const aheadFor = 200 * time.Microsecond

// smoothing is the weight of the past in the smoothed time, as in TCP's round
// trip estimate (RFC 6298).
const smoothing = 8

// done notes that a stream is finished that was assigned at the given time.
func (s *speed) done(assigned, now int64) {
	took := time.Duration(now - max(assigned, s.lastDone))
	s.lastDone = now
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
