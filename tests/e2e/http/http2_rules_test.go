package http_test

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestRequestsOfHTTP2ThatBreakItsRulesReachNoWorker(t *testing.T) {
	t.Parallel()
	e2etest.ThroughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *e2etest.App, dialed e2etest.Dialer) {
		for name, fields := range map[string][]string{
			"another Host":         rawclient.Fields("GET", "/bad", "host", "other"),
			"two Hosts":            rawclient.Fields("GET", "/bad", "host", "test", "host", "test"),
			"no authority":         {":method", "GET", ":scheme", "http", ":path", "/bad"},
			"two Hosts, no other":  {":method", "GET", ":scheme", "http", ":path", "/bad", "host", "a", "host", "b"},
			"a space in authority": {":method", "GET", ":scheme", "http", ":authority", "a b", ":path", "/bad"},
			"a path in authority":  {":method", "GET", ":scheme", "http", ":authority", "a/b", ":path", "/bad"},
			"a user in authority":  {":method", "GET", ":scheme", "http", ":authority", "me@a", ":path", "/bad"},
			"two authorities": {":method", "GET", ":scheme", "http", ":authority", "a", ":authority", "b",
				":path", "/bad"},
			"no path":              {":method", "GET", ":scheme", "http", ":authority", "test"},
			"a path without slash": rawclient.Fields("GET", "bad"),
			"an absolute path":     rawclient.Fields("GET", "http://other/bad"),
			"a star":               rawclient.Fields("GET", "*"),
			"Connection":           rawclient.Fields("GET", "/bad", "connection", "x-listed"),
			"Transfer-Encoding":    rawclient.Fields("POST", "/bad", "transfer-encoding", "chunked"),
			"Upgrade":              rawclient.Fields("GET", "/bad", "upgrade", "websocket"),
			"Keep-Alive":           rawclient.Fields("GET", "/bad", "keep-alive", "timeout=5"),
			"Proxy-Connection":     rawclient.Fields("GET", "/bad", "proxy-connection", "close"),
			"TE":                   rawclient.Fields("GET", "/bad", "te", "gzip"),
			"upper case":           rawclient.Fields("GET", "/bad", "X-Upper", "1"),
			"a space in a name":    rawclient.Fields("GET", "/bad", "x y", "1"),
			"a line in a value":    rawclient.Fields("GET", "/bad", "x", "1\r\ny: 2"),
			"a NUL in a value":     rawclient.Fields("GET", "/bad", "x", "1\x002"),
			"a late pseudo-field":  append(rawclient.Fields("GET", "/bad", "x", "1"), ":path", "/other"),
			"an unknown one":       rawclient.Fields("GET", "/bad", ":unknown", "1"),
			"a length of minus 1":  rawclient.Fields("POST", "/bad", "content-length", "-1"),
			"two lengths":          rawclient.Fields("POST", "/bad", "content-length", "5", "content-length", "6"),
			"a length and no body": rawclient.Fields("POST", "/bad", "content-length", "5"),
			"a method with spaces": rawclient.Fields("GET /bad", "/bad"),
		} {
			t.Run(name, func(t *testing.T) {
				c := dialed(t)
				harness.Check(t, c.Begin(1, !strings.Contains(name, "lengths"), fields...))
				if status, reset, closed := c.Outcome(1); !closed && reset == 0 && status != "400" {
					t.Errorf("status %s, want 400, a reset, or the end", status)
				}
			})
		}
		if got := worker.Requests(t, s, ""); len(got) != 1 { // the sentinel
			t.Errorf("the worker saw %q", got)
		}
	})
}

func TestAnUploadOverHTTP2OfAnotherLengthThanItSaysNeverLooksComplete(t *testing.T) {
	t.Parallel()
	e2etest.ThroughBothHTTP2(t, func(t *testing.T, _ *harness.Server, worker *e2etest.App, dialed e2etest.Dialer) {
		for id, body := range map[string]string{"short": "12345", "long": strings.Repeat("x", 1001)} {
			c := dialed(t)
			harness.Check(t, c.Begin(1, false, rawclient.Fields("POST", "/upload?id="+id, "content-length", "1000")...))
			worker.AwaitSaid(t, ">> POST /upload?id="+id)
			harness.Check(t, c.Frames.WriteData(1, true, []byte(body)))
			if status, _, _ := c.Outcome(1); status == "200" {
				t.Errorf("%s: status 200", id)
			}
			worker.AwaitSaid(t, "upload "+id+": ")
			if strings.Contains(worker.Output(), "bytes, <nil>") {
				t.Errorf("%s: the worker took it for complete", id)
			}
		}
	})
}

func TestAClientThatResetsRequestsRapidlyLosesItsConnectionAndHarmsNobody(t *testing.T) {
	t.Parallel()
	e2etest.ThroughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *e2etest.App, dialed e2etest.Dialer) {
		c := dialed(t)
		other := rawclient.Dial(t, s.Addr)
		var err error
		// net/http says GOAWAY, and passes over what comes for a second before it closes.
		deadline := time.Now().Add(harness.Patience)
		for id := uint32(1); err == nil && time.Now().Before(deadline); id += 2 {
			if err = c.Begin(id, true, rawclient.Fields("GET", "/wait?id=rapid")...); err == nil {
				err = c.Frames.WriteRSTStream(id, http2.ErrCodeCancel)
			}
		}
		if err == nil {
			t.Error("the server took them all")
		}
		c.WantClosed()
		e2etest.WantOpen(other)
		s.AwaitRest(t)
		if seen := strings.Count(worker.Output(), "waiting rapid"); seen > 2000 {
			t.Errorf("the worker saw %d of the requests", seen)
		}
	})
}

func TestHeadersOverHTTP2ThatNeverEndCostTheConnection(t *testing.T) {
	t.Parallel()
	e2etest.ThroughBothHTTP2(t, func(t *testing.T, s *harness.Server, worker *e2etest.App, dialed e2etest.Dialer) {
		c := dialed(t)
		other := rawclient.Dial(t, s.Addr)
		block := rawclient.Block(rawclient.Fields("GET", "/bad")...)
		harness.Check(t, c.Frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block}))
		var err error
		sent := 0
		piece := rawclient.Block("x-more", strings.Repeat("~", 8000))
		for ; err == nil && sent < 64<<20; sent += len(piece) {
			err = c.Frames.WriteContinuation(1, false, piece)
		}
		if err == nil {
			t.Errorf("the server took %d bytes", sent)
		}
		c.WantClosed()
		e2etest.WantOpen(other)
		if strings.Contains(worker.Output(), "/bad") {
			t.Error("the request reached the worker")
		}
	})
}
