package relay

import (
	"net/netip"
	"sync"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
)

// windowClaim is a request's part of the memory that bodies of HTTP/2 and 3 may fill before
// they are read. The zero value holds nothing.
type windowClaim struct {
	budget *conn.Budget // nil: nothing is held
	conn   *conn.Conn
	holder netip.Prefix
	bytes  int64 // of the request
	most   int64 // of all requests of the connection
	once   sync.Once
}

// claimWindow takes what the body of a request may fill before it is read. Release:
// windowClaim.release, any number of times.
func (x *exchange) claimWindow() error {
	if x.conn == nil {
		return nil
	}
	c := &x.window
	c.conn, c.holder = x.conn, x.client.holder
	c.bytes, c.most = protocol.WindowOf(x.session.Version, x.request.ContentLength)
	if x.client.peer.Trusted { // the requests of a proxy are those of many
		c.most = 0
	}
	n := c.bytes
	if c.most > 0 {
		n = x.conn.Window.Add(n, c.most)
	}
	budget := x.settings.Windows
	if !budget.Take(c.holder, n) {
		if c.most > 0 {
			x.conn.Window.Add(-c.bytes, c.most)
		}
		return fault.ErrNoWindow
	}
	c.budget = budget
	return nil
}

// release gives back what claimWindow took.
func (c *windowClaim) release() {
	if c.budget != nil {
		c.giveBack()
	}
}

func (c *windowClaim) giveBack() {
	c.once.Do(func() {
		n := c.bytes
		if c.most > 0 {
			n = -c.conn.Window.Add(-n, c.most)
		}
		c.budget.Give(c.holder, n)
	})
}
