package dispatch

import (
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// ResponseWatcher is the goroutine that sleeps on the bell of a link and wakes
// the exchanges for which its worker has news.
type ResponseWatcher struct {
	link  *link
	spare spareRounds
}

// A worker that floods the bell has spare rounds, then the watcher rests between rounds:
// its CPU time is bounded and all others are served by watchers of their own. An honest
// worker's rounds are of use to nobody when the exchange has found the news by itself: less
// than half as many as those that are of use were measured.
const (
	mostSpareRounds      = 512
	spareRoundsPerSecond = 500
	floodRest            = 2 * time.Millisecond
)

// spareRounds is a token bucket of the rounds of a watcher that may be of no use. It
// fills with time, and with each round that was of use. The zero value is full.
type spareRounds struct {
	left   int64
	filled int64 // when time was last counted, shm.Now
}

// earn is for a round that was of use. It looks at no clock.
func (r *spareRounds) earn() { r.left = min(r.left+1, mostSpareRounds) }

// spend is for a round that was not. It reports false if there was none to spare.
func (r *spareRounds) spend(now func() int64) bool {
	if r.left == 0 {
		r.fill(now())
	}
	if r.left == 0 {
		return false
	}
	r.left--
	return true
}

func (r *spareRounds) fill(now int64) {
	const each = int64(time.Second) / spareRoundsPerSecond
	n := min((now-r.filled)/each, mostSpareRounds)
	if r.left = n; n > 0 {
		r.filled = now
	}
}

// run watches until the link is closed. The caller has added it to the link's
// users.
func (w *ResponseWatcher) run() {
	l := w.link
	defer l.users.Done()
	sleep := l.end.Sleep // S1
	for {
		useful, err := w.round()
		if err != nil {
			l.close(evicted, err)
			return
		}
		if err = w.rest(useful); err == nil {
			err = l.bell.Wait(sleep)
			l.end.Awake()
		}
		if err != nil {
			l.close(peerGone, err) // unless it is closed already: out of descriptors
			return
		}
	}
}

// round handles all the news there is.
func (w *ResponseWatcher) round() (useful bool, err error) {
	l := w.link
	all, err := l.end.News(func(lane uint32) {
		if lane < uint32(len(l.assignments)) && l.handleNotice(lane) {
			useful = true
		}
	})
	if all {
		for lane := range l.assignments {
			useful = l.handleNotice(uint32(lane)) || useful
		}
	}
	return l.takeUseful() || useful, err
}

// rest pauses when a round was of no use and there are no more to spare.
func (w *ResponseWatcher) rest(useful bool) error {
	if useful {
		w.spare.earn()
		return nil
	}
	w.link.pool.counters.StaleNotices.Add(1)
	if w.spare.spend(shm.Now) {
		return nil
	}
	return w.link.bell.Rest(floodRest)
}
