package shm

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Other processes read CLOCK_MONOTONIC themselves: our time has to be theirs.
func TestTheClockIsTheOneThatAllProcessesShare(t *testing.T) {
	monotonic := func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			t.Fatal(err)
		}
		return ts.Nano()
	}
	const slack = int64(10 * time.Millisecond) // the two bases are not taken at the same instant
	for range 100 {
		before, now, after := monotonic(), Now(), monotonic()
		if now < before-slack || now > after+slack {
			t.Fatalf("the clock says %d, CLOCK_MONOTONIC %d to %d", now, before, after)
		}
	}
}

func TestTheClockNeverRunsBackwards(t *testing.T) {
	last := Now()
	for range 10_000 {
		now := Now()
		if now < last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
}
