package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// get sends a request without a body.
func get(t testing.TB, s *harness.Server, path string) *http.Response {
	t.Helper()
	response, err := s.Client.Get(s.URL + path)
	harness.Check(t, err)
	return response
}

// post sends a request with a body.
func post(t testing.TB, s *harness.Server, path, body string) *http.Response {
	t.Helper()
	response, err := s.Client.Post(s.URL+path, "application/octet-stream", strings.NewReader(body))
	harness.Check(t, err)
	return response
}

// wantStatus fails the test unless the response has this status, and returns
// its body.
func wantStatus(t testing.TB, response *http.Response, status int) string {
	t.Helper()
	body := harness.ReadAll(t, response.Body)
	if response.StatusCode != status {
		t.Fatalf("%s %q, want status %d", response.Status, body, status)
	}
	return string(body)
}

// wantRetry is wantStatus for 503 with Retry-After.
func wantRetry(t testing.TB, response *http.Response) {
	t.Helper()
	wantStatus(t, response, http.StatusServiceUnavailable)
	if response.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

func decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// raw is a client that says what it is told to, byte for byte.
type raw struct {
	t    testing.TB
	conn *net.TCPConn
	r    *bufio.Reader
}

// dial connects to the server. Every operation is bounded by harness.Patience.
func dial(t testing.TB, addr string) *raw {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	harness.Check(t, conn.SetDeadline(time.Now().Add(harness.Patience)))
	return &raw{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

// send writes the texts as they are.
func (c *raw) send(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		if _, err := io.WriteString(c.conn, text); err != nil {
			c.t.Fatalf("send: %v", err)
		}
	}
}

// begin sends the head of a request with the given fields, one on each line.
func (c *raw) begin(method, path string, fields ...string) {
	c.t.Helper()
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	c.send(head + "\r\n")
}

// chunk sends one chunk of a chunked body, and finish its end.
func (c *raw) chunk(text string) {
	c.t.Helper()
	c.send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
}

func (c *raw) finish() {
	c.t.Helper()
	c.send("0\r\n\r\n")
}

// response reads the head of the response to a request with this method. Its
// body is read off the connection as it comes.
func (c *raw) response(method string) *http.Response {
	c.t.Helper()
	response, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		c.t.Fatalf("response: %v", err)
	}
	return response
}

// statuses returns the statuses of all responses until the server closes the
// connection.
func (c *raw) statuses() (list []int) {
	c.t.Helper()
	for {
		if _, err := c.r.Peek(1); err == io.EOF || err != nil && !isTimeout(err) {
			return list
		}
		response := c.response("POST")
		_, _ = io.Copy(io.Discard, response.Body)
		list = append(list, response.StatusCode)
	}
}

// want reads a whole response, which has to have this status, and returns its
// body.
func (c *raw) want(method string, status int) string {
	c.t.Helper()
	return wantStatus(c.t, c.response(method), status)
}

// expect reads as many bytes from r as text has, which has to be text.
func (c *raw) expect(r io.Reader, text string) {
	c.t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != text {
		c.t.Fatalf("%.200q (%v), want %.200q", got[:n], err, text)
	}
}

// wantClosed waits until the server has closed the connection, and returns what
// came before.
func (c *raw) wantClosed() string {
	c.t.Helper()
	rest, err := io.ReadAll(c.r)
	if isTimeout(err) {
		c.t.Fatalf("the connection is still open; it said %q", rest)
	}
	return string(rest)
}

// wantBroken reads the rest of a response, which must not look complete.
func (c *raw) wantBroken(response *http.Response) {
	c.t.Helper()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil || isTimeout(err) {
		c.t.Fatalf("the response ended after %d bytes with %v, want a broken one", n, err)
	}
}

// wantBrokenOff reads the response to a GET, which must not look complete: it
// breaks off, at its very start if nothing of it was out yet.
func (c *raw) wantBrokenOff() {
	c.t.Helper()
	if response, err := http.ReadResponse(c.r, nil); err == nil {
		c.wantBroken(response)
	} else if isTimeout(err) {
		c.t.Fatal("the connection is still open")
	}
	c.wantClosed()
}

// wantOpen fails the test unless the connection serves another request.
func (c *raw) wantOpen() {
	c.t.Helper()
	c.begin("GET", "/still-open")
	if got := c.want("GET", http.StatusOK); got != "GET /still-open" {
		c.t.Fatalf("the next response on the connection is %q", got)
	}
}

// awaitRead waits until the server's process has read all that was sent: its
// kernel queue is empty (proc(5), /proc/net/tcp).
func (c *raw) awaitRead() {
	c.t.Helper()
	own, server := socketKey(c.conn.LocalAddr()), socketKey(c.conn.RemoteAddr())
	harness.Eventually(c.t, "the server to read what was sent", func() bool {
		return queued(c.t, own, server, 0) == "00000000" && queued(c.t, server, own, 1) == "00000000"
	})
}

// socketKey returns an IPv4 address as /proc/net/tcp spells it.
func socketKey(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	ip := tcp.IP.To4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], tcp.Port)
}

// queued returns how many bytes wait to be sent (which = 0) or to be read
// (which = 1) on the socket between two addresses, in hex; or nothing.
func queued(t testing.TB, local, remote string, which int) string {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	harness.Check(t, err)
	for line := range bytes.Lines(table) {
		if fields := strings.Fields(string(line)); len(fields) > 4 && fields[1] == local && fields[2] == remote {
			return strings.Split(fields[4], ":")[which]
		}
	}
	return ""
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
