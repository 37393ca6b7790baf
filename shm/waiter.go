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

// Stop ends the wait. A signal that arrived and was not used goes on to the
// next waiter.
func (w *Waiter) Stop() {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiters.remove(w) {
		return
	}
	select {
	case <-w.C:
	default:
	}
	p.signalLocked()
}

// waiterList is a queue of waiters, the longest waiting first.
type waiterList struct{ list []*Waiter }

func (l *waiterList) push(w *Waiter) { l.list = append(l.list, w) }

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

func (l *waiterList) remove(w *Waiter) bool {
	i := slices.Index(l.list, w)
	if i < 0 {
		return false
	}
	l.list = slices.Delete(l.list, i, i+1)
	return true
}
