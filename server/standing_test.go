package server

import "testing"

func TestAnAddressKeepsHalfOfThePlacesWaitingAndNeverTheLastQuarter(t *testing.T) {
	for _, c := range []struct{ all, share, most int }{
		{1, 1, 1}, {2, 1, 2}, {3, 1, 3}, {4, 2, 3}, {5, 2, 4}, {8, 4, 6}, {64, 32, 48}, {100, 50, 75}, {1500, 750, 1125},
	} {
		for n := range c.all + 1 {
			want := beyond
			if n < c.share {
				want = within
			} else if n >= c.most {
				want = full
			}
			if got := standingOf(n, c.all); got != want {
				t.Errorf("%d of %d: %v, want %v", n, c.all, got, want)
			}
		}
	}
}
