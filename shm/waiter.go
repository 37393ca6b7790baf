package shm

import "slices"

// Waiter waits for a pool. C receives a value when the pool has what the waiter needs. A
// waiter that was signalled must register again and try, and call [Waiter.Stop] in any
// case, so that a signal that it could not use reaches the next one.
type Waiter struct {
	C    chan struct{}
	pool *Pool
	min  int // of the account that it wants to open; 0: it wants a buffer for one that is open

	// Under the pool's lock.
	waits     bool
	told      bool   // it was signalled, and has not registered again since
	turn      uint64 // of two waiters the one with the lower number came first
	overtaken int    // accounts that were opened while it was the first to wait for one
}

// NewWaiter returns a waiter for a buffer of p, not yet registered.
func (p *Pool) NewWaiter() *Waiter { return &Waiter{C: make(chan struct{}, 1), pool: p} }

// NewOpener returns a waiter, not yet registered, who wants to open an account with a
// guaranteed minimum of at least one. What it waits for no account above its minimum can
// take, and after some others that wanted less, nobody can.
func (p *Pool) NewOpener(min int) *Waiter {
	w := p.NewWaiter()
	w.min = min
	return w
}

// Open opens a for a waiter that wants to, and ends its wait if it does. Otherwise who
// waits behind it, and needs less, is told of what there is. Release and preconditions:
// as [Pool.Open]; the waiter is registered.
func (w *Waiter) Open(a *Account) bool {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.openLocked(a, w.min, w) {
		p.passLocked(w)
		return false
	}
	w.stopLocked()
	return true
}

// Stop ends the wait. What the waiter was told of and did not use goes on to the
// next waiter, also when it has registered again since.
func (w *Waiter) Stop() {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.stopLocked()
}

func (w *Waiter) stopLocked() {
	p := w.pool
	if w.waits {
		p.wanted -= w.min
		p.waiters.remove(w)
	}
	w.waits, w.told = false, false
	select {
	case <-w.C:
	default:
	}
	p.signalLocked()
}

// waiterList is a queue of waiters, the longest waiting first.
type waiterList struct {
	list  []*Waiter
	turns uint64 // so many have come
}

// turn returns the number of the next who comes.
func (l *waiterList) turn() uint64 {
	l.turns++
	return l.turns
}

// firstOpener returns who has waited longest to open an account, or nil.
func (l *waiterList) firstOpener() *Waiter {
	for _, w := range l.list {
		if w.min > 0 {
			return w
		}
	}
	return nil
}

func (l *waiterList) remove(w *Waiter) {
	if i := slices.Index(l.list, w); i >= 0 {
		l.list = slices.Delete(l.list, i, i+1)
	}
}

// mostOvertaken is how many may open an account before who has waited longest for one,
// because they need less. After that what comes back is kept for it.
const mostOvertaken = 32

// keptFor returns what is kept from w for the one who has waited longest, who may be w or
// nil.
func keptFor(first, w *Waiter) int {
	if first == nil || first == w || first.overtaken < mostOvertaken {
		return 0
	}
	return first.min
}

// signal leaves a token in a channel of one, unless there is one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
