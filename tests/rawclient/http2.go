package rawclient

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// HTTP2 is a client of HTTP/2 that says what it is told to, frame for frame.
type HTTP2 struct {
	t      testing.TB
	conn   net.Conn
	Frames *http2.Framer
}

// DialHTTP2 connects in the clear; or over TLS, with a configuration.
func DialHTTP2(t testing.TB, addr string, secure *tls.Config) *HTTP2 {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	harness.Check(t, conn.SetDeadline(time.Now().Add(harness.Patience)))
	if secure != nil {
		conn = tls.Client(conn, secure)
	}
	_, err = io.WriteString(conn, http2.ClientPreface)
	harness.Check(t, err)
	c := &HTTP2{t, conn, http2.NewFramer(conn, conn)}
	c.Frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	harness.Check(t, c.Frames.WriteSettings())
	return c
}

// TakeLittle has the kernel keep little of what the client does not read, and no more after a
// while.
func (c *HTTP2) TakeLittle() {
	c.t.Helper()
	socket := c.conn
	if secure, ok := socket.(*tls.Conn); ok {
		socket = secure.NetConn()
	}
	harness.Check(c.t, socket.(*net.TCPConn).SetReadBuffer(littleBytes))
}

// littleBytes is the read buffer of a client that takes little.
const littleBytes = 4 << 10

// Begin sends a request's headers.
func (c *HTTP2) Begin(id uint32, end bool, fields ...string) error {
	return c.Frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: id, BlockFragment: Block(fields...), EndHeaders: true, EndStream: end,
	})
}

// Outcome reads until something is final for a stream: its status, the code of its
// reset, or the end of the connection.
func (c *HTTP2) Outcome(id uint32) (status string, reset http2.ErrCode, closed bool) {
	c.t.Helper()
	for {
		frame, err := c.Frames.ReadFrame()
		var stream http2.StreamError
		switch {
		case errors.As(err, &stream):
			continue
		case IsTimeout(err):
			c.t.Fatal("the server says nothing")
		case err != nil:
			return "", 0, true
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID == id && frame.PseudoValue("status") != "100" {
				return frame.PseudoValue("status"), 0, false
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == id {
				return "", frame.ErrCode, false
			}
		}
	}
}

// WantClosed waits for the end of the connection.
func (c *HTTP2) WantClosed() {
	c.t.Helper()
	for {
		if _, err := c.Frames.ReadFrame(); err != nil && !errors.As(err, new(http2.StreamError)) {
			if IsTimeout(err) {
				c.t.Fatal("the connection is still open")
			}
			return
		}
	}
}

// Block encodes fields, which are names and values in turn.
func Block(fields ...string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into a buffer
	}
	return b.Bytes()
}

// Fields returns the fields of a usual request, and more.
func Fields(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":authority", "test", ":path", path}, more...)
}
