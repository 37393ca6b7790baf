package conformance_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// ask sends a request with a script. It returns the response and the request's id.
func (r *rig) ask(t *testing.T, method, script string, body io.Reader) (*http.Response, string) {
	t.Helper()
	request, id := r.request(t, method, script, body)
	response, err := r.client.Do(request)
	harness.Check(t, err)
	return response, id
}

func (r *rig) request(t *testing.T, method, script string, body io.Reader) (*http.Request, string) {
	t.Helper()
	request, err := http.NewRequest(method, r.url+"/", body)
	harness.Check(t, err)
	id := r.id()
	request.Header.Set("X-Id", id)
	request.Header.Set("X-Script", script)
	return request, id
}

// unsized hides the length of a body, which is then sent in chunks.
func unsized(body io.Reader) io.Reader { return struct{ io.Reader }{body} }

// conn is a client with one request, which it carries out a step at a time: the
// bytes of HTTP/1.1, or the calls of a library for the other versions.
type conn interface {
	chunk(b []byte)                        // sends a piece of the body
	finish(trailers ...string)             // ends it
	response(method string) *http.Response // waits for the headers of the response
	Close() error                          // leaves
}

// open sends the head of a request with a script and more fields, one on each line.
// It returns the request's id.
func (r *rig) open(t *testing.T, method, script string, fields ...string) (conn, string) {
	t.Helper()
	id := r.id()
	fields = append(fields, "X-Id: "+id, "X-Script: "+script)
	if r.door != plain {
		return r.talk(t, method, fields), id
	}
	c := r.dial(t)
	c.begin(method, "/", fields...)
	return c, id
}

// upload is open for a POST of which nobody knows the length.
func (r *rig) upload(t *testing.T, script string) (conn, string) {
	t.Helper()
	return r.open(t, "POST", script, "Transfer-Encoding: chunked")
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
