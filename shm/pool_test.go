package shm

import (
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

func mustOpen(tb testing.TB, p *Pool, min int) *Account {
	tb.Helper()
	a := new(Account)
	if !p.Open(a, min) {
		tb.Fatalf("the pool cannot promise %d buffers: %+v", min, p.Stats())
	}
	return a
}

func mustTake(tb testing.TB, a *Account) uint32 {
	tb.Helper()
	b, ok := a.Take()
	if !ok {
		tb.Fatalf("no buffer: %+v", a.pool.Stats())
	}
	return b
}

func TestTheBufferFreedLastIsHandedOutFirst(t *testing.T) {
	a := mustOpen(t, NewPool(4), 0)
	first, second, third := mustTake(t, a), mustTake(t, a), mustTake(t, a)
	if got := []uint32{first, second, third}; !slices.Equal(got, []uint32{0, 1, 2}) {
		t.Errorf("a new pool hands out %v, want the lowest first", got)
	}
	a.Give(first)
	a.Give(third)
	a.Give(second)
	for _, want := range []uint32{second, third, first, 3} {
		if got := mustTake(t, a); got != want {
			t.Errorf("got buffer %d, want %d", got, want)
		}
	}
}

func TestABigHolderNeverTakesWhatIsOwedToOthers(t *testing.T) {
	p := NewPool(10)
	big, small := mustOpen(t, p, 1), mustOpen(t, p, 3)
	for range 7 {
		mustTake(t, big)
	}
	if b, ok := big.Take(); ok {
		t.Fatalf("took buffer %d of the three that are owed to another", b)
	}
	for range 3 {
		mustTake(t, small)
	}
	if _, ok := small.Take(); ok {
		t.Error("took a buffer that is not there")
	}
}

func TestAHolderBelowItsMinimumAlwaysGetsABuffer(t *testing.T) {
	p := NewPool(5)
	big, small := mustOpen(t, p, 0), mustOpen(t, p, 2)
	for _, ok := big.Take(); ok; _, ok = big.Take() {
	}
	for round := range 3 {
		x, y := mustTake(t, small), mustTake(t, small)
		small.Give(x)
		if b, ok := big.Take(); ok {
			t.Fatalf("round %d: buffer %d went to another holder", round, b)
		}
		small.Give(y)
	}
}

func TestAGuaranteeIsGivenOnlyIfItCanBeKept(t *testing.T) {
	p := NewPool(5)
	first := mustOpen(t, p, 3)
	var second Account
	if p.Open(&second, 3) {
		t.Fatal("promised six of five buffers")
	}
	if got, want := p.Stats(), (PoolStats{Total: 5, Free: 5, Owed: 3}); got != want {
		t.Errorf("after the refusal %+v, want %+v", got, want)
	}
	holder := mustOpen(t, p, 0)
	b := mustTake(t, holder)
	if p.Open(&second, 2) {
		t.Fatal("promised a buffer that another holds")
	}
	holder.Give(b)
	if !p.Open(&second, 2) {
		t.Error("refused a guarantee that can be kept")
	}
	first.Close()
	if third := new(Account); !p.Open(third, 3) {
		t.Error("a guarantee that was given up cannot be given again")
	}
}

func TestClosingAnAccountGivesUpItsGuaranteeButNotItsBuffers(t *testing.T) {
	p := NewPool(4)
	a := mustOpen(t, p, 3)
	b := mustTake(t, a)
	a.Close()
	if got, want := p.Stats(), (PoolStats{Total: 4, Free: 3}); got != want {
		t.Errorf("after the close %+v, want %+v", got, want)
	}
	a.Close() // closing twice does nothing
	a.Give(b)
	if got, want := p.Stats(), (PoolStats{Total: 4, Free: 4}); got != want {
		t.Errorf("after the last buffer %+v, want %+v", got, want)
	}
	if !p.Open(a, 4) {
		t.Error("the account cannot be opened again")
	}
}

func TestAnAccountInUseCannotBeOpened(t *testing.T) {
	p := NewPool(4)
	a := mustOpen(t, p, 1)
	wantPanic(t, func() { p.Open(a, 1) })
	b := mustTake(t, a)
	a.Close()
	wantPanic(t, func() { p.Open(a, 1) })
	a.Give(b)
}

func TestWhatIsPromisedIsThereForWhoeverComes(t *testing.T) {
	p := NewPool(10)
	p.Promise(6)
	greedy := mustOpen(t, p, 2)
	for range 2 + 4 { // the account's own, and what nobody else is to have
		mustTake(t, greedy)
	}
	if b, ok := greedy.Take(); ok {
		t.Fatalf("took buffer %d, which is promised to others who may come", b)
	}
	for range 2 {
		late := mustOpen(t, p, 2)
		mustTake(t, late)
		mustTake(t, late)
		if b, ok := late.Take(); ok {
			t.Fatalf("took buffer %d, which is promised", b)
		}
	}
}

// Uploads that start late find their guarantee, whatever the others do.
func TestAPromisedAccountCanAlwaysBeOpened(t *testing.T) {
	const holders, min, total = 4, 2, 11
	random := testRand(t)
	p := NewPool(total)
	p.Promise(holders * min)
	var accounts [holders]Account
	var held [holders][]uint32
	var open [holders]bool
	for step := range 20_000 {
		i := random.IntN(holders)
		switch a := &accounts[i]; {
		case !open[i]:
			if !p.Open(a, min) {
				t.Fatalf("step %d: %+v, and an account cannot be opened", step, p.Stats())
			}
			open[i] = true
		case random.IntN(20) == 0: // it ends
			for _, b := range held[i] {
				a.Give(b)
			}
			a.Close()
			held[i], open[i] = nil, false
		case random.IntN(3) > 0:
			if b, ok := a.Take(); ok {
				held[i] = append(held[i], b)
			} else if len(held[i]) < min {
				t.Fatalf("step %d: no buffer for a holder below its minimum: %+v", step, p.Stats())
			}
		case len(held[i]) > 0:
			a.Give(held[i][0])
			held[i] = held[i][1:]
		}
	}
}

func TestNoBufferHasTwoHoldersUnderConcurrentUse(t *testing.T) {
	const total, holders, rounds = 8, 6, 3000
	p := NewPool(total)
	var owner [total]atomic.Int32
	var work sync.WaitGroup
	for i := range holders {
		work.Go(func() {
			a := new(Account)
			for !p.Open(a, 1) {
				runtime.Gosched()
			}
			defer a.Close()
			for n := range rounds {
				b, ok := a.Take()
				if !ok {
					t.Error("a holder below its minimum got no buffer")
					return
				}
				more, ok := a.Take()
				if ok && !owner[more].CompareAndSwap(0, int32(i+1)) {
					t.Errorf("buffer %d has two holders", more)
				}
				if !owner[b].CompareAndSwap(0, int32(i+1)) {
					t.Errorf("buffer %d has two holders", b)
				}
				if s := p.Stats(); s.Owed > s.Free {
					t.Errorf("more is owed than there is: %+v", s)
				}
				if n%7 == 0 {
					runtime.Gosched()
				}
				owner[b].Store(0)
				a.Give(b)
				if ok {
					owner[more].Store(0)
					a.Give(more)
				}
			}
		})
	}
	work.Wait()
	if got, want := p.Stats(), (PoolStats{Total: total, Free: total}); got != want {
		t.Errorf("in the end %+v, want %+v", got, want)
	}
}
