package dispatch

import (
	"net/netip"
	"slices"
	"testing"
)

// clientNamed returns a client by the last number of its address; a known one has a
// name with an exclamation mark.
func clientNamed(name string) Client {
	address := netip.AddrFrom4([4]byte{192, 0, 2, name[0]})
	return NewClient(netip.PrefixFrom(address, 32), len(name) > 1 && name[1] == '!')
}

// stands returns the share of addresses of which those named are as said.
func stands(special map[string]share) func(Client) share {
	return func(c Client) share {
		for name, s := range special {
			if clientNamed(name).address == c.address && clientNamed(name).known == c.known {
				return s
			}
		}
		return under
	}
}

func TestAddressesTakeTurnsAndThoseWhoAreKnownGoFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		come    []string // in this order; the rest of a name after its sign tells them apart
		special map[string]share
		want    []string
	}{
		{"one address", []string{"a-1", "a-2", "a-3"}, nil, []string{"a-1", "a-2", "a-3"}},
		{"three", []string{"a-1", "a-2", "a-3", "b-1", "b-2", "c-1"}, nil,
			[]string{"a-1", "b-1", "c-1", "a-2", "b-2", "a-3"}},
		{"known", []string{"a-1", "a-2", "a!3", "b-1"}, nil, []string{"a!3", "b-1", "a-1", "a-2"}},
		{"over its share", []string{"a-1", "a-2", "b-1", "a-3"}, map[string]share{"a": over},
			[]string{"a-3", "b-1", "a-2", "a-1"}},
		{"exhausted", []string{"a-1", "a-2", "b-1", "a!3", "b-2"}, map[string]share{"a": exhausted},
			[]string{"a!3", "b-1", "b-2"}},
	} {
		var l fairQueue
		names := map[*waiter]string{}
		for _, name := range c.come {
			t := newWaiter(clientNamed(name), nil, 0)
			names[t] = name
			l.push(t, false)
		}
		var got []string
		for next := l.next(stands(c.special)); next != nil; next = l.next(stands(c.special)) {
			got = append(got, names[next])
			l.serve(next)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if want := len(c.come) - len(c.want); l.size != want {
			t.Errorf("%s: %d are left, want %d", c.name, l.size, want)
		}
	}
}

func TestWhoWasServedBeforeGoesToTheFront(t *testing.T) {
	var l fairQueue
	first, back := newWaiter(clientNamed("a!"), nil, 0), newWaiter(clientNamed("b-"), nil, 0)
	l.push(first, false)
	l.push(back, true)
	refuse := stands(map[string]share{"b": exhausted})
	if got := l.next(refuse); got != back {
		t.Error("it has to wait again")
	}
	l.serve(back)
	if got := l.next(refuse); got != first {
		t.Error("the first is forgotten")
	}
}

func TestAWaiterThatLeavesAQueueIsNotInIt(t *testing.T) {
	var l fairQueue
	var all []*waiter
	for _, name := range []string{"a-", "a!", "b-", "b-"} {
		all = append(all, newWaiter(clientNamed(name), nil, int64(len(all))))
		l.push(all[len(all)-1], false)
	}
	if got := l.waitingSince(2, 10); got != 2 {
		t.Errorf("%d are in it since before 2, want 2", got)
	}
	if got := l.waitingSince(2, 1); got != 1 {
		t.Errorf("%d are in it since before 2, want no more than 1", got)
	}
	for i, w := range all {
		if !l.remove(w) || l.remove(w) || l.size != len(all)-i-1 {
			t.Errorf("waiter %d: %d are left", i, l.size)
		}
	}
	if len(l.addresses)+l.rotation.Len() != 0 {
		t.Errorf("%d addresses without anybody, and %d turns", len(l.addresses), l.rotation.Len())
	}
}
