package faults_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// wire is an HTTP/1.1 client over a bare connection. It reads responses to the
// letter: what net/http would forgive is an error here.
type wire struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

// dial connects. The connection lives no longer than the test, and no exchange on
// it takes longer than harness.Patience.
func dial(t testing.TB, s *harness.Server) *wire {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return &wire{t: t, conn: conn, in: bufio.NewReader(conn)}
}

// send sends a request head without a body, or with what follows of it.
func (w *wire) send(method, target string, headers ...string) {
	w.t.Helper()
	harness.Check(w.t, w.conn.SetDeadline(time.Now().Add(harness.Patience)))
	w.write(method + " " + target + " HTTP/1.1\r\nHost: faults.test\r\n" + strings.Join(append(headers, "", ""), "\r\n"))
}

func (w *wire) write(s string) {
	w.t.Helper()
	_, err := io.WriteString(w.conn, s)
	harness.Check(w.t, err)
}

// chunk sends a piece of a chunked body.
func (w *wire) chunk(s string) {
	w.t.Helper()
	w.write(fmt.Sprintf("%x\r\n%s\r\n", len(s), s))
}

// reply is a response, as it came.
type reply struct {
	status int
	header map[string]string // by lower-case name
	body   string
}

// errBroken is returned when the connection ended within a response.
var errBroken = errors.New("the response broke off")

// receive reads the response to a request of the given method. Of a response
// that breaks off it returns what came, and errBroken.
func (w *wire) receive(method string) (r reply, err error) {
	if r, err = w.head(); err != nil {
		return r, err
	}
	if method == "HEAD" || r.status == 204 || r.status == 304 {
		return r, nil
	}
	if length, ok := r.header["content-length"]; ok {
		n, err := strconv.Atoi(length)
		if err != nil {
			return r, fmt.Errorf("content-length %q", length)
		}
		return r, w.body(&r, n)
	}
	if r.header["transfer-encoding"] == "chunked" {
		return r, w.chunks(&r)
	}
	return r, errors.New("a body without a length")
}

// head reads the status line and the fields.
func (w *wire) head() (r reply, err error) {
	line, err := w.line()
	if err != nil {
		return r, err
	}
	if n, err := fmt.Sscanf(line, "HTTP/1.1 %3d ", &r.status); n != 1 || err != nil {
		return r, fmt.Errorf("status line %q", line)
	}
	r.header = map[string]string{}
	for {
		line, err := w.line()
		if err != nil || line == "" {
			return r, err
		}
		name, value, ok := strings.Cut(line, ": ")
		name = strings.ToLower(name)
		if _, twice := r.header[name]; !ok || twice || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz-") != "" {
			return r, fmt.Errorf("header line %q", line)
		}
		r.header[name] = value
	}
}

// line reads a line that ends in CR LF and has no other control character.
func (w *wire) line() (string, error) {
	raw, err := w.in.ReadString('\n')
	if err != nil {
		return raw, broken(err)
	}
	line, ok := strings.CutSuffix(raw, "\r\n")
	if !ok || strings.ContainsFunc(line, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return line, fmt.Errorf("line %q", raw)
	}
	return line, nil
}

func (w *wire) body(r *reply, n int) error {
	b := make([]byte, n)
	got, err := io.ReadFull(w.in, b)
	r.body += string(b[:got])
	return broken(err)
}

func (w *wire) chunks(r *reply) error {
	for {
		line, err := w.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(line, 16, 31)
		if err != nil {
			return fmt.Errorf("chunk size %q", line)
		}
		if err := w.body(r, int(n)); err != nil {
			return err
		}
		if line, err := w.line(); err != nil || line != "" {
			return broken(err)
		}
		if n == 0 {
			return nil
		}
	}
}

// broken makes errBroken of what ends a connection.
func broken(err error) error {
	var timeout net.Error
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return err
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// want reads a response and fails the test unless it is whole and has the status.
func (w *wire) want(method string, status int) reply {
	w.t.Helper()
	r, err := w.receive(method)
	if err != nil {
		w.t.Fatalf("want status %d, got %+v: %v", status, r, err)
	}
	if r.status != status {
		w.t.Fatalf("want status %d, got %+v", status, r)
	}
	return r
}

// wantBroken reads a response and fails the test unless it breaks off, after it
// began with the status if it began at all. It returns the bytes of body that
// came.
func (w *wire) wantBroken(method string, status int) string {
	w.t.Helper()
	r, err := w.receive(method)
	if !errors.Is(err, errBroken) || r.status != status && r.status != 0 {
		w.t.Fatalf("want a response with status %d that breaks off, got %+v: %v", status, r, err)
	}
	return r.body
}

// wantClosed fails the test unless the server closes the connection now, without
// another byte.
func (w *wire) wantClosed() {
	w.t.Helper()
	if rest, err := io.ReadAll(w.in); len(rest) > 0 || err != nil && !errors.Is(broken(err), errBroken) {
		w.t.Fatalf("want the end of the connection, got %q: %v", rest, err)
	}
}
