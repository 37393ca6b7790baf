package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// notInTrailers is what a client may not say in trailers: it would change where the
// message ends, where it goes, whose it is, or what it means.
var notInTrailers = []string{
	"content-length", "transfer-encoding", "trailer", "te", "connection", "keep-alive", "upgrade", "host", "content-type", "content-encoding",
	"content-range", "authorization", "proxy-authorization", "cookie", "cache-control", "expect", "max-forwards", "via", "forwarded", "x-forwarded-for",
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
	s, worker := startBoth(t, nil)
	for _, announced := range []bool{false, true} {
		c := dial(t, s.Addr)
		fields := []string{"Transfer-Encoding: chunked"}
		if announced {
			allowed := strings.NewReplacer("content-length, ", "", "transfer-encoding, ", "", "trailer, ", "") // net/http refuses these
			fields = append(fields, "Trailer: "+allowed.Replace(strings.Join(notInTrailers, ", "))+", x-sum")
		}
		c.begin("POST", "/trailers", fields...)
		c.chunk("body")
		c.send("0\r\n")
		for _, name := range notInTrailers {
			c.send(name + ": 5\r\n")
		}
		c.send("x-sum: 42\r\n\r\n")
		response := c.response("POST")
		if body := wantStatus(t, response, http.StatusOK); body != "body" {
			t.Errorf("%q came back", body)
		}
		wantTrailers(t, response.Trailer, "42")
	}
	if got := worker.requests(t, s, "/trailers"); len(got) != 2 {
		t.Errorf("the worker saw %q", got)
	}
}

// Over HTTP/2 they do: net/http keeps the others to itself.
func TestTrailersOfHTTP3NeedNotBeAnnounced(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dialHTTP3(t, s.Secure(t))
	stream := c.begin(target("POST", "/trailers")...)
	_, err := stream.Write(append(frame(0, []byte("body")), head("x-sum", "42", "x-forwarded-for", "6.6.6.6")...))
	harness.Check(t, err)
	_ = stream.Close()
	wantTrailers(t, c.trailers(stream), "42")
}

// trailers reads the response to its end, and returns what follows its body.
func (c *rawHTTP3) trailers(stream *quic.Stream) http.Header {
	c.t.Helper()
	all, err := io.ReadAll(stream)
	harness.Check(c.t, err)
	trailers := http.Header{}
	for len(all) > 0 {
		kind, n, err := quicvarint.Parse(all)
		harness.Check(c.t, err)
		size, m, err := quicvarint.Parse(all[n:])
		harness.Check(c.t, err)
		payload := all[n+m : n+m+int(size)]
		all = all[n+m+int(size):]
		if kind != 1 || len(all) > 0 {
			continue
		}
		for next := qpack.NewDecoder().Decode(payload); ; {
			f, err := next()
			if err == io.EOF {
				break
			}
			harness.Check(c.t, err)
			trailers.Add(f.Name, f.Value)
		}
	}
	return trailers
}

// What has a meaning for the frame layer is an error there.
func TestFramingFieldsInTrailersOfHTTP2ResetTheStream(t *testing.T) {
	throughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *app, dialed func(t *testing.T) *rawHTTP2) {
		for _, name := range []string{"content-length", "transfer-encoding", "connection", ":path"} {
			c := dialed(t)
			harness.Check(t, c.begin(1, false, target("POST", "/upload?id="+name, "trailer", "x-sum")...))
			worker.awaitSaid(t, ">> POST /upload?id="+name)
			harness.Check(t, c.frames.WriteData(1, false, []byte("body")))
			harness.Check(t, c.begin(1, true, "x-sum", "42", name, "5"))
			if status, reset, closed := c.outcome(1); !closed && reset != http2.ErrCodeProtocol && !strings.HasPrefix(status, "4") {
				t.Errorf("%s: status %q, reset %v", name, status, reset)
			}
			worker.awaitSaid(t, "upload "+name+": 4 bytes, worker: request cancelled")
		}
	})
}

func TestFramingFieldsInTrailersOfHTTP3NeverLookComplete(t *testing.T) {
	s, worker := startBoth(t, nil)
	secure := s.Secure(t)
	for _, name := range []string{"content-length", "transfer-encoding", ":path"} {
		c := dialHTTP3(t, secure)
		stream := c.begin(target("POST", "/upload?id="+name, "trailer", "x-sum")...)
		worker.awaitSaid(t, ">> POST /upload?id="+name)
		_, err := stream.Write(append(frame(0, []byte("body")), head("x-sum", "42", name, "5")...))
		harness.Check(t, err)
		_ = stream.Close()
		if status, err := c.outcome(stream); err == nil && !strings.HasPrefix(status, "4") {
			t.Errorf("%s: status %q", name, status)
		}
		worker.awaitSaid(t, "upload "+name+": 4 bytes, worker: request cancelled")
	}
}
