package http_test

import (
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// notInTrailers is what a client may not say in trailers: it would change where the
// message ends, where it goes, whose it is, or what it means.
var notInTrailers = []string{
	"content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "upgrade", "host",
	"content-type", "content-encoding", "content-range", "authorization", "proxy-authorization", "cookie",
	"cache-control", "expect", "max-forwards", "via", "forwarded", "x-forwarded-for",
	"x_forwarded_for", "x-request-id", "client-cert",
}

// wantTrailers fails the test unless the worker saw this trailer and no other. The
// app answers with those that it saw.
func wantTrailers(t *testing.T, got http.Header, value string) {
	t.Helper()
	if len(got) != 1 || got.Get("Got-X-Sum") != value {
		t.Errorf("the worker saw the trailers %v, want X-Sum: %s", got, value)
	}
}

func TestWhatAClientMayNotSayInTrailersIsDropped(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	for _, announced := range []bool{false, true} {
		c := rawclient.Dial(t, s.Addr)
		fields := []string{"Transfer-Encoding: chunked"}
		if announced {
			// net/http refuses these
			allowed := strings.NewReplacer("content-length, ", "", "transfer-encoding, ", "", "trailer, ", "")
			fields = append(fields, "Trailer: "+allowed.Replace(strings.Join(notInTrailers, ", "))+", x-sum")
		}
		c.Begin("POST", "/trailers", fields...)
		c.Chunk("body")
		c.Send("0\r\n")
		for _, name := range notInTrailers {
			c.Send(name + ": 5\r\n")
		}
		c.Send("x-sum: 42\r\n\r\n")
		response := c.Response("POST")
		if body := e2etest.WantStatus(t, response, http.StatusOK); body != "body" {
			t.Errorf("%q came back", body)
		}
		wantTrailers(t, response.Trailer, "42")
	}
	if got := worker.Requests(t, s, "/trailers"); len(got) != 2 {
		t.Errorf("the worker saw %q", got)
	}
}

// Over HTTP/2 they do: net/http keeps the others to itself.
func TestTrailersOfHTTP3NeedNotBeAnnounced(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.DialHTTP3(t, s.Secure(t))
	stream := c.Begin(rawclient.Fields("POST", "/trailers")...)
	_, err := stream.Write(append(rawclient.Frame(0, []byte("body")),
		rawclient.Head("x-sum", "42", "x-forwarded-for", "6.6.6.6")...))
	harness.Check(t, err)
	_ = stream.Close()
	wantTrailers(t, c.Trailers(stream), "42")
}

// What has a meaning for the frame layer is an error there.
func TestFramingFieldsInTrailersOfHTTP2ResetTheStream(t *testing.T) {
	t.Parallel()
	e2etest.ThroughBothHTTP2(t, func(t *testing.T, _ *harness.Server, worker *e2etest.App, dialed e2etest.Dialer) {
		for _, name := range []string{"content-length", "transfer-encoding", "connection", ":path"} {
			c := dialed(t)
			harness.Check(t, c.Begin(1, false, rawclient.Fields("POST", "/upload?id="+name, "trailer", "x-sum")...))
			worker.AwaitSaid(t, ">> POST /upload?id="+name)
			harness.Check(t, c.Frames.WriteData(1, false, []byte("body")))
			harness.Check(t, c.Begin(1, true, "x-sum", "42", name, "5"))
			if status, reset, closed := c.Outcome(1); !closed && reset != http2.ErrCodeProtocol &&
				!strings.HasPrefix(status, "4") {
				t.Errorf("%s: status %q, reset %v", name, status, reset)
			}
			worker.AwaitSaid(t, "upload "+name+": 4 bytes, worker: request cancelled")
		}
	})
}

func TestFramingFieldsInTrailersOfHTTP3NeverLookComplete(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	secure := s.Secure(t)
	for _, name := range []string{"content-length", "transfer-encoding", ":path"} {
		c := rawclient.DialHTTP3(t, secure)
		stream := c.Begin(rawclient.Fields("POST", "/upload?id="+name, "trailer", "x-sum")...)
		worker.AwaitSaid(t, ">> POST /upload?id="+name)
		_, err := stream.Write(append(rawclient.Frame(0, []byte("body")), rawclient.Head("x-sum", "42", name, "5")...))
		harness.Check(t, err)
		_ = stream.Close()
		if status, err := c.Outcome(stream); err == nil && !strings.HasPrefix(status, "4") {
			t.Errorf("%s: status %q", name, status)
		}
		worker.AwaitSaid(t, "upload "+name+": 4 bytes, worker: request cancelled")
	}
}
