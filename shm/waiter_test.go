package shm

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// signalled takes the signal of a waiter, if it has one.
func signalled(w *Waiter) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

// emptyPool returns a pool of n buffers that one account holds.
func emptyPool(tb testing.TB, n int) (*Pool, *Account, []uint32) {
	tb.Helper()
	p := NewPool(uint32(n))
	a := mustOpen(tb, p, 0)
	var held []uint32
	for range n {
		held = append(held, mustTake(tb, a))
	}
	return p, a, held
}

func awaiting(p *Pool) *Waiter {
	w := p.NewWaiter()
	p.Await(w)
	return w
}

func TestWaitersAreSignalledInTheOrderInWhichTheyCame(t *testing.T) {
	p, holder, held := emptyPool(t, 3)
	waiters := []*Waiter{awaiting(p), awaiting(p), awaiting(p)}
	for i, b := range held {
		holder.Give(b)
		for j, w := range waiters {
			if got := signalled(w); got != (i == j) {
				t.Errorf("buffer %d: waiter %d signalled: %v", i, j, got)
			}
		}
	}
}

func TestABufferThatIsOwedToItsHolderSignalsNobody(t *testing.T) {
	p := NewPool(1)
	holder := mustOpen(t, p, 1)
	b := mustTake(t, holder)
	w := awaiting(p)
	holder.Give(b)
	if signalled(w) {
		t.Error("signalled for a buffer that is owed to another")
	}
	holder.Close()
	if !signalled(w) {
		t.Error("not signalled when the guarantee came back")
	}
}

func TestASignalThatIsNotUsedGoesToTheNextWaiter(t *testing.T) {
	p, holder, held := emptyPool(t, 1)
	first, second := awaiting(p), awaiting(p)
	holder.Give(held[0])
	first.Stop() // it never looked
	if signalled(first) {
		t.Error("a stopped waiter still has a signal")
	}
	if !signalled(second) {
		t.Error("the signal was lost")
	}
}

func TestASignalThatWasTakenButNotUsedGoesToTheNextWaiter(t *testing.T) {
	p, holder, held := emptyPool(t, 1)
	first, second := awaiting(p), awaiting(p)
	holder.Give(held[0])
	if !signalled(first) {
		t.Fatal("the longest waiter has no signal")
	}
	first.Stop()
	if !signalled(second) {
		t.Error("the signal was lost")
	}
}

func TestAWaiterThatStoppedIsNotSignalled(t *testing.T) {
	p, holder, held := emptyPool(t, 1)
	first, second := awaiting(p), awaiting(p)
	first.Stop()
	holder.Give(held[0])
	if signalled(first) || !signalled(second) {
		t.Error("the signal went to a waiter that had stopped")
	}
	second.Stop()
	second.Stop() // stopping twice does nothing
}

// A waiter that was signalled, registered again and then got its buffer has used
// one of two: the other is the next one's.
func TestWhatIsLeftGoesToTheNextEvenIfAWaiterRegisteredAgain(t *testing.T) {
	p := NewPool(2)
	promised := mustOpen(t, p, 2)
	first, second := awaiting(p), awaiting(p)
	promised.Close() // two buffers become spare at once

	if !signalled(first) {
		t.Fatal("the longest waiter has no signal")
	}
	p.Await(first) // register, then try
	mustTake(t, mustOpen(t, p, 0))
	first.Stop()
	if !signalled(second) {
		t.Errorf("%+v, but the next waiter was not told", p.Stats())
	}
}

// A waiter that was woken by something else registers again while it is still
// registered.
func TestAWaiterThatRegisteredTwiceIsGoneAfterOneStop(t *testing.T) {
	p, holder, held := emptyPool(t, 1)
	first := awaiting(p)
	p.Await(first)
	second := awaiting(p)
	first.Stop()
	holder.Give(held[0])
	if !signalled(second) {
		t.Error("the signal went to a waiter that had stopped")
	}
}

func TestEveryWaiterGetsItsBufferWhenManyComeBackAtOnce(t *testing.T) {
	const many = 4
	p := NewPool(many)
	promised := mustOpen(t, p, many)
	var waiters []*Waiter
	for range many {
		waiters = append(waiters, awaiting(p))
	}
	promised.Close()
	for i, w := range waiters {
		if !signalled(w) {
			t.Fatalf("waiter %d was not told of %+v", i, p.Stats())
		}
		mustTake(t, mustOpen(t, p, 0))
		w.Stop()
	}
}

func TestNoWaiterIsForgottenUnderContention(t *testing.T) {
	const holders, rounds = 8, 2000
	watchdog, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := NewPool(3)
	var work sync.WaitGroup
	for range holders {
		work.Go(func() {
			a := new(Account)
			p.Open(a, 0)
			for n := range rounds {
				b, ok := takeOrWait(watchdog, p, a)
				if !ok {
					t.Errorf("round %d: a lost signal: %+v", n, p.Stats())
					return
				}
				if n%3 == 0 {
					runtime.Gosched()
				}
				a.Give(b)
			}
		})
	}
	work.Wait()
}

// takeOrWait is how a holder waits: register, try, wait.
func takeOrWait(ctx context.Context, p *Pool, a *Account) (uint32, bool) {
	w := p.NewWaiter()
	defer w.Stop()
	for {
		p.Await(w)
		if b, ok := a.Take(); ok {
			return b, true
		}
		select {
		case <-w.C:
		case <-ctx.Done():
			return 0, false
		}
	}
}

func opening(p *Pool, min int) *Waiter {
	w := p.NewOpener(min)
	p.Await(w)
	return w
}

// tryOpen is what a waiter does that was signalled.
func tryOpen(w *Waiter) bool {
	w.pool.Await(w)
	return w.Open(new(Account))
}

func TestWhoNeedsLessIsToldOfWhatTheFirstCannotUse(t *testing.T) {
	p, holder, held := emptyPool(t, 3)
	upload, get := opening(p, 2), opening(p, 1)
	holder.Give(held[0])
	if signalled(upload) {
		t.Error("one buffer was offered to who needs two")
	}
	if !signalled(get) || !tryOpen(get) {
		t.Fatal("who needs one buffer was not told of it")
	}
	holder.Give(held[1])
	holder.Give(held[2])
	if !signalled(upload) || !tryOpen(upload) {
		t.Error("who came first lost its place")
	}
}

func TestASignalThatSomebodyElseHasUsedUpInPartReachesWhoNeedsLess(t *testing.T) {
	p, holder, held := emptyPool(t, 2)
	upload, get := opening(p, 2), opening(p, 1)
	holder.Give(held[0])
	if !signalled(get) {
		t.Fatal("not told of a buffer")
	}
	holder.Give(held[1]) // both may have one now, or the first two
	mustOpen(t, p, 1)    // somebody else comes
	if tryOpen(upload) {
		t.Fatal("opened with what is not there")
	}
	if !tryOpen(get) {
		t.Error("there is one buffer for who needs one")
	}
	upload.Stop()
}

func TestWhoWaitsForTwoThingsLeavesTheSignalToTheNext(t *testing.T) {
	p, holder, held := emptyPool(t, 1)
	first, second := awaiting(p), awaiting(p)
	holder.Give(held[0])
	if !signalled(first) {
		t.Fatal("the longest waiter has no signal")
	}
	p.Await(first) // the lane is full: the waiter does not take the buffer
	if !signalled(second) {
		t.Error("the signal was lost")
	}
}

// Those who need less may go first, but not forever.
func TestWhoNeedsMoreIsNotOvertakenForEver(t *testing.T) {
	p := NewPool(2)
	running := mustOpen(t, p, 1)
	mustOpen(t, p, 1).Close()
	upload := opening(p, 2)
	n := 0
	for ; n <= mostOvertaken; n++ {
		var small Account
		if !p.Open(&small, 1) {
			break
		}
		small.Close()
	}
	if n != mostOvertaken {
		t.Errorf("%d have overtaken it, want %d", n, mostOvertaken)
	}
	if opening(p, 1).Open(new(Account)) {
		t.Error("one who waits has overtaken it as well")
	}
	running.Close()
	if !signalled(upload) || !tryOpen(upload) {
		t.Error("what was kept for it did not reach it")
	}
}

func TestWhatOthersWaitForToBeginIsNotSpare(t *testing.T) {
	p, greedy, held := emptyPool(t, 2)
	upload := opening(p, 2)
	greedy.Give(held[0])
	if b, ok := greedy.Take(); ok {
		t.Fatalf("took buffer %d, which another waits for", b)
	}
	greedy.Give(held[1])
	if !signalled(upload) || !tryOpen(upload) {
		t.Error("it has to wait for both of its buffers at once")
	}
	upload.Stop()
	if p.wanted != 0 {
		t.Errorf("%d are kept for nobody", p.wanted)
	}
}
