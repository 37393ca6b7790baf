package server

import (
	"net/netip"
	"sync"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http2"
	"github.com/wavey-ai/upload-response/server/internal/http3"
)

// windowClaim is a request's part of the budget. The zero value holds nothing.
type windowClaim struct {
	budget *conn.Budget
	conn   *conn.Conn
	holder netip.Prefix
	bytes  int64 // of the request
	most   int64 // of all requests of the connection
	once   sync.Once
}

// claimWindow takes what the body of a request may fill before it is read. Release:
// windowClaim.release, which can be called more than once.
func (x *exchange) claimWindow() error {
	if x.dialect.serial || x.conn == nil || x.offer == nil && !x.hasBody() {
		return nil
	}
	c := &x.window
	c.conn, c.holder = x.conn, x.origin.holder
	c.bytes, c.most = windowOf(x.dialect.version, x.request.ContentLength)
	if x.origin.peer.Trusted { // its requests are those of many
		c.most = 0
	}
	n := c.bytes
	if c.most > 0 {
		n = x.conn.Window.Add(n, c.most)
	}
	budget := x.router.windows
	if !budget.Take(c.holder, n) {
		if c.most > 0 {
			x.conn.Window.Add(-c.bytes, c.most)
		}
		return ErrNoWindow
	}
	c.budget = budget
	return nil
}

func (c *windowClaim) release() {
	if c.budget == nil {
		return
	}
	c.once.Do(func() {
		n := c.bytes
		if c.most > 0 {
			n = -c.conn.Window.Add(-n, c.most)
		}
		c.budget.Give(c.holder, n)
	})
}

// windowOf returns how much of a body of such a length, which is negative if the client
// does not say it, can come in before it is read, and how much of all bodies of a
// connection. Over HTTP/3 nothing keeps a client to its length before the body is read.
func windowOf(version proto.Version, length int64) (bytes, most int64) {
	if version == proto.HTTP3 {
		return http3.ConnStart, http3.ConnStart
	}
	if length < 0 {
		return http2.StreamWindow, http2.ConnWindow
	}
	return min(length, http2.StreamWindow), http2.ConnWindow
}
