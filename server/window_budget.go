package server

import (
	"net/netip"
	"sync"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/http2"
)

// windowBudget bounds what HTTP/2 and 3 keep of request bodies that have come in and have
// not been read: it lies on the heap, and not in the shared memory. Clients may send as
// much as their flow control windows let them, before anybody looks at the request.
type windowBudget struct {
	total int64 // 0: no bound

	mu      sync.Mutex
	used    int64
	holders map[netip.Prefix]int64 // their parts of it
}

// take takes n bytes for an address, and reports whether they are within most, the whole
// budget or a part of it. An address gets no more than it leaves free, so that k addresses
// together leave 1/(k+1) of the budget; the zero value is that of requests without one.
func (b *windowBudget) take(holder netip.Prefix, n, most int64) bool {
	if b.total == 0 || n == 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	has, free := b.holders[holder], most-b.used-n
	if free < 0 || holder.IsValid() && has > 0 && has+n > free {
		return false
	}
	if b.holders == nil {
		b.holders = map[netip.Prefix]int64{}
	}
	b.used += n
	b.holders[holder] += n
	return true
}

// give gives n bytes back.
func (b *windowBudget) give(holder netip.Prefix, n int64) {
	if b.total == 0 || n == 0 {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.used -= n
	if b.holders[holder] -= n; b.holders[holder] == 0 {
		delete(b.holders, holder)
	}
}

// connWindow is what the requests of a connection hold together: no more than the window
// of the connection.
type connWindow struct {
	mu   sync.Mutex
	held int64 // what they would hold without it
}

// add adds n, and returns what that adds to what they hold together.
func (w *connWindow) add(n, most int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := min(w.held, most)
	w.held += n
	return min(w.held, most) - before
}

// windowClaim is a request's part of the budget. The zero value holds nothing.
type windowClaim struct {
	budget *windowBudget
	conn   *clientConn
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
	if x.origin.trusted { // its requests are those of many
		c.most = 0
	}
	n := c.bytes
	if c.most > 0 {
		n = x.conn.window.add(n, c.most)
	}
	budget := &x.router.windows
	if !budget.take(c.holder, n, budget.total) {
		if c.most > 0 {
			x.conn.window.add(-c.bytes, c.most)
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
			n = -c.conn.window.add(-n, c.most)
		}
		c.budget.give(c.holder, n)
	})
}

// windowOf returns how much of a body of such a length, which is negative if the client
// does not say it, can come in before it is read, and how much of all bodies of a
// connection. Over HTTP/3 nothing keeps a client to its length before the body is read.
func windowOf(version proto.Version, length int64) (bytes, most int64) {
	if version == proto.HTTP3 {
		return quicConnStart, quicConnStart
	}
	if length < 0 {
		return http2.StreamWindow, http2.ConnWindow
	}
	return min(length, http2.StreamWindow), http2.ConnWindow
}
