package server

import (
	"net/netip"
	"testing"
)

func TestAnAddressGetsOfTheWindowsNoMoreThanItLeavesFree(t *testing.T) {
	b := windowBudget{total: 100}
	var held [10]int64
	takeAll := func(i int) {
		for b.take(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), 1, b.total) {
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
		b.give(netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 32), n)
	}
	if b.used != 0 || len(b.holders) != 0 {
		t.Errorf("%d are left, of %d addresses", b.used, len(b.holders))
	}
}
