// Package rawclient has clients that send what a test tells them to, byte for byte or frame
// for frame, over HTTP/1.1, HTTP/2 and HTTP/3: requests in pieces, pipelines, half-closed
// connections, requests that break the rules. They read responses with net/http, or by the
// letter of the RFC.
package rawclient

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// HTTP1 is a client of HTTP/1.1 with one connection.
type HTTP1 struct {
	T    testing.TB
	Conn *net.TCPConn
	In   *bufio.Reader
}

// Dial connects to a server in the clear. The connection closes when the test ends. What is
// read or written fails when harness.Patience has passed since Dial, or the last Begin.
func Dial(t testing.TB, addr string) *HTTP1 {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c := &HTTP1{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
	c.renewDeadline()
	return c
}

func (c *HTTP1) renewDeadline() {
	c.T.Helper()
	harness.Check(c.T, c.Conn.SetDeadline(time.Now().Add(harness.Patience)))
}

// Close closes the connection.
func (c *HTTP1) Close() error { return c.Conn.Close() }

// Send writes the texts as they are.
func (c *HTTP1) Send(texts ...string) {
	c.T.Helper()
	for _, text := range texts {
		if _, err := io.WriteString(c.Conn, text); err != nil {
			c.T.Fatalf("send: %v", err)
		}
	}
}

// Begin sends the head of a request with the given fields, one on each line.
func (c *HTTP1) Begin(method, path string, fields ...string) {
	c.T.Helper()
	c.renewDeadline()
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	c.Send(head + "\r\n")
}

// Chunk sends one chunk of a chunked body.
func (c *HTTP1) Chunk(text string) {
	c.T.Helper()
	c.Send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
}

// Finish ends a chunked body, with trailers, one on each line.
func (c *HTTP1) Finish(trailers ...string) {
	c.T.Helper()
	text := "0\r\n"
	for _, line := range trailers {
		text += line + "\r\n"
	}
	c.Send(text + "\r\n")
}

// Drip sends one byte and waits until it has come back.
func (c *HTTP1) Drip(response *http.Response, b byte) {
	c.T.Helper()
	c.Chunk(string([]byte{b}))
	c.Expect(response.Body, string([]byte{b}))
}

// Leave ends the connection in the middle of a request: "closed", "half closed" or "reset".
func (c *HTTP1) Leave(how string) {
	c.T.Helper()
	switch how {
	case "closed":
		_ = c.Conn.Close()
	case "half closed":
		_ = c.Conn.CloseWrite()
		if answers := c.Statuses(); len(answers) > 0 && !slices.Equal(answers, []int{http.StatusBadRequest}) {
			c.T.Errorf("the client got %d, want 400 or nothing: it may be gone", answers)
		}
	case "reset":
		_ = c.Conn.SetLinger(0)
		_ = c.Conn.Close()
	}
}

// IsTimeout reports whether an error says that a deadline has passed.
func IsTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
