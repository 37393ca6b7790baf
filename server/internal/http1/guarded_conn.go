package http1

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// guardedKey is the key of a request's connection in its context.
type guardedKey struct{}

// With notes the connection in the context of its requests.
func (c *GuardedConn) With(ctx context.Context) context.Context {
	return conn.With(context.WithValue(ctx, guardedKey{}, c), c.info)
}

// Info returns what the server keeps of the connection.
func (c *GuardedConn) Info() *conn.Conn { return c.info }

// guardedOf returns the connection of a request that may carry HTTP/1, or nil.
func guardedOf(r *http.Request) *GuardedConn {
	c, _ := r.Context().Value(guardedKey{}).(*GuardedConn)
	return c
}

// GuardedConn is a connection that may carry HTTP/1: net/http gets of it what its
// FramingGuard lets through.
type GuardedConn struct {
	net.Conn
	info   *conn.Conn       // what the server keeps of it
	reader *conn.IdleReader // of the socket; nil: something in between has read ahead
	secure bool             // TLS is in between, and uses the reader
	config *Config
	held   corkedConn

	refusals refusals

	// Of one reader at a time.
	ahead []byte // read before, and not by net/http
	guard FramingGuard
}

// NewGuardedConn returns a connection in the clear.
func NewGuardedConn(inner net.Conn, info *conn.Conn, config *Config) *GuardedConn {
	info.Guarded = true
	c := &GuardedConn{Conn: inner, info: info, reader: info.Reader, config: config}
	c.held.socket = info.Socket()
	return c
}

// discardBytes is the size of the pieces in which the rest of a connection is thrown
// away.
const discardBytes = 4096

// Read returns what is let through. When nothing more is, it waits for the end of the
// connection, so that a request that is still answered does not seem to have lost its
// client.
func (c *GuardedConn) Read(p []byte) (n int, err error) {
	for err == nil {
		if n = copy(p, c.guard.poison); n > 0 {
			c.guard.poison = c.guard.poison[n:]
			return n, nil
		}
		if c.guard.shut() {
			if _, err = c.receive(make([]byte, discardBytes)); c.lingers(err) {
				err = c.awaitGone()
			}
			continue
		}
		if n, err = c.receive(p); c.lingers(err) {
			return 0, c.awaitGone()
		}
		if n = c.guard.filter(p[:n]); n > 0 || len(p) == 0 {
			return n, err
		}
	}
	return 0, err
}

// receive reads what has come in.
func (c *GuardedConn) receive(p []byte) (int, error) {
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
func (c *GuardedConn) Write(p []byte) (int, error) {
	if c.held.take(p) {
		return len(p), nil
	}
	if !c.refusals.serving.Load() && !c.guard.opaque.Load() {
		if _, err := c.Conn.Write(c.refusals.rewrite(c, p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// takeUp has net/http begin with bytes that were read before. Later says that there
// have been requests.
func (c *GuardedConn) takeUp(ahead []byte, later bool) {
	c.ahead, c.guard.later = bytes.Clone(ahead), later
}

// takeOver ends the screening: what comes from now on is not HTTP/1.
func (c *GuardedConn) takeOver() { c.guard.opaque.Store(true) }

// answered notes that a response is out.
func (c *GuardedConn) answered() { c.refusals.end() }

// ConnState is for http.Server's ConnState.
func ConnState(c net.Conn, state http.ConnState) {
	guarded, ok := c.(interface {
		takeOver()
		answered()
	})
	switch {
	case !ok:
	case state == http.StateHijacked:
		guarded.takeOver()
	case state == http.StateIdle:
		guarded.answered()
	}
}

// CloseWrite ends what the client reads: net/http does that before it closes a
// connection whose client may still write, or the client could lose the response.
func (c *GuardedConn) CloseWrite() error { return conn.CloseWrite(c.Conn) }

// onIdle returns what is to be called before a read waits, or nil.
func (c *GuardedConn) onIdle() *func() {
	if c.reader == nil || c.secure {
		return nil
	}
	return c.reader.Idle()
}

// SecureConn is HTTP/1.1 over TLS.
type SecureConn struct {
	GuardedConn
	tls *tls.Conn
}

// NewSecureConn returns a connection whose handshake is over.
func NewSecureConn(inner *tls.Conn, info *conn.Conn, config *Config) *SecureConn {
	info.Guarded = true
	return &SecureConn{GuardedConn: GuardedConn{Conn: inner, info: info, reader: info.Reader, secure: true, config: config}, tls: inner}
}

// ConnectionState makes net/http see that the connection is secure.
func (c *SecureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
