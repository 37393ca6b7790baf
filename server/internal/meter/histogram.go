package meter

import (
	"sync/atomic"
	"time"
)

// bounds are the upper bounds of the buckets of every histogram. A small request takes some tens of microseconds; a
// long upload, a slow worker, or a WebSocket takes minutes.
var bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second,
	10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute,
}

// Histogram counts durations by how long they are. The zero value is ready for use.
type Histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64 // the last one: longer than every bound
	sum     atomic.Uint64                  // nanoseconds; wraps after 584 years, which is a reset to whoever reads it
}

// Observe counts a duration; a negative one counts as 0.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(bounds) && d > bounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	if d > 0 {
		h.sum.Add(uint64(d))
	}
}

// Distribution is what a [Histogram] has counted.
type Distribution struct {
	Count   uint64
	Sum     float64            // seconds
	Buckets map[float64]uint64 // durations of at most so many seconds
}

// Read returns what was counted. Observations that are going on may be in it or not.
func (h *Histogram) Read() Distribution {
	d := Distribution{Buckets: make(map[float64]uint64, len(bounds)), Sum: float64(h.sum.Load()) / 1e9}
	for i := range h.buckets {
		d.Count += h.buckets[i].Load()
		if i < len(bounds) {
			d.Buckets[bounds[i].Seconds()] = d.Count
		}
	}
	return d
}
