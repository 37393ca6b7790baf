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

// poolModel is the pool as simple as it can be said.
type poolModel struct {
	free    []uint32
	holders []modelHolder
}

type modelHolder struct {
	open bool
	min  int
	held []uint32
}

func (m *poolModel) owed() int {
	owed := 0
	for _, h := range m.holders {
		owed += max(0, h.min-len(h.held))
	}
	return owed
}

func TestThePoolKeepsItsPromisesUnderRandomUse(t *testing.T) {
	random := testRand(t)
	for range 200 {
		total := 1 + random.IntN(12)
		p, m := NewPool(uint32(total)), &poolModel{holders: make([]modelHolder, 5)}
		accounts := make([]Account, len(m.holders))
		for i := total; i > 0; i-- {
			m.free = append(m.free, uint32(i-1))
		}
		for range 300 {
			i := random.IntN(len(accounts))
			a, h := &accounts[i], &m.holders[i]
			switch op := random.IntN(8); {
			case !h.open && len(h.held) == 0:
				min := random.IntN(4)
				want := len(m.free)-m.owed() >= min
				if got := p.Open(a, min); got != want {
					t.Fatalf("Open(%d) is %v, want %v: %+v", min, got, want, p.Stats())
				}
				if want {
					h.open, h.min = true, min
				}
			case h.open && op == 0:
				a.Close()
				h.open, h.min = false, 0
			case h.open && op < 5:
				want := len(h.held) < h.min || len(m.free) > m.owed()
				b, got := a.Take()
				if got != want {
					t.Fatalf("Take is %v with %d of %d held, want %v: %+v", got, len(h.held), h.min, want, p.Stats())
				}
				if got {
					last := len(m.free) - 1
					if b != m.free[last] {
						t.Fatalf("took buffer %d, want %d, the last freed", b, m.free[last])
					}
					m.free, h.held = m.free[:last], append(h.held, b)
				}
			case len(h.held) > 0:
				k := random.IntN(len(h.held))
				b := h.held[k]
				h.held = slices.Delete(h.held, k, k+1)
				a.Give(b)
				m.free = append(m.free, b)
			}
			if got, want := p.Stats(), (PoolStats{Total: total, Free: len(m.free), Owed: m.owed()}); got != want {
				t.Fatalf("pool %+v, want %+v", got, want)
			}
			if s := p.Stats(); s.Owed > s.Free || s.Owed < 0 {
				t.Fatalf("more is owed than there is: %+v", s)
			}
			if a.Held() != len(h.held) {
				t.Fatalf("account holds %d, want %d", a.Held(), len(h.held))
			}
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
