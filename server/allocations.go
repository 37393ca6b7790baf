package server

import "runtime/metrics"

// Allocations returns how many objects this process has allocated on its heap since its
// start.
func Allocations() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
