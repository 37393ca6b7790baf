package server

import "time"

// ResponseWatcher is the goroutine that sleeps on the bell of a link and wakes
// the exchanges that its worker has news for.
type ResponseWatcher struct {
	link    *link
	useless int // drains in a row that were of use to nobody
}

// A worker that floods the bell gets this many rounds for free, then the watcher
// rests between rounds: its CPU time is bounded and all others are served by
// watchers of their own.
const (
	freeRounds = 256
	floodRest  = 2 * time.Millisecond
)

// run watches until the link is dead. The caller has added it to the link's
// users.
func (w *ResponseWatcher) run() {
	l := w.link
	defer l.users.Done()
	sleep := l.end.Sleep // S1
	for {
		useful, err := w.round()
		if err != nil {
			l.evict(err)
			return
		}
		if err = w.rest(useful); err == nil {
			err = l.bell.Wait(sleep)
			l.end.Awake()
		}
		if err != nil {
			l.lost(err) // closed, and so dead already; or out of descriptors
			return
		}
	}
}

// round hears all the news there is.
func (w *ResponseWatcher) round() (useful bool, err error) {
	l := w.link
	all, err := l.end.News(func(lane uint32) {
		if lane < uint32(len(l.places)) && l.hear(lane) {
			useful = true
		}
	})
	if all {
		for lane := range l.places {
			useful = l.hear(uint32(lane)) || useful
		}
	}
	return l.newsUsed() || useful, err
}

// rest pauses when too many rounds in a row were of no use.
func (w *ResponseWatcher) rest(useful bool) error {
	if useful {
		w.useless = 0
		return nil
	}
	w.link.pool.counters.StaleNotices.Add(1)
	if w.useless++; w.useless <= freeRounds {
		return nil
	}
	return w.link.bell.Rest(floodRest)
}
