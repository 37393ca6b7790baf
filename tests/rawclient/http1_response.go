package rawclient

import (
	"io"
	"net/http"
	"strings"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// Response reads the head of the response to a request with this method. The body is read
// from the connection as it comes.
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

// Want100 reads a 100 Continue.
func (c *HTTP1) Want100() {
	c.T.Helper()
	line, err := c.In.ReadString('\n')
	empty, err2 := c.In.ReadString('\n')
	if err != nil || err2 != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") || empty != "\r\n" {
		c.T.Fatalf("%q, %q (%v, %v), want 100 Continue", line, empty, err, err2)
	}
}

// WantHeard reads the rest of a response, which has to be text.
func (c *HTTP1) WantHeard(response *http.Response, text string) {
	c.T.Helper()
	if got := harness.ReadAll(c.T, response.Body); string(got) != text {
		c.T.Errorf("%.100q came, want %.100q", got, text)
	}
}
