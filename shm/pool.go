package shm

import "sync"

// Pool hands out the buffers of one segment. Its state is private memory of the
// process that writes the segment; only the bytes of the buffers are shared.
// The buffer that was freed last is handed out first, so that a busy process
// keeps touching the same few buffers while they are in the cache.
//
// Each holder opens an [Account] with a guaranteed minimum. The pool never hands
// out what it owes to others, so a holder below its minimum gets a buffer at
// once, always; above it, it gets one only while there are spare ones. What is
// promised to holders who are yet to come is not spare either.
type Pool struct {
	mu       sync.Mutex
	free     []uint32 // stack
	owed     int      // sum over open accounts of what is missing to the minimum
	minimums int      // sum over open accounts of the minimum
	promised int      // sum of the minimums that there may be
	total    int
	wanted   int // sum of the minimums that waiters want to open
	waiters  waiterList
}

// NewPool returns a pool of the buffers 0 to n-1, all free.
func NewPool(n uint32) *Pool {
	p := &Pool{free: make([]uint32, n), total: int(n)}
	for i := range p.free {
		p.free[i] = n - 1 - uint32(i)
	}
	return p
}

// Promise keeps buffers back for accounts that are not open yet: as long as the
// minimums of all accounts, open and to come, are no more than n, an account can
// be opened at any time, however greedy the others are. (An account that was
// closed while it held buffers uses its share of n until it has given them back.)
func (p *Pool) Promise(n int) {
	p.mu.Lock()
	p.promised = n
	p.mu.Unlock()
}

// spareLocked returns how many buffers an account above its minimum may take: not those
// with which others wait to begin.
func (p *Pool) spareLocked() int {
	return len(p.free) - p.owed - max(p.wanted, p.promised-p.minimums)
}

// PoolStats is how full a pool is, in buffers.
type PoolStats struct {
	Total int // all there are
	Free  int // in nobody's hands
	Owed  int // free, but guaranteed to open accounts
}

// Stats returns how full the pool is.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PoolStats{Total: p.total, Free: len(p.free), Owed: p.owed}
}

// Await registers a waiter, to be signalled when a buffer or a guarantee comes
// back. Register first, then try, then wait: a try that failed before the
// registration may have missed the event. A waiter keeps its place in the line until it
// stops. Release: [Waiter.Stop].
func (p *Pool) Await(w *Waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !w.waits {
		w.waits = true
		w.turn = p.waiters.turn()
		p.wanted += w.min
		p.waiters.list = append(p.waiters.list, w)
		return
	}
	if w.told && w.min == 0 {
		defer p.passLocked(w) // it may wait for something else as well, and not use the signal
	}
	w.told = false
}

// Account is one holder's share of a pool. The zero Account is closed. Its
// methods are safe for concurrent use with other accounts of the pool; one
// account belongs to one holder, who calls them one at a time.
type Account struct {
	pool *Pool
	held int
	min  int
}

// Open opens a with a guaranteed minimum of min buffers, or reports false when
// the pool cannot promise that many now. Preconditions: a is closed and holds
// nothing. Release: [Account.Close] after the last [Account.Give].
func (p *Pool) Open(a *Account, min int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.openLocked(a, min, nil)
}

// openLocked opens an account for a waiter, or for somebody who does not wait.
func (p *Pool) openLocked(a *Account, min int, w *Waiter) bool {
	if a.held != 0 || a.min != 0 {
		panic("shm: Open of an account that is in use")
	}
	first := p.waiters.firstOpener()
	if len(p.free)-p.owed-keptFor(first, w) < min && min > 0 {
		return false
	}
	if first != nil && first != w && min > 0 {
		first.overtaken++
	}
	p.owed += min
	p.minimums += min
	a.pool, a.min = p, min
	return true
}

// Take returns a free buffer, or false when all that is left is owed to others.
// Release: [Account.Give].
func (a *Account) Take() (uint32, bool) {
	p := a.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if a.held < a.min {
		p.owed--
	} else if p.spareLocked() <= 0 {
		return 0, false
	}
	a.held++
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return b, true
}

// Give returns a buffer to the pool. Preconditions: the account holds it.
func (a *Account) Give(buffer uint32) {
	p := a.pool
	p.mu.Lock()
	a.held--
	if a.held < a.min {
		p.owed++
	}
	p.free = append(p.free, buffer)
	p.signalLocked()
	p.mu.Unlock()
}

// Held returns the number of buffers that the account holds.
func (a *Account) Held() int { return a.held }

// Close gives up the guarantee. Buffers that are still held stay held until
// they are given back. Closing a closed account does nothing.
func (a *Account) Close() {
	p := a.pool
	if p == nil || a.min == 0 {
		return
	}
	p.mu.Lock()
	if a.held < a.min {
		p.owed -= a.min - a.held
	}
	p.minimums -= a.min
	a.min = 0
	p.signalLocked()
	p.mu.Unlock()
}

// signalLocked wakes those who can have what there is, the longest waiting first, and
// those behind one who needs more than there is.
func (p *Pool) signalLocked() { p.passLocked(nil) }

// passLocked does the same for those who wait behind a waiter; nil stands for all.
func (p *Pool) passLocked(after *Waiter) {
	if len(p.waiters.list) == 0 {
		return
	}
	left, spare := len(p.free)-p.owed, p.spareLocked()
	first := p.waiters.firstOpener()
	for _, w := range p.waiters.list {
		need := max(w.min, 1)
		there := left - keptFor(first, w)
		if w.min == 0 {
			there = spare
		}
		switch {
		case left <= 0:
			return
		case there < need:
			continue
		case !w.told && (after == nil || w.turn > after.turn):
			w.told = true
			signal(w.C)
		}
		if w.told {
			left -= need
			spare -= need
		}
	}
}
