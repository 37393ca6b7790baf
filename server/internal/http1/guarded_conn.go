package http1

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// GuardedConn is a connection that may carry HTTP/1: net/http reads from it what the guard
// lets through.
type GuardedConn struct {
	net.Conn
	info   *conn.Conn       // what the server keeps of it
	reader *conn.IdleReader // of the socket; nil: something in between has read ahead
	secure bool             // TLS is in between, and uses the reader
	config *Config          // of the server
	corked corkedConn

	refusals refusals

	// Of one reader at a time.
	ahead []byte // read before, and not by net/http
	guard FramingGuard
}

// NewGuardedConn returns a connection in the clear.
func NewGuardedConn(inner net.Conn, info *conn.Conn, config *Config) *GuardedConn {
	info.Guarded = true
	c := &GuardedConn{Conn: inner, info: info, reader: info.Reader, config: config}
	c.corked.socket = info.Socket()
	return c
}

// guardedKey is the key of the connection in the context of a request.
type guardedKey struct{}

// With notes the connection in the context of its requests.
func (c *GuardedConn) With(ctx context.Context) context.Context {
	return conn.With(context.WithValue(ctx, guardedKey{}, c), c.info)
}

// Info returns what the server keeps of the connection.
func (c *GuardedConn) Info() *conn.Conn { return c.info }

// Guarded returns the GuardedConn that a connection is, in the clear or over TLS, or nil.
func Guarded(c net.Conn) *GuardedConn {
	switch c := c.(type) {
	case *GuardedConn:
		return c
	case *SecureConn:
		return &c.GuardedConn
	}
	return nil
}

// guardedOf returns the connection of a request, or nil if none of ours carries it.
func guardedOf(r *http.Request) *GuardedConn {
	c, _ := r.Context().Value(guardedKey{}).(*GuardedConn)
	return c
}

// discardBytes is the size of the pieces in which the rest of a connection is thrown away.
const discardBytes = 4096

// Read returns what the guard lets through. When that is nothing more, Read waits for the
// end of the connection, so that the client of a request that is still being served does not
// seem to be gone.
func (c *GuardedConn) Read(p []byte) (n int, err error) {
	for err == nil {
		if n = copy(p, c.guard.reject); n > 0 {
			c.guard.reject = c.guard.reject[n:]
			return n, nil
		}
		if c.guard.shut() {
			if _, err = c.receive(make([]byte, discardBytes)); c.endsAfterRequest(err) {
				err = c.awaitGone()
			}
			continue
		}
		if n, err = c.receive(p); c.endsAfterRequest(err) {
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

// Write writes p, or keeps it while the connection is corked.
func (c *GuardedConn) Write(p []byte) (int, error) {
	if c.corked.keep(p) {
		return len(p), nil
	}
	if !c.refusals.serving.Load() && !c.guard.opaque.Load() {
		if err := c.refuse(c.refusals.rewrite(c, p)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	if err != nil && c.guard.http2 {
		c.info.NoteWrite(n, err)
	}
	return n, err
}

// SetWriteDeadline bounds writes.
func (c *GuardedConn) SetWriteDeadline(deadline time.Time) error {
	if c.guard.http2 {
		deadline = c.config.Times.Stretch(deadline)
	}
	return c.Conn.SetWriteDeadline(deadline)
}

// refuse writes the last answer of the connection, which could be lost if what the client has
// sent besides were not read.
func (c *GuardedConn) refuse(answer []byte) error {
	_ = c.SetWriteDeadline(time.Now().Add(c.config.Times.Write()))
	if _, err := c.Conn.Write(answer); err != nil {
		return err
	}
	_ = c.CloseWrite()
	_ = c.SetReadDeadline(time.Now().Add(conn.LingerTime))
	_, _ = io.CopyN(io.Discard, c.Conn, conn.LingerBytes)
	return nil
}

// resume makes net/http begin with bytes that were read before. Later says that there have
// been requests.
func (c *GuardedConn) resume(ahead []byte, later bool) {
	c.ahead, c.guard.later = bytes.Clone(ahead), later
}

// hijacked ends the checks of the guard: what comes from now on is not HTTP/1.
func (c *GuardedConn) hijacked() { c.guard.opaque.Store(true) }

// ConnState tells a connection how far net/http is with it, as the field of http.Server asks.
func ConnState(c net.Conn, state http.ConnState) {
	guarded := Guarded(c)
	switch {
	case guarded == nil:
	case state == http.StateHijacked:
		guarded.hijacked()
	case state == http.StateIdle:
		guarded.refusals.end()
	}
}

// CloseWrite ends what the client reads: net/http does that before it closes a connection to
// which the client may still write, or the client could lose the response.
func (c *GuardedConn) CloseWrite() error { return conn.CloseWrite(c.Conn) }

// onIdle returns what is to be called before a read waits, or nil.
func (c *GuardedConn) onIdle() *func() {
	if c.reader == nil || c.secure {
		return nil
	}
	return c.reader.Idle()
}
