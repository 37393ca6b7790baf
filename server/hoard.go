package server

import (
	"fmt"
	"maps"
	"slices"
)

// evictHoarder ends the link that keeps the most streams whose exchanges are long
// over, if all links together keep more than half of the streams that there are. A
// worker that is stuck costs its own clients their time; it must not take the
// place of everybody else's.
func (r *UploadResponseRouter) evictHoarder(now int64) {
	most := max(1, r.config.NumStreams/2)
	if r.requests.active.Load() <= int64(most) {
		return
	}
	r.mu.Lock()
	links := slices.Collect(maps.Keys(r.links))
	r.mu.Unlock()
	var hoarder *link
	all, hoard := 0, 0
	for _, l := range links {
		n := l.keeps(now - int64(r.config.ResponseTimeout))
		if n > hoard {
			hoarder, hoard = l, n
		}
		all += n
	}
	if all > most {
		hoarder.evict(fmt.Errorf("it keeps %d streams whose exchanges are over", hoard))
	}
}

// keeps returns how many streams the worker has not let go of although their
// exchanges were over before the given time.
func (l *link) keeps(before int64) (n int) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	for i := range l.places {
		if s := l.places[i].stream; s != nil && s.lingers() && s.overSince < before {
			n++
		}
	}
	return n
}
