package rawclient

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// HTTP1 is a client that says what it is told to, byte for byte.
type HTTP1 struct {
	T    testing.TB
	Conn *net.TCPConn
	In   *bufio.Reader
}

// Dial connects to the server. Every operation is bounded by harness.Patience.
func Dial(t testing.TB, addr string) *HTTP1 {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	harness.Check(t, conn.SetDeadline(time.Now().Add(harness.Patience)))
	return &HTTP1{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

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
	head := method + " " + path + " HTTP/1.1\r\nHost: test\r\n"
	for _, field := range fields {
		head += field + "\r\n"
	}
	c.Send(head + "\r\n")
}

// Chunk sends one chunk of a chunked body, and finish its end.
func (c *HTTP1) Chunk(text string) {
	c.T.Helper()
	c.Send(fmt.Sprintf("%x\r\n%s\r\n", len(text), text))
}

func (c *HTTP1) Finish() {
	c.T.Helper()
	c.Send("0\r\n\r\n")
}

// Response reads the head of the response to a request with this method. Its
// body is read off the connection as it comes.
func (c *HTTP1) Response(method string) *http.Response {
	c.T.Helper()
	response, err := http.ReadResponse(c.In, &http.Request{Method: method})
	if err != nil {
		c.T.Fatalf("response: %v", err)
	}
	return response
}

// Statuses returns the statuses of all responses until the server closes the
// connection.
func (c *HTTP1) Statuses() (list []int) {
	c.T.Helper()
	for {
		if _, err := c.In.Peek(1); err == io.EOF || err != nil && !IsTimeout(err) {
			return list
		}
		response := c.Response("POST")
		_, _ = io.Copy(io.Discard, response.Body)
		list = append(list, response.StatusCode)
	}
}

// Want reads a whole response, which has to have this status, and returns its
// body.
func (c *HTTP1) Want(method string, status int) string {
	c.T.Helper()
	response := c.Response(method)
	body := harness.ReadAll(c.T, response.Body)
	if response.StatusCode != status {
		c.T.Fatalf("%s %q, want status %d", response.Status, body, status)
	}
	return string(body)
}

// Expect reads as many bytes from r as text has, which has to be text.
func (c *HTTP1) Expect(r io.Reader, text string) {
	c.T.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != text {
		c.T.Fatalf("%.200q (%v), want %.200q", got[:n], err, text)
	}
}

// WantClosed waits until the server has closed the connection, and returns what
// came before.
func (c *HTTP1) WantClosed() string {
	c.T.Helper()
	rest, err := io.ReadAll(c.In)
	if IsTimeout(err) {
		c.T.Fatalf("the connection is still open; it said %q", rest)
	}
	return string(rest)
}

// WantBroken reads the rest of a response, which must not look complete.
func (c *HTTP1) WantBroken(response *http.Response) {
	c.T.Helper()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil || IsTimeout(err) {
		c.T.Fatalf("the response ended after %d bytes with %v, want a broken one", n, err)
	}
}

// WantBrokenOff reads the response to a GET, which must not look complete: it
// breaks off, at its very start if nothing of it was out yet.
func (c *HTTP1) WantBrokenOff() {
	c.T.Helper()
	if response, err := http.ReadResponse(c.In, nil); err == nil {
		c.WantBroken(response)
	} else if IsTimeout(err) {
		c.T.Fatal("the connection is still open")
	}
	c.WantClosed()
}

// AwaitRead waits until the server's process has read all that was sent: its
// kernel queue is empty (proc(5), /proc/net/tcp).
func (c *HTTP1) AwaitRead() {
	c.T.Helper()
	own, server := SocketKey(c.Conn.LocalAddr()), SocketKey(c.Conn.RemoteAddr())
	harness.Eventually(c.T, "the server to read what was sent", func() bool {
		return Queued(c.T, own, server, 0) == "00000000" && Queued(c.T, server, own, 1) == "00000000"
	})
}

// AwaitStalled waits until no more of what the server sends reaches us.
func (c *HTTP1) AwaitStalled() {
	c.T.Helper()
	own, server, before := SocketKey(c.Conn.LocalAddr()), SocketKey(c.Conn.RemoteAddr()), ""
	harness.Eventually(c.T, "the server to fill the connection", func() bool {
		now := Queued(c.T, server, own, 0) + Queued(c.T, own, server, 1)
		stalled := now == before && now != "" && !strings.HasPrefix(now, "00000000")
		before = now
		return stalled
	})
}

// Drip sends one byte and waits until it has come back.
func (c *HTTP1) Drip(response *http.Response, b byte) {
	c.T.Helper()
	c.Chunk(string([]byte{b}))
	c.Expect(response.Body, string([]byte{b}))
}

// Want100 reads the interim response.
func (c *HTTP1) Want100() {
	c.T.Helper()
	line, err := c.In.ReadString('\n')
	empty, err2 := c.In.ReadString('\n')
	if err != nil || err2 != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") || empty != "\r\n" {
		c.T.Fatalf("%q, %q (%v, %v), want 100 Continue", line, empty, err, err2)
	}
}

// WantHeard reads the rest of a response, which has to be text.
func (c *HTTP1) WantHeard(t *testing.T, response *http.Response, text string) {
	t.Helper()
	if got := harness.ReadAll(t, response.Body); string(got) != text {
		t.Errorf("%.100q came, want %.100q", got, text)
	}
}

// Leave ends the connection in the middle of a request.
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

// SocketKey returns an IPv4 address as /proc/net/tcp spells it.
func SocketKey(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	ip := tcp.IP.To4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], tcp.Port)
}

// Queued returns how many bytes wait to be sent (which = 0) or to be read
// (which = 1) on the socket between two addresses, in hex; or nothing.
func Queued(t testing.TB, local, remote string, which int) string {
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

func IsTimeout(err error) bool {
	ne, ok := err.(net.Error)
	return ok && ne.Timeout()
}
