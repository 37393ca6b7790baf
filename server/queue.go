package server

import (
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

	mu     sync.Mutex
	size   int
	crowds map[netip.Prefix][]*ticket // longest first
}

// await waits for a value on place, which the caller has already put in line for t.
// On an error the caller takes the place out again; a value may have come by
// then.
func await[T any](ctx context.Context, q *queue, t *ticket, place <-chan T) (T, error) {
	select {
	case v := <-place:
		return v, nil
	default:
	}
	var none T
	if !q.enter(t) {
		return none, ErrBusy
	}
	defer q.leave(t)
	timer := time.NewTimer(q.time)
	defer timer.Stop()
	select {
	case v := <-place:
		return v, nil
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

// enter counts t in. If the queue is full, one of those who crowd it has to go, if there
// are any.
func (q *queue) enter(t *ticket) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.size >= q.length && !q.oust(t.client) {
		return false
	}
	q.size++
	q.crowds[t.client.address] = append(q.crowds[t.client.address], t)
	return true
}

func (q *queue) leave(t *ticket) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop(t)
}

// drop counts t out, unless it is. The caller holds the lock.
func (q *queue) drop(t *ticket) {
	list := q.crowds[t.client.address]
	if !cut(&list, t) {
		return
	}
	q.size--
	if q.crowds[t.client.address] = list; len(list) == 0 {
		delete(q.crowds, t.client.address)
	}
}

// oust makes room for one more of a client's: whoever has waited longest of the largest
// crowd goes, unless the client's own is as large, and the client no better known. The
// caller holds the lock.
func (q *queue) oust(c client) bool {
	var largest []*ticket
	for _, list := range q.crowds {
		if len(list) > len(largest) {
			largest = list
		}
	}
	if len(largest) == 0 {
		return false
	}
	t := largest[0]
	if len(largest) < len(q.crowds[c.address])+2 && (t.client.known || !c.known) {
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
