// Package conn has what the server keeps of the connection of a client, in every version of
// HTTP: who is at the other end, the socket, and what all requests of the connection take.
package conn

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// Conn is what the server keeps of the connection of a client.
type Conn struct {
	Guarded  bool        // it carries HTTP/1, and a guard checks where each message ends
	Reader   *IdleReader // of the socket; nil: the connection has none of its own
	AltSvc   string      // what its responses say of HTTP/3; empty: nothing
	Requests Requests
	Known    atomic.Bool // it has served a whole request, and the last one was not slow
	Window   Window      // of the bodies of its requests
	Stalled  atomic.Bool // it is at its end: its client took nothing of what was written, over HTTP/2

	OnHTTP2 func() // called with the first request over HTTP/2; nil: nothing is
	http2   atomic.Bool

	client atomic.Pointer[Client]
}

// New returns a connection whose client is known already.
func New(client *Client) *Conn {
	c := &Conn{}
	c.client.Store(client)
	return c
}

// Peer returns who was at the other end last; nil: nobody has asked yet.
func (c *Conn) Peer() *Client { return c.client.Load() }

// Client returns who sent a request that came from an address; nil is a connection that
// the server does not know. All requests of a connection have the same client, except over
// HTTP/3, where clients may move.
func (c *Conn) Client(remote string, trust *Trust) *Client {
	if c == nil {
		return trust.NewClient(remote)
	}
	if known := c.client.Load(); known != nil && known.Remote == remote {
		return known
	}
	client := trust.NewClient(remote)
	c.client.Store(client)
	return client
}

// noteHTTP2 notes that the connection carries HTTP/2, which nobody knows before when there is no TLS.
func (c *Conn) noteHTTP2() {
	if c.OnHTTP2 != nil && !c.http2.Load() && !c.http2.Swap(true) {
		c.OnHTTP2()
	}
}

// NoteWrite notes what became of a write over HTTP/2 that took n bytes. Net/http ends the
// connection, and with it every request, if a write meets its deadline: whoever sees that
// must know why. It goes on after a part of a write.
func (c *Conn) NoteWrite(n int, err error) {
	if err != nil && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		c.Stalled.Store(true)
	}
}

// Socket returns the descriptor of the connection, or nil.
func (c *Conn) Socket() syscall.RawConn {
	if c.Reader == nil {
		return nil
	}
	return c.Reader.Raw
}

// key is the key of the connection in the context of a request.
type key struct{}

// With notes the connection in the context of its requests.
func With(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, key{}, c)
}

// Of returns the connection of a request, or nil if the request came in through another
// server.
func Of(r *http.Request) *Conn {
	c, _ := r.Context().Value(key{}).(*Conn)
	return c
}

// A connection that the server is about to close is read for a moment, and what comes is
// thrown away: if it were not, the client could lose the end of its response.
const (
	LingerBytes = 256 << 10
	LingerTime  = 500 * time.Millisecond
)

// Past is a deadline that has passed.
var Past = time.Unix(1, 0)

// CloseWrite ends what the client reads, if the connection can be closed by halves.
func CloseWrite(c net.Conn) error {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
