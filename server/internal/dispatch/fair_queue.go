package dispatch

import (
	"container/list"
	"net/netip"
)

// waiter is an exchange that waits in a queue.
type waiter struct {
	client  Client
	since   int64         // when it came, shm.Now
	stream  *Stream       // that waits, or waited, for a link
	done    chan error    // nil: it is served
	evicted chan struct{} // others need its room more

	queued  queuePosition // in a fairQueue
	limited queuePosition // in a waitLimit
}

// queuePosition is where a waiter stands in a list. It leaves in no time, however many
// wait.
type queuePosition struct {
	list    *list.List // nil: none
	element *list.Element
}

// join puts w at the end of a list.
func (p *queuePosition) join(l *list.List, w *waiter) { *p = queuePosition{l, l.PushBack(w)} }

// leave takes the waiter out of the list, and reports whether it was in one.
func (p *queuePosition) leave() bool {
	if p.list == nil {
		return false
	}
	p.list.Remove(p.element)
	*p = queuePosition{}
	return true
}

// eachWaiter calls f for those in a list, the first one first, until it returns false.
func eachWaiter(l *list.List, f func(*waiter) bool) {
	for e := l.Front(); e != nil && f(e.Value.(*waiter)); e = e.Next() {
	}
}

// firstOf returns the first in a list, which is not empty.
func firstOf(l *list.List) *waiter { return l.Front().Value.(*waiter) }

func newWaiter(c Client, s *Stream, now int64) *waiter {
	return &waiter{client: c, since: now, stream: s, done: make(chan error, 1), evicted: make(chan struct{}, 1)}
}

// fairQueue is the exchanges that wait for the same thing. Addresses take turns, so that
// nobody waits for all that another address has asked for. Of one address the known clients
// go first, then whoever came first; but if it keeps more places waiting than its share,
// then whoever came last: that those before it will do better is unlikely.
type fairQueue struct {
	returned  list.List // those that were served, and whose link was closed
	rotation  list.List // of addressQueues: whose turn it is, and then the others
	addresses map[netip.Prefix]*addressQueue
	size      int
}

// addressQueue is the waiters of one address.
type addressQueue struct {
	address netip.Prefix
	turn    *list.Element // in the rotation
	known   list.List     // longest waiting first
	others  list.List
}

// push puts w into the queue; one that was in it before, to its front.
func (q *fairQueue) push(w *waiter, before bool) {
	q.size++
	if before {
		w.queued.join(&q.returned, w)
		return
	}
	a := q.addresses[w.client.address]
	if a == nil {
		a = q.newAddress(w.client.address)
	}
	if w.client.known {
		w.queued.join(&a.known, w)
	} else {
		w.queued.join(&a.others, w)
	}
}

func (q *fairQueue) newAddress(address netip.Prefix) *addressQueue {
	if q.addresses == nil {
		q.addresses = map[netip.Prefix]*addressQueue{}
	}
	a := &addressQueue{address: address}
	a.turn = q.rotation.PushBack(a)
	q.addresses[address] = a
	return a
}

// next returns the waiter that is to be served next, or nil if none may be.
func (q *fairQueue) next(shareOf func(Client) share) *waiter {
	if q.returned.Len() > 0 {
		return firstOf(&q.returned)
	}
	for e := q.rotation.Front(); e != nil; e = e.Next() {
		if w := e.Value.(*addressQueue).next(shareOf); w != nil {
			return w
		}
	}
	return nil
}

func (a *addressQueue) next(shareOf func(Client) share) *waiter {
	if a.known.Len() > 0 {
		if first := firstOf(&a.known); shareOf(first.client) != exhausted {
			return first
		}
		return nil
	}
	first := firstOf(&a.others)
	switch shareOf(first.client) {
	case under:
		return first
	case over:
		return a.others.Back().Value.(*waiter)
	}
	return nil
}

// serve takes w out of the queue, and its address has had its turn.
func (q *fairQueue) serve(w *waiter) {
	q.remove(w)
	if a := q.addresses[w.client.address]; a != nil {
		q.rotation.MoveToBack(a.turn)
	}
}

// remove takes w out of the queue, and reports whether it was in it.
func (q *fairQueue) remove(w *waiter) bool {
	if !w.queued.leave() {
		return false
	}
	q.size--
	if a := q.addresses[w.client.address]; a != nil && a.known.Len()+a.others.Len() == 0 {
		q.rotation.Remove(a.turn)
		delete(q.addresses, a.address)
	}
	return true
}

// each calls f for everybody in the queue, list by list, and leaves a list when f returns
// false.
func (q *fairQueue) each(f func(*waiter) bool) {
	eachWaiter(&q.returned, f)
	for e := q.rotation.Front(); e != nil; e = e.Next() {
		a := e.Value.(*addressQueue)
		eachWaiter(&a.known, f)
		eachWaiter(&a.others, f)
	}
}

// waitingSince returns how many have been in the queue since before a time, but no more
// than most.
func (q *fairQueue) waitingSince(before int64, most int) (n int) {
	q.each(func(w *waiter) bool {
		if n >= most || w.since >= before { // those behind it came later
			return false
		}
		n++
		return true
	})
	return n
}

// fail answers everybody in the queue.
func (q *fairQueue) fail(err error) {
	anybody := func(Client) share { return under }
	for q.size > 0 {
		w := q.next(anybody)
		q.remove(w)
		w.done <- err
	}
}
