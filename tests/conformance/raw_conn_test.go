package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// rawConn is a client that says what it is told to, byte for byte.
type rawConn struct {
	t testing.TB
	net.Conn
	r     *bufio.Reader
	sized bool // the body has a length, and no chunks
}

// dialRaw is open for what no library says.
func (r *rig) dialRaw(t *testing.T, method, script string, fields ...string) (*rawConn, string) {
	t.Helper()
	c, id := r.dial(t), r.id()
	c.begin(method, "/", append(fields, "X-Id: "+id, "X-Script: "+script)...)
	return c, id
}

// dial connects to the server. Every operation is bounded by harness.Patience.
func (r *rig) dial(t *testing.T) *rawConn {
	t.Helper()
	c, err := net.Dial("tcp", r.server.Addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	harness.Check(t, c.SetDeadline(time.Now().Add(harness.Patience)))
	return &rawConn{t: t, Conn: c, r: bufio.NewReader(c)}
}

func (c *rawConn) begin(method, path string, fields ...string) {
	c.t.Helper()
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range fields {
		c.sized = c.sized || strings.HasPrefix(field, "Content-Length:")
		head += field + "\r\n"
	}
	c.send(head + "\r\n")
}

func (c *rawConn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// chunk sends one chunk of a body, and finish its end with trailer lines.
func (c *rawConn) chunk(b []byte) {
	c.t.Helper()
	if c.sized {
		c.send(string(b))
		return
	}
	c.send(fmt.Sprintf("%x\r\n%s\r\n", len(b), b))
}

func (c *rawConn) finish(trailers ...string) {
	c.t.Helper()
	text := "0\r\n"
	for _, line := range trailers {
		text += line + "\r\n"
	}
	c.send(text + "\r\n")
}

// response reads the head of the response to a request with this method.
func (c *rawConn) response(method string) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	return response
}
