package server

import (
	"net"
	"net/http"
	"sync/atomic"
)

// sniffedConn notes which Content-Length fields may have come in over an HTTP/1.1
// connection. Net/http drops the field when a request has both it and
// Transfer-Encoding, makes one of several that are equal, and keeps the
// connection; RFC 9112 section 6.1 wants such a connection closed after the
// response, since whoever sent it may not agree with us on where the request
// ended. Closing one too many costs a handshake only.
type sniffedConn struct {
	net.Conn
	reader *idleReader // nil: not a socket
	ahead  []byte      // read before, and not by net/http

	ever  atomic.Bool // the field came in
	twice atomic.Bool // two of them without an empty line in between

	// Of one reader at a time.
	tail  int  // bytes of the name that ended the last read
	empty bool // the line so far is
	once  bool // the field came in since the last empty line
}

// fillBytes is the most that net/http reads at once while it looks for headers:
// the size of its buffer. Larger reads go straight into the body's slots.
const fillBytes = 4096

var lengthName = []byte("content-length")

// Read reads, and looks for the name in what may be headers.
func (c *sniffedConn) Read(p []byte) (n int, err error) {
	if idle := c.onIdle(); len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		c.ahead = c.ahead[n:]
	} else if idle != nil {
		n, err = c.reader.read(p, *idle)
	} else {
		n, err = c.Conn.Read(p)
	}
	if len(p) <= fillBytes {
		c.sniff(p[:n])
	}
	return n, err
}

// CloseWrite ends what the client reads: net/http does that before it closes a
// connection whose client may still write, or the client could lose the response.
func (c *sniffedConn) CloseWrite() error { return closeWrite(c.Conn) }

func closeWrite(conn net.Conn) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// onIdle returns what is to be called before a read waits, or nil.
func (c *sniffedConn) onIdle() *func() {
	if c.reader == nil {
		return nil
	}
	return c.reader.idle.Load()
}

// sniff looks for the field's name in the stream, in any case, also where it is
// cut in two.
func (c *sniffedConn) sniff(b []byte) {
	for _, char := range b {
		if char == '\n' {
			c.once = c.once && !c.empty
		}
		c.empty = char == '\n' || char == '\r' && c.empty
		switch lower := char | 0x20; lower { // '-' has that bit already
		case lengthName[c.tail]:
			c.tail++
		case lengthName[0]:
			c.tail = 1
		default:
			c.tail = 0
		}
		if c.tail == len(lengthName) {
			c.ever.Store(true)
			c.twice.Store(c.twice.Load() || c.once)
			c.tail, c.once = 0, true
		}
	}
}

// ambiguousFraming reports whether the connection has to be closed after the
// request because not everybody may agree on where its body ends: HTTP/1.0,
// where net/http ignores Transfer-Encoding, or two Content-Length fields, or a
// chunked body on a connection that has also carried a Content-Length.
func ambiguousFraming(r *http.Request) bool {
	conn := connOf(r)
	switch {
	case r.ProtoMinor == 0:
		return true
	case conn == nil || conn.sniffed == nil:
		return false
	}
	return conn.sniffed.twice.Load() || len(r.TransferEncoding) > 0 && conn.sniffed.ever.Load()
}
