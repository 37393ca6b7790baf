package server

import (
	"net"
	"net/netip"
	"sync"
)

// addressCount counts the connections of each address, and refuses those beyond
// the limit.
type addressCount struct {
	limit  int // 0: none
	exempt func(netip.Addr) bool

	mu    sync.Mutex
	conns map[netip.Prefix]int
}

func newAddressCount(limit int, exempt func(netip.Addr) bool) *addressCount {
	return &addressCount{limit: limit, exempt: exempt, conns: map[netip.Prefix]int{}}
}

// enter counts a connection in, unless its address has too many. What has no
// address is not counted.
func (c *addressCount) enter(addr net.Addr) (release func(), ok bool) {
	peer, err := netip.ParseAddrPort(addr.String())
	if c.limit == 0 || err != nil || c.exempt(peer.Addr().Unmap()) {
		return func() {}, true
	}
	key := holderOf(peer.Addr().Unmap())
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[key] >= c.limit {
		return nil, false
	}
	c.conns[key]++
	return func() { c.leave(key) }, true
}

// full reports whether an address has as many connections as it may.
func (c *addressCount) full(addr net.Addr) bool {
	peer, err := netip.ParseAddrPort(addr.String())
	if c.limit == 0 || err != nil || c.exempt(peer.Addr().Unmap()) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conns[holderOf(peer.Addr().Unmap())] >= c.limit
}

func (c *addressCount) leave(key netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns[key]--; c.conns[key] == 0 {
		delete(c.conns, key)
	}
}

// holderOf returns what one client has: an IPv4 address, or an IPv6 network of 64
// bits.
func holderOf(addr netip.Addr) netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.WithZone("").Prefix(bits) // fits every address
	return prefix
}

// countedConn is counted out when it closes.
type countedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}

// CloseWrite closes half of it.
func (c *countedConn) CloseWrite() error { return closeWrite(c.Conn) }
