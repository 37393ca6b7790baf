package server

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"
)

func newQueue(length int) *queue {
	return &queue{length: length, time: time.Hour, closed: make(chan struct{})}
}

func TestAFullQueueTakesOneMoreAtTheCostOfThoseWhoCrowdIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		inside []string
		comes  string
		ousted int // of inside; negative: it is not let in
	}{
		{"of its own", []string{"a-", "a-", "a-"}, "a-", -1},
		{"of its own, and known", []string{"a-", "a-", "a-"}, "a!", 0},
		{"as those inside", []string{"a!", "a!", "a!"}, "a!", -1},
		{"of another address", []string{"b-", "a-", "a-"}, "c-", 1},
		{"of an address with one", []string{"b-", "a-", "a-", "a-"}, "b-", 1},
		{"of an address with as many, but for one", []string{"b-", "b-", "a-", "a-", "a-"}, "b-", -1},
		{"everybody alone", []string{"a-", "b-", "c-"}, "d-", -1},
	} {
		q := newQueue(len(c.inside))
		var tickets []*ticket
		for _, name := range c.inside {
			ticket := newTicket(who(name), nil, 0)
			tickets = append(tickets, ticket)
			if !q.enter(ticket) {
				t.Fatalf("%s: no room for %s", c.name, name)
			}
		}
		if got := q.enter(newTicket(who(c.comes), nil, 0)); got != (c.ousted >= 0) {
			t.Errorf("%s: let in is %v", c.name, got)
		}
		for i, ticket := range tickets {
			if ousted := len(ticket.ousted) > 0; ousted != (i == c.ousted) {
				t.Errorf("%s: %d ousted is %v", c.name, i, ousted)
			}
			q.leave(ticket) // also if it was ousted
		}
		if got := q.waiting(); got != min(c.ousted+1, 1) {
			t.Errorf("%s: %d are left", c.name, got)
		}
	}
}

func TestWhoIsOustedIsToldThatTheServerIsBusy(t *testing.T) {
	q := newQueue(2)
	first := newTicket(who("a-"), nil, 0)
	failed := make(chan error, 1)
	go func() {
		_, err := await(context.Background(), q, first, first.done)
		failed <- err
	}()
	for q.waiting() == 0 {
		runtime.Gosched()
	}
	q.enter(newTicket(who("a-"), nil, 0))
	q.enter(newTicket(who("b-"), nil, 0))
	if err := <-failed; !errors.Is(err, ErrBusy) {
		t.Errorf("it got %v", err)
	}
	if got := q.waiting(); got != 2 {
		t.Errorf("%d wait", got)
	}
}

func TestWhatIsThereNeedsNoPlaceInTheQueue(t *testing.T) {
	served := newTicket(who("a-"), nil, 0)
	served.done <- nil
	if _, err := await(context.Background(), newQueue(0), served, served.done); err != nil {
		t.Error(err)
	}
}

// One more comes and one goes while very many wait, each with an address of its own, and
// the queue is full.
func BenchmarkManyAddressesWait(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := newQueue(n)
			var l line
			for i := range n {
				t := newTicket(newClient(addressNumber(i), false), nil, 0)
				q.enter(t)
				l.push(t, false)
			}
			refused := newTicket(newClient(addressNumber(n), false), nil, 0)
			anybody := stands(nil)
			for b.Loop() {
				q.enter(refused)
				t := l.next(anybody)
				l.serve(t)
				q.leave(t)
				q.enter(t)
				l.push(t, false)
			}
		})
	}
}
