package server

import (
	"testing"
	"time"
)

func TestPatienceRunsOutWithClientsThatMoveNextToNothing(t *testing.T) {
	const most = 2 * time.Second
	for _, c := range []struct {
		name    string
		rate    int64 // bytes a second
		waits   bool
		seconds int64
		left    time.Duration
	}{
		{"nothing moves", 0, true, 1, time.Second},
		{"for too long", 0, true, 3, 0},
		{"a byte now and then", 20, true, 3, 0},
		{"a slow network", patienceRate, true, 30, most},
		{"the worker takes its time", 0, false, 30, most},
	} {
		s := newStream(nil, nil)
		var p patience
		tick := int64(patienceEvery)
		p.look(s, 7, tick, most)
		for now := 2 * tick; now <= c.seconds*int64(time.Second)+tick; now += tick {
			if c.waits {
				s.watch.readSince.Store(tick)
			}
			s.upload.amount.Store(c.rate * now / int64(time.Second))
			p.look(s, 7, now, most)
		}
		if got := p.of(7, most); got < c.left-2*patienceEvery || got > c.left+2*patienceEvery {
			t.Errorf("%s: %v left, want %v", c.name, got, c.left)
		}
		if got := p.of(8, most); got != most {
			t.Errorf("%s: the next exchange has %v", c.name, got)
		}
	}
}
