package dispatch

import (
	"testing"
	"time"
)

func TestALinkIsGivenWhatItClearsInTwoHundredMicroseconds(t *testing.T) {
	for _, c := range []struct {
		each time.Duration
		want int
	}{
		{time.Microsecond, prefetchLanes}, {10 * time.Microsecond, prefetchLanes}, {20 * time.Microsecond, 10},
		{100 * time.Microsecond, 2}, {200 * time.Microsecond, 1}, {201 * time.Microsecond, 0}, {time.Second, 0},
	} {
		var s serviceTime
		for now := int64(0); now < 1000*int64(c.each); now += int64(c.each) {
			s.add(now-int64(c.each), now, now)
		}
		if got := s.prefetch(); got != c.want {
			t.Errorf("a stream every %v: %d ahead, want %d", c.each, got, c.want)
		}
	}
}

func TestALinkThatIsNotKnownYetIsGivenNothingAhead(t *testing.T) {
	if got := new(serviceTime).prefetch(); got != 0 {
		t.Errorf("%d ahead", got)
	}
}

func TestOneSlowStreamEndsWorkingAhead(t *testing.T) {
	var s serviceTime
	now := int64(0)
	for range 100 {
		now += int64(10 * time.Microsecond)
		s.add(now-int64(10*time.Microsecond), now, now)
	}
	s.add(now, now+int64(time.Second), now+int64(time.Second))
	if got := s.prefetch(); got != 0 {
		t.Errorf("%d ahead after a stream that took a second", got)
	}
}

// Time in which the link had nothing to do does not count.
func TestTimeBetweenStreamsIsNotServiceTime(t *testing.T) {
	var s serviceTime
	now := int64(0)
	for range 100 {
		now += int64(time.Second)
		s.add(now-int64(20*time.Microsecond), now, now)
	}
	if got := s.prefetch(); got != 10 {
		t.Errorf("%d ahead, want 10", got)
	}
}

// The server may be late to see an answer. That is not the worker's time.
func TestWhatTheServerSeesLateIsNotServiceTime(t *testing.T) {
	var s serviceTime
	for now := int64(0); now < int64(time.Second); now += int64(time.Millisecond) {
		s.add(now, now+int64(20*time.Microsecond), now+int64(900*time.Microsecond))
	}
	if got := s.prefetch(); got != 10 {
		t.Errorf("%d ahead, want 10", got)
	}
}

func TestAWorkerThatLiesAboutItsTimeIsGivenNoMoreThanTheMost(t *testing.T) {
	for _, answered := range []int64{-1 << 63, -1, 0, 1<<63 - 1} {
		var s serviceTime
		for now := int64(1000); now < 100000; now += 1000 {
			s.add(now, answered, now+100)
		}
		if got := s.prefetch(); got != prefetchLanes {
			t.Errorf("answered at %d: %d ahead", answered, got)
		}
	}
}
