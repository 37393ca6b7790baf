package conn

import (
	"net/netip"
	"sync/atomic"
)

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

// Trust says which proxies are trusted: what they say of clients counts. It may change at any
// time.
type Trust struct{ now atomic.Pointer[trusted] }

type trusted struct {
	proxies []netip.Prefix
	unix    bool
}

// NewTrust returns a Trust in the proxies at some addresses, and in whatever comes in over a
// Unix socket if unix says so.
func NewTrust(proxies []netip.Prefix, unix bool) *Trust {
	t := &Trust{}
	t.Set(proxies, unix)
	return t
}

// Set trusts others from now on. Clients that are known stay what they are. The caller does
// not change the list any more.
func (t *Trust) Set(proxies []netip.Prefix, unix bool) { t.now.Store(&trusted{proxies, unix}) }

// NewClient finds out who is at an address.
func (t *Trust) NewClient(remote string) *Client {
	c := &Client{Remote: remote}
	addr, err := netip.ParseAddrPort(remote)
	if err != nil {
		c.Trusted = t.now.Load().unix && remote != Nameless
		return c
	}
	addr = netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
	c.Address, c.Node = addr.Addr().String(), addr.String()
	c.Prefix, c.Trusted = PrefixOf(addr.Addr()), t.Trusts(addr.Addr())
	return c
}

// Trusts reports whether an address is that of a trusted proxy.
func (t *Trust) Trusts(addr netip.Addr) bool {
	for _, prefix := range t.now.Load().proxies {
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
