package conn

import (
	"net/netip"
	"testing"
)

func TestAClientGetsOfTheBudgetNoMoreThanItLeavesFree(t *testing.T) {
	b := NewBudget(100)
	var held [10]int64
	takeAll := func(i int) {
		for b.Take(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), 1) {
			held[i]++
		}
	}
	for i := range held {
		takeAll(i)
	}
	if held[0] != 50 || held[1] != 25 {
		t.Errorf("the first two got %d and %d", held[0], held[1])
	}
	if held[5] == 0 {
		t.Errorf("the sixth got nothing: %v", held)
	}
	for i, n := range held {
		b.Give(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), n)
	}
	if b.used != 0 || len(b.parts) != 0 {
		t.Errorf("%d are left, of %d clients", b.used, len(b.parts))
	}
}

func TestHalfOfTheBudgetIsLeftForRequests(t *testing.T) {
	b := NewBudget(100)
	for b.TakeOfHalf(netip.Prefix{}, 1) {
	}
	if b.used != 50 {
		t.Errorf("%d were taken", b.used)
	}
	if !b.Take(netip.Prefix{}, 50) {
		t.Error("the other half is not there")
	}
}

func TestABudgetThatChangesKnowsWhatIsTaken(t *testing.T) {
	b := NewBudget(0)
	if !b.Take(netip.Prefix{}, 80) {
		t.Fatal("nothing is bounded, and 80 bytes are refused")
	}
	if b.SetTotal(100); b.Take(netip.Prefix{}, 30) || !b.Take(netip.Prefix{}, 20) {
		t.Error("20 of 100 bytes are free")
	}
	if b.SetTotal(50); b.Take(netip.Prefix{}, 1) {
		t.Error("more is taken than there is, and more is given")
	}
	b.Give(netip.Prefix{}, 80)
	if !b.Take(netip.Prefix{}, 30) || b.Take(netip.Prefix{}, 1) {
		t.Error("30 of 50 bytes are free")
	}
}
