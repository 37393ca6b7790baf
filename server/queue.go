package server

import (
	"container/list"
	"context"
	"net/netip"
	"sync"
	"time"
)

// queue bounds how many exchanges wait, and for how long, wherever they do.
type queue struct {
	length int
	time   time.Duration
	closed chan struct{} // closed when nobody is to wait any more

	mu      sync.Mutex
	size    int
	crowds  map[netip.Prefix]*mass
	bySize  []*list.List // masses with so many tickets
	largest int          // of them, or more
}

// mass is those of one address in the queue.
type mass struct {
	tickets list.List     // longest waiting first
	sized   *list.Element // among those of its size
}

// await waits for a value on place, which the caller has already put in line for t.
// On an error the caller takes the place out again; a value may have come by
// then.
func await[T any](ctx context.Context, q *queue, t *ticket, place <-chan T) (T, error) {
	return awaitUse(ctx, q, t, place, func(T) bool { return true })
}

// awaitUse does the same for a value of which use can make use; it keeps its place in the
// queue, and has no more time, if the first is not.
func awaitUse[T any](ctx context.Context, q *queue, t *ticket, place <-chan T, use func(T) bool) (T, error) {
	select {
	case v := <-place:
		if use(v) {
			return v, nil
		}
	default:
	}
	var none T
	if !q.enter(t) {
		return none, ErrBusy
	}
	defer q.leave(t)
	timer := time.NewTimer(q.time)
	defer timer.Stop()
	for {
		select {
		case v := <-place:
			if use(v) {
				return v, nil
			}
		case <-t.ousted:
			return none, ErrBusy
		case <-ctx.Done():
			return none, ErrClientGone
		case <-q.closed:
			return none, ErrDraining
		case <-timer.C:
			return none, ErrQueueTimeout
		}
	}
}

// enter counts t in. If the queue is full, one of those who crowd it has to go, if there
// are any.
func (q *queue) enter(t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size >= q.length && !q.oust(t.client) {
		return false
	}
	m := q.crowds[t.client.address]
	if m == nil {
		m = &mass{}
		if q.crowds == nil {
			q.crowds = map[netip.Prefix]*mass{}
		}
		q.crowds[t.client.address] = m
	}
	q.size++
	before := m.tickets.Len()
	t.queued.enter(&m.tickets, t)
	q.resize(m, before)
	return true
}

// resize puts a mass, which had so many tickets before, among those of its size. The
// caller holds the lock.
func (q *queue) resize(m *mass, before int) {
	if before > 0 {
		q.bySize[before].Remove(m.sized)
	}
	n := m.tickets.Len()
	for len(q.bySize) <= n {
		q.bySize = append(q.bySize, list.New())
	}
	if n > 0 {
		m.sized = q.bySize[n].PushBack(m)
	}
	q.largest = max(q.largest, n)
	for q.largest > 0 && q.bySize[q.largest].Len() == 0 {
		q.largest--
	}
}

// waitingOf returns how many of an address wait. The caller holds the lock.
func (q *queue) waitingOf(address netip.Prefix) int {
	if m := q.crowds[address]; m != nil {
		return m.tickets.Len()
	}
	return 0
}

func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(t)
}

// drop counts t out, unless it is. The caller holds the lock.
func (q *queue) drop(t *ticket) {
	if !t.queued.leave() {
		return
	}
	q.size--
	m := q.crowds[t.client.address]
	q.resize(m, m.tickets.Len()+1)
	if m.tickets.Len() == 0 {
		delete(q.crowds, t.client.address)
	}
}

// oust makes room for one more of a client's: whoever has waited longest of the largest
// crowd goes, unless the client's own is as large, and the client no better known. The
// caller holds the lock.
func (q *queue) oust(c client) bool {
	if q.largest == 0 {
		return false
	}
	t := firstOf(&q.bySize[q.largest].Front().Value.(*mass).tickets)
	if q.largest < q.waitingOf(c.address)+2 && (t.client.known || !c.known) {
		return false
	}
	q.drop(t)
	signal(t.ousted)
	return true
}

// waiting returns how many wait.
func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.size
}
