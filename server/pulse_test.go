package server

import (
	"testing"
	"time"
)

// A watchdog that asks sees a number that grows, until the loop that looks after requests has ended.
func TestThePulseGrowsAsLongAsTheDeadlinesAreLookedAfter(t *testing.T) {
	c := DefaultConfig()
	c.Memory = 32 << 20
	router, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(router, nil)
	first := s.Pulse()
	for end := time.Now().Add(10 * time.Second); s.Pulse() <= first; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the pulse does not grow")
		}
	}
	if err := router.Close(); err != nil {
		t.Fatal(err)
	}
	last := s.Pulse()
	time.Sleep(50 * time.Millisecond)
	if now := s.Pulse(); now != last {
		t.Errorf("the loop has ended, and the pulse goes from %d to %d", last, now)
	}
}
