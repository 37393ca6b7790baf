package server

import "testing"

func TestTheMoreConnectionsThereAreTheLessTheKernelHoldsForEach(t *testing.T) {
	before := mostUnsent
	for _, conns := range []int64{16, 17, 100, 511, 512, 1000, 100_000} {
		share := unsentShare(conns)
		if share == 0 {
			share = mostUnsent
		}
		if share > before || share < leastUnsent {
			t.Errorf("%d connections: %d bytes, after %d", conns, share, before)
		}
		before = share
	}
	if unsentShare(0) != 0 || unsentShare(16) != 0 || unsentShare(17) == 0 {
		t.Error("few connections have a bound, or many have none")
	}
}
