package dispatch

import "fmt"

// evictKeeper closes the link that keeps the most streams whose exchanges are long
// over, if all links together keep more than half of the streams that there are. A worker
// that is stuck costs its own clients their time; it must not take the place of everybody
// else's.
func (d *Dispatcher) evictKeeper(now int64) {
	most := max(1, d.config.Load().NumStreams/2)
	if d.requests.active.Load() <= int64(most) {
		return
	}
	var keeper *link
	all, worst := 0, 0
	for _, l := range d.openLinks() {
		n := l.unreleased(now - int64(d.config.Load().ResponseTimeout))
		if n > worst {
			keeper, worst = l, n
		}
		all += n
	}
	if all > most {
		keeper.close(evicted, fmt.Errorf("it keeps %d streams whose exchanges are over", worst))
	}
}

// unreleased returns how many streams the worker has not let go of although their
// exchanges were over before a time.
func (l *link) unreleased(before int64) (n int) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.each(func(a *assignment) {
		if a.stream.awaitsLetGo() && a.stream.overSince < before {
			n++
		}
	})
	return n
}
