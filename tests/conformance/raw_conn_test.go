package conformance_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// rawConn is a conn of HTTP/1.1, byte for byte.
type rawConn struct {
	*rawclient.HTTP1
	sized bool // the body has a length, and no chunks
}

// dialRaw is open for what no library sends.
func (r *rig) dialRaw(t *testing.T, method, script string, fields ...string) (*rawConn, string) {
	t.Helper()
	c, id := r.dial(t), r.id()
	c.begin(method, "/", append(fields, "X-Id: "+id, "X-Script: "+script)...)
	return c, id
}

// dial connects to the server.
func (r *rig) dial(t *testing.T) *rawConn {
	t.Helper()
	return &rawConn{HTTP1: rawclient.Dial(t, r.server.Addr)}
}

func (c *rawConn) begin(method, path string, fields ...string) {
	c.T.Helper()
	for _, field := range fields {
		c.sized = c.sized || strings.HasPrefix(field, "Content-Length:")
	}
	c.Begin(method, path, fields...)
}

func (c *rawConn) chunk(b []byte) {
	c.T.Helper()
	if c.sized {
		c.Send(string(b))
		return
	}
	c.Chunk(string(b))
}

func (c *rawConn) finish(trailers ...string)             { c.Finish(trailers...) }
func (c *rawConn) response(method string) *http.Response { return c.Response(method) }
