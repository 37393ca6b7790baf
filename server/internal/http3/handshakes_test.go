package http3

import (
	"net/netip"
	"testing"
)

func TestHandshakesAreBoundedAltogetherAndForEachAddress(t *testing.T) {
	var h handshakes
	one := netip.MustParsePrefix("192.0.2.1/32")
	var leave []func()
	for i := range maxVerifiedPerAddress {
		end, ok := h.enter(one, true)
		if !ok {
			t.Fatalf("the address has %d", i)
		}
		leave = append(leave, end)
	}
	if _, ok := h.enter(one, true); ok {
		t.Error("an address may have more than its share")
	}
	for i := range maxVerified - maxVerifiedPerAddress {
		end, ok := h.enter(netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 32), true)
		if !ok {
			t.Fatalf("there are %d", i)
		}
		leave = append(leave, end)
	}
	if _, ok := h.enter(netip.MustParsePrefix("203.0.113.1/32"), true); ok {
		t.Error("there may be more than the most")
	}
	for range maxUnverified {
		if h.full() {
			t.Fatal("full too early")
		}
		end, _ := h.enter(one, false)
		leave = append(leave, end, end) // counts once
	}
	if !h.full() {
		t.Error("never full")
	}
	for _, end := range leave {
		end()
	}
	if h.unverified != 0 || h.verified != 0 || len(h.addresses) != 0 {
		t.Errorf("left: %d, %d and %d", h.unverified, h.verified, len(h.addresses))
	}
}
