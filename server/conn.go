package server

import (
	"bytes"
	"net"
	"net/http"
)

// screenedConn is a connection that may carry HTTP/1: net/http gets of it what its
// screen lets through.
type screenedConn struct {
	net.Conn
	reader *idleReader // of the socket; nil: something in between has read ahead
	secure bool        // TLS is in between, and uses the reader
	known  bool        // its client is, see client; of what was served before net/http
	held   heldWrites

	refusals refusals

	// Of one reader at a time.
	ahead  []byte // read before, and not by net/http
	screen screen
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
		return c.reader.read(p, *idle)
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
func taken(conn net.Conn, state http.ConnState) {
	screened, ok := conn.(interface {
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
func (c *screenedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// onIdle returns what is to be called before a read waits, or nil.
func (c *screenedConn) onIdle() *func() {
	if c.reader == nil || c.secure {
		return nil
	}
	return c.reader.idle.Load()
}
