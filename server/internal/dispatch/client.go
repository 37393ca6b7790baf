package dispatch

import "net/netip"

// Client is for whom an exchange is, as far as that matters when places are scarce.
type Client struct {
	address netip.Prefix // the address whose turn it takes; the zero value is that of clients without one
	known   bool
	bucket  uint16 // of its address, see holdings
}

// NewClient returns a client of an address. It is known if its connection has carried an
// exchange to a good end, the last was not slow, and it carries no other.
func NewClient(address netip.Prefix, known bool) Client {
	return Client{address, known, bucketOf(address)}
}
