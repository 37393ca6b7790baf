package conformance_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// ask sends a request with a script. It returns the response and the request's id.
func (r *rig) ask(t *testing.T, method, script string, body io.Reader) (*http.Response, string) {
	t.Helper()
	request, id := r.request(t, method, script, body)
	response, err := r.server.Client.Do(request)
	harness.Check(t, err)
	return response, id
}

func (r *rig) request(t *testing.T, method, script string, body io.Reader) (*http.Request, string) {
	t.Helper()
	request, err := http.NewRequest(method, r.server.URL+"/", body)
	harness.Check(t, err)
	id := r.id()
	request.Header.Set("X-Id", id)
	request.Header.Set("X-Script", script)
	return request, id
}

// unsized hides the length of a body, which is then sent in chunks.
func unsized(body io.Reader) io.Reader { return struct{ io.Reader }{body} }

// conn is a client that says what it is told to, byte for byte.
type conn struct {
	t testing.TB
	net.Conn
	r *bufio.Reader
}

// dial connects to the server. Every operation is bounded by harness.Patience.
func (r *rig) dial(t *testing.T) *conn {
	t.Helper()
	c, err := net.Dial("tcp", r.server.Addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = c.Close() })
	harness.Check(t, c.SetDeadline(time.Now().Add(harness.Patience)))
	return &conn{t, c, bufio.NewReader(c)}
}

// open connects and sends the head of a request with a script and more fields, one
// on each line. It returns the request's id.
func (r *rig) open(t *testing.T, method, script string, fields ...string) (*conn, string) {
	t.Helper()
	c, id := r.dial(t), r.id()
	c.begin(method, "/", append(fields, "X-Id: "+id, "X-Script: "+script)...)
	return c, id
}

// upload is open for a POST in chunks.
func (r *rig) upload(t *testing.T, script string) (*conn, string) {
	t.Helper()
	return r.open(t, "POST", script, "Transfer-Encoding: chunked")
}

func (c *conn) begin(method, path string, fields ...string) {
	c.t.Helper()
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	c.send(head + "\r\n")
}

func (c *conn) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// chunk sends one chunk of a body, and finish its end with trailer lines.
func (c *conn) chunk(b []byte) {
	c.t.Helper()
	c.send(fmt.Sprintf("%x\r\n%s\r\n", len(b), b))
}

func (c *conn) finish(trailers ...string) {
	c.t.Helper()
	text := "0\r\n"
	for _, line := range trailers {
		text += line + "\r\n"
	}
	c.send(text + "\r\n")
}

// response reads the head of the response to a request with this method.
func (c *conn) response(method string) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	return response
}

// wantStatus fails the test unless a response has this status.
func wantStatus(t testing.TB, response *http.Response, status int) {
	t.Helper()
	if response.StatusCode != status {
		t.Fatalf("%s, want %d", response.Status, status)
	}
}

// wantNext reads as many bytes of a body as b has, which have to be b.
func wantNext(t testing.TB, body io.Reader, b []byte) {
	t.Helper()
	got := make([]byte, len(b))
	if n, err := io.ReadFull(body, got); err != nil || string(got) != string(b) {
		t.Fatalf("%.50q (%v), want %.50q", got[:n], err, b)
	}
}

// wantBroken reads the rest of a response, which must not look complete.
func wantBroken(t testing.TB, response *http.Response) {
	t.Helper()
	n, err := io.Copy(io.Discard, response.Body)
	if timeout, ok := err.(net.Error); err == nil || ok && timeout.Timeout() {
		t.Fatalf("the response ended after %d bytes with %v, want a broken one", n, err)
	}
}
