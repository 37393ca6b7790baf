package accept

import (
	"sync"

	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// connCount counts a connection among those of its listener, by the protocol that it speaks: HTTP/1.1 until it turns
// out to be another.
type connCount struct {
	mu       sync.Mutex
	listener *meter.Listener // nil: the connection is not counted, or not any more
	protocol meter.Protocol
}

// begin counts the connection in. Release: end.
func (c *connCount) begin(l *meter.Listener) {
	c.listener, c.protocol = l, meter.HTTP11
	l.Open(c.protocol)
}

// speaks notes which protocol the connection speaks.
func (c *connCount) speaks(p meter.Protocol) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener == nil || c.protocol == p {
		return
	}
	c.listener.Open(p)
	c.listener.Close(c.protocol)
	c.protocol = p
}

// end counts the connection out.
func (c *connCount) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.listener != nil {
		c.listener.Close(c.protocol)
		c.listener = nil
	}
}
