package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// screenedKey is the key of a request's connection in its context.
type screenedKey struct{}

// withScreened notes a connection in the context of its requests.
func withScreened(ctx context.Context, c *screenedConn) context.Context {
	return context.WithValue(ctx, screenedKey{}, c)
}

// screenedOf returns the connection of a request that may carry HTTP/1, or nil.
func screenedOf(r *http.Request) *screenedConn {
	c, _ := r.Context().Value(screenedKey{}).(*screenedConn)
	return c
}

// screenedConn is a connection that may carry HTTP/1: net/http gets of it what its
// screen lets through.
type screenedConn struct {
	net.Conn
	info   *conn.Conn       // what the server keeps of it
	reader *conn.IdleReader // of the socket; nil: something in between has read ahead
	secure bool             // TLS is in between, and uses the reader
	held   heldWrites

	refusals refusals

	// Of one reader at a time.
	ahead  []byte // read before, and not by net/http
	screen screen
}

// newScreenedConn returns a connection in the clear.
func newScreenedConn(inner net.Conn, info *conn.Conn, r *UploadResponseRouter) *screenedConn {
	info.Guarded = true
	c := &screenedConn{Conn: inner, info: info, reader: info.Reader, refusals: refusals{router: r}}
	c.held.socket = info.Socket()
	return c
}

// discardBytes is the size of the pieces in which the rest of a connection is thrown
// away.
const discardBytes = 4096

// Read returns what is let through. When nothing more is, it waits for the end of the
// connection, so that a request that is still answered does not seem to have lost its
// client.
func (c *screenedConn) Read(p []byte) (n int, err error) {
	for err == nil {
		if n = copy(p, c.screen.poison); n > 0 {
			c.screen.poison = c.screen.poison[n:]
			return n, nil
		}
		if c.screen.shut() {
			if _, err = c.receive(make([]byte, discardBytes)); c.lingers(err) {
				err = c.awaitGone()
			}
			continue
		}
		if n, err = c.receive(p); c.lingers(err) {
			return 0, c.awaitGone()
		}
		if n = c.screen.filter(p[:n]); n > 0 || len(p) == 0 {
			return n, err
		}
	}
	return 0, err
}

// receive reads what has come in.
func (c *screenedConn) receive(p []byte) (int, error) {
	if len(c.ahead) > 0 {
		n := copy(p, c.ahead)
		c.ahead = c.ahead[n:]
		return n, nil
	}
	if idle := c.onIdle(); idle != nil {
		return c.reader.Read(p, *idle)
	}
	return c.Conn.Read(p)
}

// Write writes p, or holds it.
func (c *screenedConn) Write(p []byte) (int, error) {
	if c.held.take(p) {
		return len(p), nil
	}
	if c.refusals.router != nil && !c.refusals.serving.Load() && !c.screen.opaque.Load() {
		if _, err := c.Conn.Write(c.refusals.rewrite(c, p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// takeUp has net/http begin with bytes that were read before. Later says that there
// have been requests.
func (c *screenedConn) takeUp(ahead []byte, later bool) {
	c.ahead, c.screen.later = bytes.Clone(ahead), later
}

// takeOver ends the screening: what comes from now on is not HTTP/1.
func (c *screenedConn) takeOver() { c.screen.opaque.Store(true) }

// answered notes that a response is out.
func (c *screenedConn) answered() { c.refusals.end() }

// taken is for http.Server's ConnState.
func taken(c net.Conn, state http.ConnState) {
	screened, ok := c.(interface {
		takeOver()
		answered()
	})
	switch {
	case !ok:
	case state == http.StateHijacked:
		screened.takeOver()
	case state == http.StateIdle:
		screened.answered()
	}
}

// CloseWrite ends what the client reads: net/http does that before it closes a
// connection whose client may still write, or the client could lose the response.
func (c *screenedConn) CloseWrite() error { return conn.CloseWrite(c.Conn) }

// onIdle returns what is to be called before a read waits, or nil.
func (c *screenedConn) onIdle() *func() {
	if c.reader == nil || c.secure {
		return nil
	}
	return c.reader.Idle()
}

// secureConn is HTTP/1.1 over TLS.
type secureConn struct {
	screenedConn
	tls *tls.Conn
}

// newSecureConn returns a connection whose handshake is over.
func newSecureConn(inner *tls.Conn, info *conn.Conn, r *UploadResponseRouter) *secureConn {
	info.Guarded = true
	return &secureConn{screenedConn: screenedConn{Conn: inner, info: info, reader: info.Reader, secure: true, refusals: refusals{router: r}}, tls: inner}
}

// ConnectionState makes net/http see that the connection is secure.
func (c *secureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
