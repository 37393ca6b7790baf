package server

import (
	"net/netip"
	"slices"
)

// ticket is an exchange's place in a line.
type ticket struct {
	client client
	since  int64         // when it came, shm.Now
	stream *stream       // that waits for a link; or that it waited for
	done   chan error    // nil: it is served
	ousted chan struct{} // others need its place in the queue more
}

func newTicket(c client, s *stream, now int64) *ticket {
	return &ticket{client: c, since: now, stream: s, done: make(chan error, 1), ousted: make(chan struct{}, 1)}
}

// line is those who wait for the same thing. Addresses take turns, so that nobody waits
// for all that another address has asked for. Of one address those go first who are
// known, then who came first; but if it keeps as many places waiting as it may, then who
// came last: that those before it will do better is unlikely.
type line struct {
	back  []*ticket // those that were served, and whose link died
	turns []*crowd  // whose turn it is, and then the others
	size  int
}

// crowd is those of one address.
type crowd struct {
	address netip.Prefix
	known   []*ticket // longest waiting first
	others  []*ticket
}

// push puts t into the line; who was in it before, to its front.
func (l *line) push(t *ticket, before bool) {
	l.size++
	if before {
		l.back = append(l.back, t)
		return
	}
	i := l.crowdOf(t.client.address)
	if i < 0 {
		i = len(l.turns)
		l.turns = append(l.turns, &crowd{address: t.client.address})
	}
	if c := l.turns[i]; t.client.known {
		c.known = append(c.known, t)
	} else {
		c.others = append(c.others, t)
	}
}

// next returns who is to be served next, or nil if nobody may be.
func (l *line) next(of func(client) standing) *ticket {
	if len(l.back) > 0 {
		return l.back[0]
	}
	for _, c := range l.turns {
		if t := c.next(of); t != nil {
			return t
		}
	}
	return nil
}

func (c *crowd) next(of func(client) standing) *ticket {
	if len(c.known) > 0 {
		return c.known[0]
	}
	switch of(c.others[0].client) {
	case within:
		return c.others[0]
	case beyond:
		return c.others[len(c.others)-1]
	}
	return nil
}

// serve takes t out of the line, and its address has had its turn.
func (l *line) serve(t *ticket) {
	l.remove(t)
	if i := l.crowdOf(t.client.address); i >= 0 {
		c := l.turns[i]
		l.turns = append(slices.Delete(l.turns, i, i+1), c)
	}
}

// remove takes t out of the line. It reports whether it was in it.
func (l *line) remove(t *ticket) bool {
	if cut(&l.back, t) {
		l.size--
		return true
	}
	i := l.crowdOf(t.client.address)
	if i < 0 {
		return false
	}
	c := l.turns[i]
	if !cut(&c.known, t) && !cut(&c.others, t) {
		return false
	}
	l.size--
	if len(c.known)+len(c.others) == 0 {
		l.turns = slices.Delete(l.turns, i, i+1)
	}
	return true
}

func (l *line) crowdOf(address netip.Prefix) int {
	return slices.IndexFunc(l.turns, func(c *crowd) bool { return c.address == address })
}

// cut takes t out of a list, and reports whether it was in it.
func cut(list *[]*ticket, t *ticket) bool {
	i := slices.Index(*list, t)
	if i >= 0 {
		*list = slices.Delete(*list, i, i+1)
	}
	return i >= 0
}

// all calls f for everybody in the line.
func (l *line) all(f func(*ticket)) {
	each := func(list []*ticket) {
		for _, t := range list {
			f(t)
		}
	}
	each(l.back)
	for _, c := range l.turns {
		each(c.known)
		each(c.others)
	}
}

// since returns how many have been in the line since before the given time.
func (l *line) since(before int64) (n int) {
	l.all(func(t *ticket) {
		if t.since < before {
			n++
		}
	})
	return n
}

// fail answers everybody in the line.
func (l *line) fail(err error) {
	l.all(func(t *ticket) { t.done <- err })
	*l = line{}
}
