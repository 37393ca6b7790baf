package conn

import "net/netip"

// Client is who is at the other end of a connection: the peer, which may be a proxy that
// speaks for others.
type Client struct {
	Remote  string       // what the connection says of it, as in http.Request
	Address string       // empty: a Unix socket, or nobody knows
	Node    string       // the address with the port
	Prefix  netip.Prefix // that the address belongs to, see PrefixOf; the zero value: none
	Trusted bool         // a trusted proxy
}

// Nameless is the remote address of a client whose address the proxy does not know.
const Nameless = "unknown"

// Counted returns the prefix against which the connections and handshakes of the client
// count; the zero value is that of clients without a limit.
func (c *Client) Counted() netip.Prefix {
	if c.Trusted {
		return netip.Prefix{}
	}
	return c.Prefix
}

// Trust says which proxies are trusted: what they say of clients counts.
type Trust struct {
	Proxies []netip.Prefix
	Unix    bool // whatever comes in over a Unix socket
}

// NewClient finds out who is at an address.
func (t *Trust) NewClient(remote string) *Client {
	c := &Client{Remote: remote}
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		c.Trusted = t.Unix && remote != Nameless
		return c
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	c.Address, c.Node = addr.Addr().String(), addr.String()
	c.Prefix, c.Trusted = PrefixOf(addr.Addr()), t.Trusts(addr.Addr())
	return c
}

// Trusts reports whether an address is that of a trusted proxy.
func (t *Trust) Trusts(addr netip.Addr) bool {
	for _, prefix := range t.Proxies {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// PrefixOf returns what one client has: an IPv4 address, or an IPv6 network of 64 bits.
func PrefixOf(addr netip.Addr) netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.WithZone("").Prefix(bits) // fits every address
	return prefix
}
