package e2e_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// door is a way in for clients: a version of HTTP, in the clear or not.
type door struct {
	name   string
	major  int
	secure bool
}

var doors = []door{{"http1", 1, false}, {"http1-tls", 1, true}, {"h2c", 2, false}, {"http2", 2, true}, {"http3", 3, true}}

// visitor is a client that comes through one door.
type visitor struct {
	door
	*testing.T
	s      *harness.Server
	app    *app
	client *http.Client
	url    string // of the door, without a path
	safe   *harness.Secure

	certificates []tls.Certificate // of the client
}

// throughEachDoor runs f for each door of a server with one app. Its visits are one
// after the other: they may look at the server's counters.
func throughEachDoor(t *testing.T, change func(*server.Config), f func(v *visitor), env ...string) {
	t.Helper()
	s, worker := startBoth(t, change, env...)
	secure := s.Secure(t)
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) { f(newVisitor(t, d, s, worker, secure)) })
	}
}

// throughAllDoors is throughEachDoor for visits that mostly wait: they are at the
// same time.
func throughAllDoors(t *testing.T, change func(*server.Config), f func(v *visitor)) {
	t.Helper()
	s, worker := startBoth(t, change)
	secure := s.Secure(t)
	t.Run("doors", func(t *testing.T) {
		for _, d := range doors {
			t.Run(d.name, func(t *testing.T) {
				t.Parallel()
				f(newVisitor(t, d, s, worker, secure))
			})
		}
	})
}

func newVisitor(t *testing.T, d door, s *harness.Server, worker *app, secure *harness.Secure) *visitor {
	v := &visitor{door: d, T: t, s: s, app: worker, url: s.URL, safe: secure}
	if d.secure {
		v.url = secure.URL
	}
	v.client = v.newClient()
	return v
}

// newVisit returns another client at the same door.
func (v *visitor) newVisit() *visitor { return newVisitor(v.T, v.door, v.s, v.app, v.safe) }

// newClient returns a client with connections of its own.
func (v *visitor) newClient() *http.Client {
	if !v.secure {
		return harness.NewClient(v, v.major, nil)
	}
	return harness.NewClient(v, v.major, &tls.Config{RootCAs: v.safe.Roots, Certificates: v.certificates})
}

// id returns a name for a request that no other door uses.
func (v *visitor) id(name string) string { return v.name + "-" + name }

// request makes a request; body may be nil.
func (v *visitor) request(method, path string, body io.Reader) *http.Request {
	v.Helper()
	r, err := http.NewRequest(method, v.url+path, body)
	harness.Check(v, err)
	return r
}

// do sends a request and returns the response when its headers have come.
func (v *visitor) do(r *http.Request) *http.Response {
	v.Helper()
	response, err := v.client.Do(r)
	if err != nil {
		v.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	v.Cleanup(func() { _ = response.Body.Close() })
	if response.ProtoMajor != v.major {
		v.Fatalf("%s came over %s", v.name, response.Proto)
	}
	return response
}

// get and post are do for the usual requests.
func (v *visitor) get(path string) *http.Response {
	v.Helper()
	return v.do(v.request("GET", path, nil))
}

func (v *visitor) post(path string, body io.Reader) *http.Response {
	v.Helper()
	return v.do(v.request("POST", path, body))
}

// conversation is a request whose body is written, and whose response is read, a
// piece at a time.
type conversation struct {
	v        *visitor
	upload   *io.PipeWriter
	cancel   context.CancelFunc
	response *http.Response
}

// converse begins one; first is sent before the response's headers are awaited.
func (v *visitor) converse(path, first string) *conversation {
	v.Helper()
	body, upload := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	v.Cleanup(cancel)
	c := &conversation{v: v, upload: upload, cancel: cancel}
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(upload, first) })
	c.response = v.do(v.request("POST", path, body).WithContext(ctx))
	writing.Wait()
	return c
}

func (c *conversation) say(text string) {
	c.v.Helper()
	if _, err := io.WriteString(c.upload, text); err != nil {
		c.v.Fatalf("upload: %v", err)
	}
}

// hear reads as many bytes as text has, which have to be text.
func (c *conversation) hear(text string) {
	c.v.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c.response.Body, got); err != nil || string(got) != text {
		c.v.Fatalf("%.200q (%v), want %.200q", got[:n], err, text)
	}
}

// leave breaks off the request.
func (c *conversation) leave() {
	c.cancel()
	_ = c.response.Body.Close()
}

// finish ends the upload and returns the rest of the response.
func (c *conversation) finish() string {
	c.v.Helper()
	_ = c.upload.Close()
	return string(harness.ReadAll(c.v, c.response.Body))
}

// wantSaid waits until the worker has said something of a request of this door.
func (v *visitor) wantSaid(format string, args ...any) {
	v.Helper()
	v.app.awaitSaid(v, fmt.Sprintf(format, args...))
}

// wantBroken reads a response, which must not look complete.
func (v *visitor) wantBroken(response *http.Response) {
	v.Helper()
	if n, err := io.Copy(io.Discard, response.Body); err == nil || isTimeout(err) {
		v.Fatalf("the response ended after %d bytes with %v, want a broken one", n, err)
	}
}

// zeros is a reader without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// bytesOf returns a reader of n bytes that does not tell its length.
func bytesOf(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

// text returns a string of n bytes.
func text(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }

// trailing is a body that calls at when it has been read to its end, for the
// trailers to be filled in.
type trailing struct {
	io.ReadCloser
	at func()
}

func (b *trailing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.at()
	}
	return n, err
}
