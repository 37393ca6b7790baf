package rawclient

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
)

// The methods of this file read responses by the letter of RFC 9112: what net/http would
// forgive is an error here.

// Reply is a response, as it came.
type Reply struct {
	Status int
	Header map[string]string // by lower-case name
	Body   string
}

// ErrBroken is returned when the connection ended within a response.
var ErrBroken = errors.New("the response broke off")

// Receive reads the response to a request of the given method. Of a response
// that breaks off it returns what came, and ErrBroken.
func (c *HTTP1) Receive(method string) (r Reply, err error) {
	if r, err = c.ReplyHead(); err != nil {
		return r, err
	}
	if method == "HEAD" || r.Status == 204 || r.Status == 304 {
		return r, nil
	}
	if length, ok := r.Header["content-length"]; ok {
		n, err := strconv.Atoi(length)
		if err != nil {
			return r, fmt.Errorf("content-length %q", length)
		}
		return r, c.body(&r, n)
	}
	if r.Header["transfer-encoding"] == "chunked" {
		return r, c.ReplyChunks(&r)
	}
	return r, errors.New("a body without a length")
}

// ReplyHead reads the status line and the fields.
func (c *HTTP1) ReplyHead() (r Reply, err error) {
	line, err := c.line()
	if err != nil {
		return r, err
	}
	if n, err := fmt.Sscanf(line, "HTTP/1.1 %3d ", &r.Status); n != 1 || err != nil {
		return r, fmt.Errorf("status line %q", line)
	}
	r.Header = map[string]string{}
	for {
		line, err := c.line()
		if err != nil || line == "" {
			return r, err
		}
		name, value, ok := strings.Cut(line, ": ")
		name = strings.ToLower(name)
		if _, twice := r.Header[name]; !ok || twice || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			return r, fmt.Errorf("header line %q", line)
		}
		r.Header[name] = value
	}
}

// line reads a line that ends in CR LF and has no other control character.
func (c *HTTP1) line() (string, error) {
	raw, err := c.In.ReadString('\n')
	if err != nil {
		return raw, broken(err)
	}
	line, ok := strings.CutSuffix(raw, "\r\n")
	if !ok || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return line, fmt.Errorf("line %q", raw)
	}
	return line, nil
}

func (c *HTTP1) body(r *Reply, n int) error {
	b := make([]byte, n)
	got, err := io.ReadFull(c.In, b)
	r.Body += string(b[:got])
	return broken(err)
}

// ReplyChunks reads a chunked body into r, up to its end.
func (c *HTTP1) ReplyChunks(r *Reply) error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		if err := c.body(r, int(n)); err != nil {
			return err
		}
		if line, err := c.line(); err != nil || line != "" {
			return broken(err)
		}
		if n == 0 {
			return nil
		}
	}
}

// broken makes ErrBroken of what ends a connection.
func broken(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", ErrBroken, err)
}

// WantReply reads a response and fails the test unless it is whole and has the status.
func (c *HTTP1) WantReply(method string, status int) Reply {
	c.T.Helper()
	r, err := c.Receive(method)
	if err != nil {
		c.T.Fatalf("want status %d, got %+v: %v", status, r, err)
	}
	if r.Status != status {
		c.T.Fatalf("want status %d, got %+v", status, r)
	}
	return r
}

// WantBrokenReply reads a response and fails the test unless it breaks off, after it
// began with the status if it began at all. It returns the bytes of body that
// came.
func (c *HTTP1) WantBrokenReply(method string, status int) string {
	c.T.Helper()
	r, err := c.Receive(method)
	if !errors.Is(err, ErrBroken) || r.Status != status && r.Status != 0 {
		c.T.Fatalf("want a response with status %d that breaks off, got %+v: %v", status, r, err)
	}
	return r.Body
}

// WantEnd fails the test unless the server closes the connection now, without
// another byte.
func (c *HTTP1) WantEnd() {
	c.T.Helper()
	if rest, err := io.ReadAll(c.In); len(rest) > 0 || err != nil && !errors.Is(broken(err), ErrBroken) {
		c.T.Fatalf("want the end of the connection, got %q: %v", rest, err)
	}
}
