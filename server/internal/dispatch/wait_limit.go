package dispatch

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// waitLimit bounds how many exchanges wait, and for how long, in all queues together.
type waitLimit struct {
	closed chan struct{} // closed when nobody is to wait any more

	mu        sync.Mutex
	most      int
	time      time.Duration // how long each may wait that comes from now on
	size      int
	addresses map[netip.Prefix]*addressWaiters
	bySize    []*list.List // addressWaiters with so many waiters
	largest   int          // of them, or more
}

// addressWaiters is those of one address in all queues.
type addressWaiters struct {
	waiters list.List     // longest waiting first
	sized   *list.Element // among those of its size
}

// await waits for a value from a queue, in which the caller has already put w. On an error
// the caller takes w out again; a value may have come by then.
func await[T any](ctx context.Context, l *waitLimit, w *waiter, values <-chan T) (T, error) {
	return awaitUseful(ctx, l, w, values, func(T) bool { return true })
}

// awaitUseful does the same for a value that useful accepts. When it does not accept the
// first, w keeps its place in the queue, and has no more time.
func awaitUseful[T any](ctx context.Context, l *waitLimit, w *waiter, values <-chan T, useful func(T) bool) (T, error) {
	select {
	case v := <-values:
		if useful(v) {
			return v, nil
		}
	default:
	}
	var none T
	if !l.enter(w) {
		return none, fault.ErrBusy
	}
	defer l.leave(w)
	timer := time.NewTimer(l.longest())
	defer timer.Stop()
	for {
		select {
		case v := <-values:
			if useful(v) {
				return v, nil
			}
		case <-w.evicted:
			return none, fault.ErrBusy
		case <-ctx.Done():
			return none, fault.ErrClientGone
		case <-l.closed:
			return none, fault.ErrDraining
		case <-timer.C:
			return none, fault.ErrQueueTimeout
		}
	}
}

// configure says how many may wait, and how long. Who waits already stays.
func (l *waitLimit) configure(most int, long time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.most, l.time = most, long
}

// longest returns how long one may wait that comes now.
func (l *waitLimit) longest() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.time
}

// enter counts w in. If there is no room, one of the address with the most waiters has to
// go, if there is any.
func (l *waitLimit) enter(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.size >= l.most && !l.evictWaiter(w.client) {
		return false
	}
	a := l.addresses[w.client.address]
	if a == nil {
		a = &addressWaiters{}
		if l.addresses == nil {
			l.addresses = map[netip.Prefix]*addressWaiters{}
		}
		l.addresses[w.client.address] = a
	}
	l.size++
	before := a.waiters.Len()
	w.limited.join(&a.waiters, w)
	l.resize(a, before)
	return true
}

// resize puts an address, which had so many waiters before, among those of its size. The
// caller holds the lock.
func (l *waitLimit) resize(a *addressWaiters, before int) {
	if before > 0 {
		l.bySize[before].Remove(a.sized)
	}
	n := a.waiters.Len()
	for len(l.bySize) <= n {
		l.bySize = append(l.bySize, list.New())
	}
	if n > 0 {
		a.sized = l.bySize[n].PushBack(a)
	}
	l.largest = max(l.largest, n)
	for l.largest > 0 && l.bySize[l.largest].Len() == 0 {
		l.largest--
	}
}

// waitingOf returns how many of an address wait. The caller holds the lock.
func (l *waitLimit) waitingOf(address netip.Prefix) int {
	if a := l.addresses[address]; a != nil {
		return a.waiters.Len()
	}
	return 0
}

func (l *waitLimit) leave(w *waiter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remove(w)
}

// remove counts w out, unless it is. The caller holds the lock.
func (l *waitLimit) remove(w *waiter) {
	if !w.limited.leave() {
		return
	}
	l.size--
	a := l.addresses[w.client.address]
	l.resize(a, a.waiters.Len()+1)
	if a.waiters.Len() == 0 {
		delete(l.addresses, w.client.address)
	}
}

// evictWaiter makes room for one more of a client's: whoever has waited longest of the
// address with the most waiters goes, unless the client's own has as many, and the client
// is no better known. The caller holds the lock.
func (l *waitLimit) evictWaiter(c Client) bool {
	if l.largest == 0 {
		return false
	}
	w := firstOf(&l.bySize[l.largest].Front().Value.(*addressWaiters).waiters)
	if l.largest < l.waitingOf(c.address)+2 && (w.client.known || !c.known) {
		return false
	}
	l.remove(w)
	signal(w.evicted)
	return true
}

// hasRoom reports whether one more may wait.
func (l *waitLimit) hasRoom() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size < l.most
}

// waiting returns how many wait.
func (l *waitLimit) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.size
}
