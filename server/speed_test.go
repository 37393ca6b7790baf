package server

import (
	"testing"
	"time"
)

func TestALinkIsGivenWhatItClearsInTwoHundredMicroseconds(t *testing.T) {
	for _, c := range []struct {
		each time.Duration
		want int
	}{
		{time.Microsecond, aheadLanes}, {10 * time.Microsecond, aheadLanes}, {20 * time.Microsecond, 10},
		{100 * time.Microsecond, 2}, {200 * time.Microsecond, 1}, {201 * time.Microsecond, 0}, {time.Second, 0},
	} {
		var s speed
		for now := int64(0); now < 1000*int64(c.each); now += int64(c.each) {
			s.done(now-int64(c.each), now)
		}
		if got := s.ahead(); got != c.want {
			t.Errorf("a stream every %v: %d ahead, want %d", c.each, got, c.want)
		}
	}
}

func TestALinkThatIsNotKnownYetIsGivenNothingAhead(t *testing.T) {
	if got := new(speed).ahead(); got != 0 {
		t.Errorf("%d ahead", got)
	}
}

func TestOneSlowStreamEndsWorkingAhead(t *testing.T) {
	var s speed
	now := int64(0)
	for range 100 {
		now += int64(10 * time.Microsecond)
		s.done(now-int64(10*time.Microsecond), now)
	}
	s.done(now, now+int64(time.Second))
	if got := s.ahead(); got != 0 {
		t.Errorf("%d ahead after a stream that took a second", got)
	}
}

// Time in which the link had nothing to do does not count.
func TestTimeBetweenStreamsIsNotServiceTime(t *testing.T) {
	var s speed
	now := int64(0)
	for range 100 {
		now += int64(time.Second)
		s.done(now-int64(20*time.Microsecond), now)
	}
	if got := s.ahead(); got != 10 {
		t.Errorf("%d ahead, want 10", got)
	}
}
