package shm

import "slices"

// Waiter waits for a pool. C receives one value when the pool has something to
// give; the waiter is then no longer registered. A waiter that was signalled
// must try, and call [Waiter.Stop] in any case, so that a signal that it could
// not use reaches the next one.
type Waiter struct {
	C    chan struct{}
	pool *Pool
}

// NewWaiter returns a waiter for p, not yet registered.
func (p *Pool) NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1), pool: p} }

// Stop ends the wait. What the waiter was told of and did not use goes on to the
// next waiter, also when it has registered again since.
func (w *Waiter) Stop() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiters.remove(w)
	select {
	case <-w.C:
	default:
	}
	p.signalLocked()
}

// waiterList is a queue of waiters, the longest waiting first.
type waiterList struct{ list []*Waiter }

// push adds w unless it waits already: it keeps its place.
func (l *waiterList) push(w *Waiter) {
	if !slices.Contains(l.list, w) {
		l.list = append(l.list, w)
	}
}

func (l *waiterList) signalFirst() {
	if len(l.list) == 0 {
		return
	}
	first := l.list[0]
	l.list = slices.Delete(l.list, 0, 1)
	select {
	case first.C <- struct{}{}:
	default: // it has an unused signal already
	}
}

func (l *waiterList) remove(w *Waiter) {
	if i := slices.Index(l.list, w); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
	}
}
