package dispatch

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

func newWaitLimit(length int) *waitLimit {
	return &waitLimit{most: length, time: time.Hour, closed: make(chan struct{})}
}

func TestAFullQueueTakesOneMoreAtTheCostOfThoseWhoCrowdIt(t *testing.T) {
	for _, c := range []struct {
		name    string
		inside  []string
		comes   string
		evicted int // of inside; negative: it is not let in
	}{
		{"of its own", []string{"a-", "a-", "a-"}, "a-", -1},
		{"of its own, and known", []string{"a-", "a-", "a-"}, "a!", 0},
		{"as those inside", []string{"a!", "a!", "a!"}, "a!", -1},
		{"of another address", []string{"b-", "a-", "a-"}, "c-", 1},
		{"of an address with one", []string{"b-", "a-", "a-", "a-"}, "b-", 1},
		{"of an address with as many, but for one", []string{"b-", "b-", "a-", "a-", "a-"}, "b-", -1},
		{"everybody alone", []string{"a-", "b-", "c-"}, "d-", -1},
	} {
		q := newWaitLimit(len(c.inside))
		var waiters []*waiter
		for _, name := range c.inside {
			w := newWaiter(clientNamed(name), nil, 0)
			waiters = append(waiters, w)
			if !q.enter(w) {
				t.Fatalf("%s: no room for %s", c.name, name)
			}
		}
		if got := q.enter(newWaiter(clientNamed(c.comes), nil, 0)); got != (c.evicted >= 0) {
			t.Errorf("%s: let in is %v", c.name, got)
		}
		for i, w := range waiters {
			if evicted := len(w.evicted) > 0; evicted != (i == c.evicted) {
				t.Errorf("%s: %d evicted is %v", c.name, i, evicted)
			}
			q.leave(w) // also if it was evicted
		}
		if got := q.waiting(); got != min(c.evicted+1, 1) {
			t.Errorf("%s: %d are left", c.name, got)
		}
	}
}

func TestAnEvictedWaiterIsToldThatTheServerIsBusy(t *testing.T) {
	q := newWaitLimit(2)
	first := newWaiter(clientNamed("a-"), nil, 0)
	failed := make(chan error, 1)
	go func() {
		_, err := await(context.Background(), q, first, first.done)
		failed <- err
	}()
	for q.waiting() == 0 {
		runtime.Gosched()
	}
	q.enter(newWaiter(clientNamed("a-"), nil, 0))
	q.enter(newWaiter(clientNamed("b-"), nil, 0))
	if err := <-failed; !errors.Is(err, fault.ErrBusy) {
		t.Errorf("it got %v", err)
	}
	if got := q.waiting(); got != 2 {
		t.Errorf("%d wait", got)
	}
}

func TestWhatIsThereNeedsNoPlaceInTheQueue(t *testing.T) {
	served := newWaiter(clientNamed("a-"), nil, 0)
	served.done <- nil
	if _, err := await(context.Background(), newWaitLimit(0), served, served.done); err != nil {
		t.Error(err)
	}
}

// One more comes and one goes while very many wait, each with an address of its own, and
// the queue is exhausted.
func BenchmarkManyAddressesWait(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := newWaitLimit(n)
			var l fairQueue
			for i := range n {
				t := newWaiter(NewClient(addressNumber(i), false), nil, 0)
				q.enter(t)
				l.push(t, false)
			}
			refused := newWaiter(NewClient(addressNumber(n), false), nil, 0)
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
