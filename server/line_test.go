package server

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// who returns a client by the last number of its address; a known one has a name with
// an exclamation mark.
func who(name string) client {
	return newClient(conn.PrefixOf(netip.AddrFrom4([4]byte{192, 0, 2, name[0]})), len(name) > 1 && name[1] == '!')
}

// stands returns the standing of addresses of which those named are as said.
func stands(special map[string]standing) func(client) standing {
	return func(c client) standing {
		for name, s := range special {
			if who(name).address == c.address && who(name).known == c.known {
				return s
			}
		}
		return within
	}
}

func TestAddressesTakeTurnsAndThoseWhoAreKnownGoFirst(t *testing.T) {
	for _, c := range []struct {
		name    string
		come    []string // in this order; the rest of a name after its sign tells them apart
		special map[string]standing
		want    []string
	}{
		{"one address", []string{"a-1", "a-2", "a-3"}, nil, []string{"a-1", "a-2", "a-3"}},
		{"three", []string{"a-1", "a-2", "a-3", "b-1", "b-2", "c-1"}, nil, []string{"a-1", "b-1", "c-1", "a-2", "b-2", "a-3"}},
		{"known", []string{"a-1", "a-2", "a!3", "b-1"}, nil, []string{"a!3", "b-1", "a-1", "a-2"}},
		{"beyond its share", []string{"a-1", "a-2", "b-1", "a-3"}, map[string]standing{"a": beyond}, []string{"a-3", "b-1", "a-2", "a-1"}},
		{"full", []string{"a-1", "a-2", "b-1", "a!3", "b-2"}, map[string]standing{"a": full}, []string{"a!3", "b-1", "b-2"}},
	} {
		var l line
		names := map[*ticket]string{}
		for _, name := range c.come {
			t := newTicket(who(name), nil, 0)
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
	var l line
	first, back := newTicket(who("a!"), nil, 0), newTicket(who("b-"), nil, 0)
	l.push(first, false)
	l.push(back, true)
	refuse := stands(map[string]standing{"b": full})
	if got := l.next(refuse); got != back {
		t.Error("it has to wait again")
	}
	l.serve(back)
	if got := l.next(refuse); got != first {
		t.Error("the first is forgotten")
	}
}

func TestWhoLeavesALineIsNotInIt(t *testing.T) {
	var l line
	var all []*ticket
	for _, name := range []string{"a-", "a!", "b-", "b-"} {
		all = append(all, newTicket(who(name), nil, int64(len(all))))
		l.push(all[len(all)-1], false)
	}
	if got := l.since(2, 10); got != 2 {
		t.Errorf("%d are in it since before 2, want 2", got)
	}
	if got := l.since(2, 1); got != 1 {
		t.Errorf("%d are in it since before 2, want no more than 1", got)
	}
	for i, ticket := range all {
		if !l.remove(ticket) || l.remove(ticket) || l.size != len(all)-i-1 {
			t.Errorf("ticket %d: %d are left", i, l.size)
		}
	}
	if len(l.crowds)+l.turns.Len() != 0 {
		t.Errorf("%d addresses without anybody, and %d turns", len(l.crowds), l.turns.Len())
	}
}
