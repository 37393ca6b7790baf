package dispatch

import (
	"errors"
	"slices"
	"sync"
)

// retirement is the wait for the last request of a process that gets no more of them.
type retirement struct {
	mu    sync.Mutex
	links int           // that have requests, and whoever counts them
	done  chan struct{} // closed when there is none left
}

func (r *retirement) enter() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.links++
}

func (r *retirement) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.links--; r.links == 0 {
		close(r.done)
	}
}

// DrainWorker assigns no more requests to the links that a process has now: that of a
// worker which was started, with its descendants, or any that has attached. What lies in
// their inboxes goes to others. The channel is closed when the workers have let go of their
// last requests, at once if they have none.
func (d *Dispatcher) DrainWorker(process int) <-chan struct{} {
	r := &retirement{links: 1, done: make(chan struct{})}
	for _, l := range d.linksOf(process) {
		l.withhold(r)
	}
	r.leave()
	return r.done
}

// EvictWorker closes the links of a process, see DrainWorker, and returns how many there
// were. It is for one that has to end: its requests fare as those of a dead worker.
func (d *Dispatcher) EvictWorker(process int, why string) int {
	links := d.linksOf(process)
	for _, l := range links {
		l.close(evicted, errors.New(why))
	}
	return len(links)
}

// linksOf returns the links of a process.
func (d *Dispatcher) linksOf(process int) []*link {
	others := func(l *link) bool { return l.pid != process && l.leader != process }
	return slices.DeleteFunc(d.openLinks(), others)
}

// withhold has the link get no more streams. When it has none, it leaves r.
func (l *link) withhold(r *retirement) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	l.retiring = true
	if l.isEmpty() {
		return
	}
	r.enter()
	l.retirements = append(l.retirements, r)
}

// isEmpty reports whether no lane is in use. The caller holds the pool's lock.
func (l *link) isEmpty() bool { return len(l.free) == len(l.assignments) }

// noteEmpty tells who waits for it that the link is empty, and closes the link if its pool
// goes. The caller holds the pool's lock.
func (l *link) noteEmpty() {
	for _, r := range l.retirements {
		r.leave()
	}
	l.retirements = nil
	if l.pool.served && !l.closed {
		go l.close(removed, nil) // not here: it takes the lock that the caller holds
	}
}

// ReleaseAttached closes the links of workers that nobody here has started, each when it has
// let go of its last request: such a worker attaches again, to whoever listens on the socket.
// Unless all are to go, one of each pool stays for requests that still come.
func (d *Dispatcher) ReleaseAttached(all bool) {
	stays := map[*Pool]bool{}
	for _, l := range d.openLinks() {
		if l.leader != 0 || l.isRetiring() {
			continue
		}
		if !all && !stays[l.pool] {
			stays[l.pool] = true
			continue
		}
		r := &retirement{links: 1, done: make(chan struct{})}
		l.withhold(r)
		r.leave()
		go d.closeWhenDone(l, r.done)
	}
}

// isRetiring reports whether the link gets no more requests.
func (l *link) isRetiring() bool {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	return l.retiring
}

// closeWhenDone closes a link that has let go of its last request.
func (d *Dispatcher) closeWhenDone(l *link, done <-chan struct{}) {
	select {
	case <-done:
		l.close(closed, nil)
	case <-d.stopLoop:
	}
}
