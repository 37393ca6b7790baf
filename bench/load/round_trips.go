package load

import "time"

// RoundTrips makes round trips, one after the other, for a period, and at least one.
func RoundTrips(period time.Duration, trip func(stamp uint64) error) (*Result, error) {
	l := &Latencies{list: make([]time.Duration, 0, 1<<20)}
	begun := time.Now()
	for before := begun; l.Count() == 0 || before.Sub(begun) < period; {
		if err := trip(uint64(len(l.list))); err != nil {
			return nil, err
		}
		after := time.Now()
		l.list = append(l.list, after.Sub(before))
		before = after
	}
	return answered(l.finish(begun), nil)
}
