package e2e_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// rawHTTP2 is a client of HTTP/2 that says what it is told to, frame for frame.
type rawHTTP2 struct {
	t      testing.TB
	conn   net.Conn
	frames *http2.Framer
}

// dialHTTP2 connects in the clear; or over TLS, with a configuration.
func dialHTTP2(t testing.TB, addr string, secure *tls.Config) *rawHTTP2 {
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
	c := &rawHTTP2{t, conn, http2.NewFramer(conn, conn)}
	c.frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	harness.Check(t, c.frames.WriteSettings())
	return c
}

// throughBothHTTP2 runs f for both doors of HTTP/2.
func throughBothHTTP2(t *testing.T, f func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2)) {
	t.Helper()
	for _, d := range doors {
		if d.major != 2 {
			continue
		}
		t.Run(d.name, func(t *testing.T) {
			s, worker := startBoth(t, nil)
			addr, config := s.Addr, (*tls.Config)(nil)
			if d.secure {
				e := s.Secure(t)
				addr, config = e.Addr, &tls.Config{RootCAs: e.Roots, ServerName: "127.0.0.1", NextProtos: []string{"h2"}}
			}
			f(t, s, worker, func(t *testing.T) *rawHTTP2 { return dialHTTP2(t, addr, config) })
		})
	}
}

// block encodes fields, which are names and values in turn.
func block(fields ...string) []byte {
	var b bytes.Buffer
	encoder := hpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into a buffer
	}
	return b.Bytes()
}

// target returns the fields of a usual request, and more.
func target(method, path string, more ...string) []string {
	return append([]string{":method", method, ":scheme", "http", ":authority", "test", ":path", path}, more...)
}

// begin sends a request's headers.
func (c *rawHTTP2) begin(id uint32, end bool, fields ...string) error {
	return c.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(fields...), EndHeaders: true, EndStream: end})
}

// outcome reads until something is final for a stream: its status, the code of its
// reset, or the end of the connection.
func (c *rawHTTP2) outcome(id uint32) (status string, reset http2.ErrCode, closed bool) {
	c.t.Helper()
	for {
		frame, err := c.frames.ReadFrame()
		var stream http2.StreamError
		switch {
		case errors.As(err, &stream):
			continue
		case isTimeout(err):
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

// wantClosed waits for the end of the connection.
func (c *rawHTTP2) wantClosed() {
	c.t.Helper()
	for {
		if _, err := c.frames.ReadFrame(); err != nil && !errors.As(err, new(http2.StreamError)) {
			if isTimeout(err) {
				c.t.Fatal("the connection is still open")
			}
			return
		}
	}
}

func TestRequestsOfHTTP2ThatBreakItsRulesReachNoWorker(t *testing.T) {
	throughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2) {
		for name, fields := range map[string][]string{
			"another Host":         target("GET", "/bad", "host", "other"),
			"two Hosts":            target("GET", "/bad", "host", "test", "host", "test"),
			"no authority":         {":method", "GET", ":scheme", "http", ":path", "/bad"},
			"two Hosts, no other":  {":method", "GET", ":scheme", "http", ":path", "/bad", "host", "a", "host", "b"},
			"a space in authority": {":method", "GET", ":scheme", "http", ":authority", "a b", ":path", "/bad"},
			"a path in authority":  {":method", "GET", ":scheme", "http", ":authority", "a/b", ":path", "/bad"},
			"a user in authority":  {":method", "GET", ":scheme", "http", ":authority", "me@a", ":path", "/bad"},
			"two authorities":      {":method", "GET", ":scheme", "http", ":authority", "a", ":authority", "b", ":path", "/bad"},
			"no path":              {":method", "GET", ":scheme", "http", ":authority", "test"},
			"a path without slash": target("GET", "bad"),
			"an absolute path":     target("GET", "http://other/bad"),
			"a star":               target("GET", "*"),
			"Connection":           target("GET", "/bad", "connection", "x-listed"),
			"Transfer-Encoding":    target("POST", "/bad", "transfer-encoding", "chunked"),
			"Upgrade":              target("GET", "/bad", "upgrade", "websocket"),
			"Keep-Alive":           target("GET", "/bad", "keep-alive", "timeout=5"),
			"Proxy-Connection":     target("GET", "/bad", "proxy-connection", "close"),
			"TE":                   target("GET", "/bad", "te", "gzip"),
			"upper case":           target("GET", "/bad", "X-Upper", "1"),
			"a space in a name":    target("GET", "/bad", "x y", "1"),
			"a line in a value":    target("GET", "/bad", "x", "1\r\ny: 2"),
			"a NUL in a value":     target("GET", "/bad", "x", "1\x002"),
			"a late pseudo-field":  append(target("GET", "/bad", "x", "1"), ":path", "/other"),
			"an unknown one":       target("GET", "/bad", ":unknown", "1"),
			"a length of minus 1":  target("POST", "/bad", "content-length", "-1"),
			"two lengths":          target("POST", "/bad", "content-length", "5", "content-length", "6"),
			"a length and no body": target("POST", "/bad", "content-length", "5"),
			"a method with spaces": target("GET /bad", "/bad"),
		} {
			t.Run(name, func(t *testing.T) {
				c := dialed(t)
				harness.Check(t, c.begin(1, !strings.Contains(name, "lengths"), fields...))
				if status, reset, closed := c.outcome(1); !closed && reset == 0 && status != "400" {
					t.Errorf("status %s, want 400, a reset, or the end", status)
				}
			})
		}
		if got := worker.requests(t, s, ""); len(got) != 1 { // the sentinel
			t.Errorf("the worker saw %q", got)
		}
	})
}

func TestAnUploadOverHTTP2OfAnotherLengthThanItSaysNeverLooksComplete(t *testing.T) {
	throughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2) {
		for id, body := range map[string]string{"short": "12345", "long": strings.Repeat("x", 1001)} {
			c := dialed(t)
			harness.Check(t, c.begin(1, false, target("POST", "/upload?id="+id, "content-length", "1000")...))
			worker.awaitSaid(t, ">> POST /upload?id="+id)
			harness.Check(t, c.frames.WriteData(1, true, []byte(body)))
			if status, _, _ := c.outcome(1); status == "200" {
				t.Errorf("%s: status 200", id)
			}
			worker.awaitSaid(t, "upload "+id+": ")
			if strings.Contains(worker.Output(), "bytes, <nil>") {
				t.Errorf("%s: the worker took it for complete", id)
			}
		}
	})
}

func TestAClientThatResetsRequestsRapidlyLosesItsConnectionAndHarmsNobody(t *testing.T) {
	throughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2) {
		c := dialed(t)
		other := dial(t, s.Addr)
		var err error
		// net/http says GOAWAY, and passes over what comes for a second before it closes.
		deadline := time.Now().Add(harness.Patience)
		for id := uint32(1); err == nil && time.Now().Before(deadline); id += 2 {
			if err = c.begin(id, true, target("GET", "/wait?id=rapid")...); err == nil {
				err = c.frames.WriteRSTStream(id, http2.ErrCodeCancel)
			}
		}
		if err == nil {
			t.Error("the server took them all")
		}
		c.wantClosed()
		other.wantOpen()
		s.AwaitRest(t)
		if seen := strings.Count(worker.Output(), "waiting rapid"); seen > 2000 {
			t.Errorf("the worker saw %d of the requests", seen)
		}
	})
}

func TestHeadersOverHTTP2ThatNeverEndCostTheConnection(t *testing.T) {
	throughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2) {
		c := dialed(t)
		other := dial(t, s.Addr)
		harness.Check(t, c.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block(target("GET", "/bad")...)}))
		var err error
		sent := 0
		for piece := block("x-more", strings.Repeat("~", 8000)); err == nil && sent < 64<<20; sent += len(piece) {
			err = c.frames.WriteContinuation(1, false, piece)
		}
		if err == nil {
			t.Errorf("the server took %d bytes", sent)
		}
		c.wantClosed()
		other.wantOpen()
		if strings.Contains(worker.Output(), "/bad") {
			t.Error("the request reached the worker")
		}
	})
}
