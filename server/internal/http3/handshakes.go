package http3

import (
	"net/netip"
	"sync"
)

// handshakes bounds what clients can make the server keep before they have shown that their
// address is theirs. A sender can write any source into a UDP packet: until the handshake
// has ended, nothing counts against the connections of an address.
//
//	unverified: the address may be forged. At most maxUnverified; those beyond it are
//	            asked for a token first (Retry, RFC 9000 section 8.1.2), which keeps no state.
//	verified:   a token shows that packets reached the client at the address within tokenAge.
//	            At most maxVerified, and maxVerifiedPerAddress for each address: a token
//	            can be used more than once.
type handshakes struct {
	mu         sync.Mutex
	unverified int
	verified   int
	addresses  map[netip.Prefix]int // of the verified
}

// Each handshake takes 40 to 100 KiB, for at most the header time. With a round trip of
// 100 ms, 128 of them are 1,280 new connections a second; under a flood new connections
// take one round trip more.
const (
	maxUnverified         = 128
	maxVerified           = 1024
	maxVerifiedPerAddress = 128
)

// full reports whether a client without a token has to get one first.
func (h *handshakes) full() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unverified >= maxUnverified
}

// running returns how many there are.
func (h *handshakes) running() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unverified + h.verified
}

// enter counts a handshake. Release: the returned function, which can be called more
// than once.
func (h *handshakes) enter(client netip.Prefix, verified bool) (leave func(), ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !verified {
		h.unverified++ // the same goroutine has asked full
		return sync.OnceFunc(h.leaveUnverified), true
	}
	if h.verified >= maxVerified || h.addresses[client] >= maxVerifiedPerAddress {
		return nil, false
	}
	if h.addresses == nil {
		h.addresses = map[netip.Prefix]int{}
	}
	h.verified++
	h.addresses[client]++
	return sync.OnceFunc(func() { h.leaveVerified(client) }), true
}

func (h *handshakes) leaveUnverified() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unverified--
}

func (h *handshakes) leaveVerified(client netip.Prefix) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.verified--
	if h.addresses[client]--; h.addresses[client] == 0 {
		delete(h.addresses, client)
	}
}
