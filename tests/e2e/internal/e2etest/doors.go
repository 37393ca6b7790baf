package e2etest

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
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// Door is a way in for clients: a version of HTTP, in the clear or not.
type Door struct {
	Label  string
	Major  int
	Secure bool
}

// Doors are all of them.
var Doors = []Door{
	{"http1", 1, false}, {"http1-tls", 1, true}, {"h2c", 2, false}, {"http2", 2, true}, {"http3", 3, true},
}

// Visitor is a client that comes through one door.
type Visitor struct {
	Door
	*testing.T
	Server *harness.Server
	App    *App
	Client *http.Client
	url    string // of the door, without a path
	TLS    *harness.Secure

	Certificates []tls.Certificate // of the client
}

// ThroughEachDoor runs f for each door of a server with one app. Its visits are one
// after the other: they may look at the server's counters.
func ThroughEachDoor(t *testing.T, change func(*server.Config), f func(v *Visitor), env ...string) {
	t.Helper()
	s, worker := StartBoth(t, change, env...)
	secure := s.Secure(t)
	for _, d := range Doors {
		t.Run(d.Label, func(t *testing.T) { f(NewVisitor(t, d, s, worker, secure)) })
	}
}

// ThroughAllDoors is throughEachDoor for visits that mostly wait: they are at the
// same time.
func ThroughAllDoors(t *testing.T, change func(*server.Config), f func(v *Visitor)) {
	t.Helper()
	s, worker := StartBoth(t, change)
	secure := s.Secure(t)
	t.Run("doors", func(t *testing.T) {
		for _, d := range Doors {
			t.Run(d.Label, func(t *testing.T) {
				t.Parallel()
				f(NewVisitor(t, d, s, worker, secure))
			})
		}
	})
}

// NewVisitor returns a client for a door of a server.
func NewVisitor(t *testing.T, d Door, s *harness.Server, worker *App, secure *harness.Secure) *Visitor {
	v := &Visitor{Door: d, T: t, Server: s, App: worker, url: s.URL, TLS: secure}
	if d.Secure {
		v.url = secure.URL
	}
	v.Client = v.NewClient()
	return v
}

// NewVisit returns another client at the same door.
func (v *Visitor) NewVisit() *Visitor { return NewVisitor(v.T, v.Door, v.Server, v.App, v.TLS) }

// NewClient returns a client with connections of its own.
func (v *Visitor) NewClient() *http.Client {
	if !v.Secure {
		return harness.NewClient(v, v.Major, nil)
	}
	return harness.NewClient(v, v.Major, &tls.Config{RootCAs: v.TLS.Roots, Certificates: v.Certificates})
}

// ID returns a name for a request that no other door uses.
func (v *Visitor) ID(name string) string { return v.Label + "-" + name }

// Request makes a request; body may be nil.
func (v *Visitor) Request(method, path string, body io.Reader) *http.Request {
	v.Helper()
	r, err := http.NewRequest(method, v.url+path, body)
	harness.Check(v, err)
	return r
}

// Do sends a request and returns the response when its headers have come.
func (v *Visitor) Do(r *http.Request) *http.Response {
	v.Helper()
	response, err := v.Client.Do(r)
	if err != nil {
		v.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	v.Cleanup(func() { _ = response.Body.Close() })
	if response.ProtoMajor != v.Major {
		v.Fatalf("%s came over %s", v.Label, response.Proto)
	}
	return response
}

// Get sends a request without a body.
func (v *Visitor) Get(path string) *http.Response {
	v.Helper()
	return v.Do(v.Request("GET", path, nil))
}

// Post sends a request with a body.
func (v *Visitor) Post(path string, body io.Reader) *http.Response {
	v.Helper()
	return v.Do(v.Request("POST", path, body))
}

// Conversation is a request whose body is written, and whose response is read, a
// piece at a time.
type Conversation struct {
	Visitor  *Visitor
	Upload   *io.PipeWriter
	Cancel   context.CancelFunc
	Response *http.Response
}

// Converse begins one; first is sent before the response's headers are awaited.
func (v *Visitor) Converse(path, first string) *Conversation {
	v.Helper()
	body, upload := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	v.Cleanup(cancel)
	c := &Conversation{Visitor: v, Upload: upload, Cancel: cancel}
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(upload, first) })
	c.Response = v.Do(v.Request("POST", path, body).WithContext(ctx))
	writing.Wait()
	return c
}

// Say sends more of the body.
func (c *Conversation) Say(text string) {
	c.Visitor.Helper()
	if _, err := io.WriteString(c.Upload, text); err != nil {
		c.Visitor.Fatalf("upload: %v", err)
	}
}

// Hear reads as many bytes as text has, which have to be text.
func (c *Conversation) Hear(text string) {
	c.Visitor.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(c.Response.Body, got); err != nil || string(got) != text {
		c.Visitor.Fatalf("%.200q (%v), want %.200q", got[:n], err, text)
	}
}

// Leave breaks off the request.
func (c *Conversation) Leave() {
	c.Cancel()
	_ = c.Response.Body.Close()
}

// Finish ends the upload and returns the rest of the response.
func (c *Conversation) Finish() string {
	c.Visitor.Helper()
	_ = c.Upload.Close()
	return string(harness.ReadAll(c.Visitor, c.Response.Body))
}

// WantSaid waits until the worker has said something of a request of this door.
func (v *Visitor) WantSaid(format string, args ...any) {
	v.Helper()
	v.App.AwaitSaid(v, fmt.Sprintf(format, args...))
}

// WantBroken reads a response, which must not look complete.
func (v *Visitor) WantBroken(response *http.Response) {
	v.Helper()
	if n, err := io.Copy(io.Discard, response.Body); err == nil || rawclient.IsTimeout(err) {
		v.Fatalf("the response ended after %d bytes with %v, want a broken one", n, err)
	}
}

// zeros is a reader without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// BytesOf returns a reader of n bytes that does not tell its length.
func BytesOf(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

// Text returns a string of n bytes.
func Text(n int) string { return strings.Repeat("0123456789abcdef", n/16+1)[:n] }

// Trailing is a body that calls at when it has been read to its end, for the
// trailers to be filled in.
type Trailing struct {
	io.ReadCloser
	AtEnd func()
}

// Read reads from the body.
func (b *Trailing) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.AtEnd()
	}
	return n, err
}

// Dialer opens a connection of HTTP/2.
type Dialer func(t *testing.T) *rawclient.HTTP2

// ThroughBothHTTP2 runs f for both doors of HTTP/2.
func ThroughBothHTTP2(t *testing.T, f func(t *testing.T, s *harness.Server, worker *App, dialed Dialer)) {
	t.Helper()
	for _, d := range Doors {
		if d.Major != 2 {
			continue
		}
		t.Run(d.Label, func(t *testing.T) {
			s, worker := StartBoth(t, nil)
			addr, config := s.Addr, (*tls.Config)(nil)
			if d.Secure {
				e := s.Secure(t)
				addr, config = e.Addr, &tls.Config{
					RootCAs: e.Roots, ServerName: "127.0.0.1", NextProtos: []string{"h2"},
				}
			}
			f(t, s, worker, func(t *testing.T) *rawclient.HTTP2 { return rawclient.DialHTTP2(t, addr, config) })
		})
	}
}

// Accept is a request that takes a coding.
func (v *Visitor) Accept(coding, method, path string, body io.Reader) *http.Request {
	v.Helper()
	request := v.Request(method, path, body)
	request.Header.Set("Accept-Encoding", coding)
	return request
}
