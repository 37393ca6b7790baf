package server

import (
	"container/list"
	"net/netip"
)

// ticket is an exchange's place in a line.
type ticket struct {
	client client
	since  int64         // when it came, shm.Now
	stream *stream       // that waits for a link; or that it waited for
	done   chan error    // nil: it is served
	ousted chan struct{} // others need its place in the queue more

	place  spot // in a line
	queued spot // in the queue
}

// spot is where a ticket stands in a list. Whoever keeps it is out of it at once,
// however many wait.
type spot struct {
	list    *list.List // nil: none
	element *list.Element
}

// enter puts t at the end of a list.
func (s *spot) enter(l *list.List, t *ticket) { *s = spot{l, l.PushBack(t)} }

// leave takes it out of the list, and reports whether it was in one.
func (s *spot) leave() bool {
	if s.list == nil {
		return false
	}
	s.list.Remove(s.element)
	*s = spot{}
	return true
}

// ticketsOf calls f for those in a list, the first one first, until it returns false.
func ticketsOf(l *list.List, f func(*ticket) bool) {
	for e := l.Front(); e != nil && f(e.Value.(*ticket)); e = e.Next() {
	}
}

// firstOf returns the first in a list, which is not empty.
func firstOf(l *list.List) *ticket { return l.Front().Value.(*ticket) }

func newTicket(c client, s *stream, now int64) *ticket {
	return &ticket{client: c, since: now, stream: s, done: make(chan error, 1), ousted: make(chan struct{}, 1)}
}

// line is those who wait for the same thing. Addresses take turns, so that nobody waits
// for all that another address has asked for. Of one address those go first who are
// known, then who came first; but if it keeps more places waiting than its share, then who
// came last: that those before it will do better is unlikely.
type line struct {
	back   list.List // those that were served, and whose link died
	turns  list.List // crowds: whose turn it is, and then the others
	crowds map[netip.Prefix]*crowd
	size   int
}

// crowd is those of one address.
type crowd struct {
	address netip.Prefix
	turn    *list.Element // among the turns
	known   list.List     // longest waiting first
	others  list.List
}

// push puts t into the line; who was in it before, to its front.
func (l *line) push(t *ticket, before bool) {
	l.size++
	if before {
		t.place.enter(&l.back, t)
		return
	}
	c := l.crowds[t.client.address]
	if c == nil {
		c = l.newCrowd(t.client.address)
	}
	if t.client.known {
		t.place.enter(&c.known, t)
	} else {
		t.place.enter(&c.others, t)
	}
}

func (l *line) newCrowd(address netip.Prefix) *crowd {
	if l.crowds == nil {
		l.crowds = map[netip.Prefix]*crowd{}
	}
	c := &crowd{address: address}
	c.turn = l.turns.PushBack(c)
	l.crowds[address] = c
	return c
}

// next returns who is to be served next, or nil if nobody may be.
func (l *line) next(of func(client) standing) *ticket {
	if l.back.Len() > 0 {
		return firstOf(&l.back)
	}
	for e := l.turns.Front(); e != nil; e = e.Next() {
		if t := e.Value.(*crowd).next(of); t != nil {
			return t
		}
	}
	return nil
}

func (c *crowd) next(of func(client) standing) *ticket {
	if c.known.Len() > 0 {
		if first := firstOf(&c.known); of(first.client) != full {
			return first
		}
		return nil
	}
	first := firstOf(&c.others)
	switch of(first.client) {
	case within:
		return first
	case beyond:
		return c.others.Back().Value.(*ticket)
	}
	return nil
}

// serve takes t out of the line, and its address has had its turn.
func (l *line) serve(t *ticket) {
	l.remove(t)
	if c := l.crowds[t.client.address]; c != nil {
		l.turns.MoveToBack(c.turn)
	}
}

// remove takes t out of the line. It reports whether it was in it.
func (l *line) remove(t *ticket) bool {
	if !t.place.leave() {
		return false
	}
	l.size--
	if c := l.crowds[t.client.address]; c != nil && c.known.Len()+c.others.Len() == 0 {
		l.turns.Remove(c.turn)
		delete(l.crowds, c.address)
	}
	return true
}

// all calls f for everybody in the line, list by list, and leaves a list when f returns
// false.
func (l *line) all(f func(*ticket) bool) {
	ticketsOf(&l.back, f)
	for e := l.turns.Front(); e != nil; e = e.Next() {
		c := e.Value.(*crowd)
		ticketsOf(&c.known, f)
		ticketsOf(&c.others, f)
	}
}

// since returns how many have been in the line since before the given time, but no more
// than most.
func (l *line) since(before int64, most int) (n int) {
	l.all(func(t *ticket) bool {
		if n >= most || t.since >= before { // those behind it came later
			return false
		}
		n++
		return true
	})
	return n
}

// fail answers everybody in the line.
func (l *line) fail(err error) {
	anybody := func(client) standing { return within }
	for l.size > 0 {
		t := l.next(anybody)
		l.remove(t)
		t.done <- err
	}
}
