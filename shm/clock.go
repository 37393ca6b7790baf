package shm

import (
	"time"

	"golang.org/x/sys/unix"
)

// Now returns CLOCK_MONOTONIC in nanoseconds, the clock that all processes of
// the machine share. It costs one vDSO read: the offset between that clock and
// the runtime's is taken once.
func Now() int64 { return monotonicBase + int64(time.Since(runtimeBase)) }

var monotonicBase, runtimeBase = clockBases()

func clockBases() (int64, time.Time) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		panic("shm: CLOCK_MONOTONIC: " + err.Error()) // every Linux has it
	}
	return ts.Nano(), time.Now()
}

// At returns what Now was at a time. Preconditions: the time came from [time.Now] in this process.
func At(t time.Time) int64 { return monotonicBase + int64(t.Sub(runtimeBase)) }
