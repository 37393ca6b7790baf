package http_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestRequestsOfHTTP3ThatBreakItsRulesReachNoWorker(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	secure := s.Secure(t)
	for name, fields := range map[string][]string{
		"another Host":         rawclient.Fields("GET", "/bad", "host", "other"),
		"two Hosts":            rawclient.Fields("GET", "/bad", "host", "test", "host", "test"),
		"no authority":         {":method", "GET", ":scheme", "https", ":path", "/bad"},
		"a space in authority": {":method", "GET", ":scheme", "https", ":authority", "a b", ":path", "/bad"},
		"a path in authority":  {":method", "GET", ":scheme", "https", ":authority", "a/b", ":path", "/bad"},
		"a user in authority":  {":method", "GET", ":scheme", "https", ":authority", "me@a", ":path", "/bad"},
		"two authorities": {":method", "GET", ":scheme", "https", ":authority", "a", ":authority", "b",
			":path", "/bad"},
		"no path":              {":method", "GET", ":scheme", "https", ":authority", "test"},
		"a path without slash": rawclient.Fields("GET", "bad"),
		"an absolute path":     rawclient.Fields("GET", "http://other/bad"),
		"a star":               rawclient.Fields("GET", "*"),
		"Connection":           rawclient.Fields("GET", "/bad", "connection", "x-listed"),
		"Transfer-Encoding":    rawclient.Fields("POST", "/bad", "transfer-encoding", "chunked"),
		"Upgrade":              rawclient.Fields("GET", "/bad", "upgrade", "websocket"),
		"TE":                   rawclient.Fields("GET", "/bad", "te", "gzip"),
		"upper case":           rawclient.Fields("GET", "/bad", "X-Upper", "1"),
		"a space in a name":    rawclient.Fields("GET", "/bad", "x y", "1"),
		"a space in a method":  rawclient.Fields("GET /x", "/bad"),
		"a line in a value":    rawclient.Fields("GET", "/bad", "x", "1\r\ny: 2"),
		"a late pseudo-field":  append(rawclient.Fields("GET", "/bad", "x", "1"), ":path", "/other"),
		"a length of minus 1":  rawclient.Fields("POST", "/bad", "content-length", "-1"),
		"two lengths":          rawclient.Fields("POST", "/bad", "content-length", "5", "content-length", "6"),
	} {
		t.Run(name, func(t *testing.T) {
			c := rawclient.DialHTTP3(t, secure)
			stream := c.Begin(fields...)
			_ = stream.Close()
			if status, err := c.Outcome(stream); err == nil && status != "400" {
				t.Errorf("status %s, want 400, a reset, or the end", status)
			}
		})
	}
	if got := worker.Requests(t, s, ""); len(got) != 1 { // the sentinel
		t.Errorf("the worker saw %q", got)
	}
}

// RFC 9114 section 4.3.1 has either of them; where both are, they are the same.
func TestARequestOfHTTP3MayNameItsHostInsteadOfAnAuthority(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.DialHTTP3(t, s.Secure(t))
	stream := c.Begin(":method", "GET", ":scheme", "https", ":path", "/hello", "host", "test")
	_ = stream.Close()
	if status, err := c.Outcome(stream); err != nil || status != "200" {
		t.Errorf("status %s, want 200 (%v)", status, err)
	}
}

func TestAnUploadOverHTTP3OfAnotherLengthThanItSaysNeverLooksComplete(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	secure := s.Secure(t)
	for id, body := range map[string]string{"short": "12345", "long": strings.Repeat("x", 1001), "none": ""} {
		c := rawclient.DialHTTP3(t, secure)
		stream := c.Begin(rawclient.Fields("POST", "/upload?id="+id, "content-length", "1000")...)
		worker.AwaitSaid(t, ">> POST /upload?id="+id)
		if body != "" {
			_, err := stream.Write(rawclient.Frame(0, []byte(body)))
			harness.Check(t, err)
		}
		_ = stream.Close()
		if status, _ := c.Outcome(stream); status == "200" {
			t.Errorf("%s: status 200", id)
		}
		worker.AwaitSaid(t, "upload "+id+": ")
		if strings.Contains(worker.Output(), "bytes, <nil>") {
			t.Errorf("%s: the worker took it for complete", id)
		}
	}
}

// The stream ends in the middle of a frame, and no Content-Length tells.
func TestAnUploadOverHTTP3WithATornFrameNeverLooksComplete(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.DialHTTP3(t, s.Secure(t))
	stream := c.Begin(rawclient.Fields("POST", "/upload?id=torn")...)
	worker.AwaitSaid(t, ">> POST /upload?id=torn")
	_, err := stream.Write(rawclient.Frame(0, []byte("12345"))[:5])
	harness.Check(t, err)
	_ = stream.Close()
	if status, _ := c.Outcome(stream); status == "200" {
		t.Error("status 200")
	}
	worker.AwaitSaid(t, "upload torn: 3 bytes, worker: request cancelled: client gone")
}

func TestAClientOfHTTP3ThatResetsRequestsRapidlyLosesItsConnectionAndHarmsNobody(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	secure := s.Secure(t)
	c := rawclient.DialHTTP3(t, secure)
	other := rawclient.Dial(t, s.Addr)
	sent := 0
	for ; sent < 20000 && c.Conn.Context().Err() == nil; sent++ {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		stream, err := c.Conn.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		_, _ = stream.Write(rawclient.Head(rawclient.Fields("GET", "/wait?id=rapid")...))
		_ = stream.Close() // and not a reset, which would take the headers back
		stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
	harness.Eventually(t, "the connection to close", func() bool { return c.Conn.Context().Err() != nil })
	var closed *quic.ApplicationError
	if cause := context.Cause(c.Conn.Context()); !errors.As(cause, &closed) ||
		closed.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Errorf("after %d requests: %v", sent, cause)
	}
	e2etest.WantOpen(other)
	s.AwaitRest(t)
	if seen := strings.Count(worker.Output(), "waiting rapid"); seen > 2000 {
		t.Errorf("the worker saw %d of the requests", seen)
	}
}

func TestAConnectionOfHTTP3WithoutARequestIsClosed(t *testing.T) {
	t.Parallel()
	limits := server.DefaultLimits()
	limits.HeaderTime = 2 * time.Second // a handshake has to end within it, on a busy machine, too
	s := harness.StartLimited(t, limits, nil)
	e2etest.StartApp(t, s)
	c := rawclient.DialHTTP3(t, s.Secure(t))
	stream := c.Open()
	_, err := stream.Write([]byte{1}) // of the headers, and no more
	harness.Check(t, err)
	harness.Eventually(t, "the connection to close", func() bool { return c.Conn.Context().Err() != nil })
	e2etest.WantStatus(t, e2etest.Get(t, s, "/after"), 200)
}
