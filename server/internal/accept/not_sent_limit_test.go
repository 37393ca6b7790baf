package accept

import "testing"

func TestTheMoreConnectionsThereAreTheLessTheKernelHoldsForEach(t *testing.T) {
	before := maxNotSent
	for _, conns := range []int64{16, 17, 100, 511, 512, 1000, 100_000} {
		share := notSentLimit(conns)
		if share == 0 {
			share = maxNotSent
		}
		if share > before || share < minNotSent {
			t.Errorf("%d connections: %d bytes, after %d", conns, share, before)
		}
		before = share
	}
	if notSentLimit(0) != 0 || notSentLimit(16) != 0 || notSentLimit(17) == 0 {
		t.Error("few connections have a bound, or many have none")
	}
}
