package progress

import (
	"testing"
	"time"
)

func TestTheStallBudgetRunsOutWithClientsThatMoveNextToNothing(t *testing.T) {
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
		{"a slow network", budgetRate, true, 30, most},
		{"the worker takes its time", 0, false, 30, most},
	} {
		var x Exchange
		tick := int64(budgetEvery)
		x.checkBudget(7, tick, most)
		for now := 2 * tick; now <= c.seconds*int64(time.Second)+tick; now += tick {
			if c.waits {
				x.readSince.Store(tick)
			}
			x.upload.received.Store(c.rate * now / int64(time.Second))
			x.checkBudget(7, now, most)
		}
		if got := x.BudgetLeft(7, most); got < c.left-2*budgetEvery || got > c.left+2*budgetEvery {
			t.Errorf("%s: %v left, want %v", c.name, got, c.left)
		}
		if got := x.BudgetLeft(8, most); got != most {
			t.Errorf("%s: the next exchange has %v", c.name, got)
		}
	}
}
