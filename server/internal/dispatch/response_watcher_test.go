package dispatch

import (
	"testing"
	"time"
)

// watch plays rounds, so many of use and then so many of none over and over, that are
// evenly spread over a second, and returns how many rests they bring.
func watch(useful, useless, all int) (rests int) {
	var r spareRounds
	start := int64(time.Hour)
	for i := range all {
		now := start + int64(time.Second)*int64(i)/int64(all)
		if i%(useful+useless) < useful {
			r.earn()
		} else if !r.spend(func() int64 { return now }) {
			rests++
		}
	}
	return rests
}

func TestAWatcherDoesNotRestOverAnHonestWorker(t *testing.T) {
	for _, c := range []struct{ useful, useless, all int }{
		{1, 0, 200_000}, {2, 1, 200_000}, {1, 1, 100_000}, {0, 1, spareRoundsPerSecond}, {100, 100, 50_000},
	} {
		if rests := watch(c.useful, c.useless, c.all); rests > 0 {
			t.Errorf("%d rounds a second, %d of use and %d of none in turns: %d rests",
				c.all, c.useful, c.useless, rests)
		}
	}
}

func TestAWatcherRestsOverAFloodThatIsOfUseNowAndThen(t *testing.T) {
	const rounds = 100_000
	for _, every := range []int{10, 50, 200, rounds} {
		most := rounds/every + spareRoundsPerSecond + mostSpareRounds
		if free := rounds - rounds/every - watch(1, every-1, rounds); free > most {
			t.Errorf("one round in %d is of use: %d of the others went without a rest, want at most %d",
				every, free, most)
		}
	}
}
