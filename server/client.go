package server

import "net/netip"

// client is whom an exchange is for, as far as that matters when places are scarce.
type client struct {
	address netip.Prefix // whose turn it takes; the zero value is that of those without one
	known   bool         // its connection has carried an exchange to a good end, the last was not slow, and it carries no other
	bucket  uint16       // of its address, see holdings
}

func newClient(address netip.Prefix, known bool) client {
	return client{address, known, bucketOf(address)}
}

// clientOf returns the client of an exchange. Behind a proxy that we trust a connection
// is that of many.
func (x *exchange) clientOf() client {
	known := x.conn != nil && !x.origin.peer.Trusted && x.conn.Known.Load() && (x.session.Pipelined || x.conn.Requests.Alone())
	return newClient(x.origin.holder, known)
}

// judge notes what the end of an exchange says of its client.
func (x *exchange) judge(err error) {
	known := err == nil && !x.slow
	if x.conn != nil && x.conn.Known.Load() != known {
		x.conn.Known.Store(known)
	}
}
