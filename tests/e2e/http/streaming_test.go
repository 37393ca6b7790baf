package http_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestAResponseBeginsBeforeTheUploadHasEnded(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for _, framing := range []string{"Content-Length: 200000", "Transfer-Encoding: chunked"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/echo", framing)
		chunked := strings.HasPrefix(framing, "Transfer")
		write := func(text string) { c.Send(text) }
		if chunked {
			write = c.Chunk
		}
		half := strings.Repeat("first half ", 10000)[:100000]
		write(half)
		response := c.Response("POST")
		c.Expect(response.Body, half)
		rest := strings.Repeat("second half ", 10000)[:100000]
		write(rest)
		if chunked {
			c.Finish()
		}
		c.Expect(response.Body, rest)
		if got := harness.ReadAll(t, response.Body); len(got) != 0 {
			t.Errorf("%s: %q after the end", framing, got)
		}
		e2etest.WantOpen(c)
	}
}

func TestEveryFlushedEventReachesTheClientAtOnce(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/events", "Transfer-Encoding: chunked")
	response := c.Response("POST")
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("Content-Type %q", got)
	}
	for _, event := range []string{"data: 1\n\n", "data: 2\n\n", "data: 3\n\n", "data: 4\n\n"} {
		c.Expect(response.Body, event) // the worker sends no other before it has our line
		c.Chunk("more\n")
	}
	c.Expect(response.Body, "data: 5\n\n")
	c.Finish()
	if rest := harness.ReadAll(t, response.Body); len(rest) != 0 {
		t.Errorf("%q after the last event", rest)
	}
	e2etest.WantOpen(c)
}

func TestABodyArrivesWholeByEveryWayToCopyIt(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for _, path := range []string{"/echo", "/copy", "/read-from"} {
		for _, n := range []int{0, 1, 2047, 2048, 2049, 65535, 65536, 65537, 1 << 20} {
			body := e2etest.TestPattern(n).All(n)
			response, err := s.Client.Post(s.URL+path, "application/octet-stream", bytes.NewReader(body))
			harness.Check(t, err)
			if got := harness.ReadAll(t, response.Body); !bytes.Equal(got, body) {
				t.Errorf("%s of %d bytes: %d came back, the same: %v", path, n, len(got), bytes.Equal(got, body))
			}
		}
	}
}

func TestASmallResponseHasALengthAndALargeOneIsChunked(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	small := e2etest.Get(t, s, "/reply?body=hello")
	if got := harness.ReadAll(t, small.Body); string(got) != "hello" || small.ContentLength != 5 {
		t.Errorf("%q, length %d", got, small.ContentLength)
	}
	large := e2etest.Get(t, s, "/reply?length=100000")
	if got := harness.ReadAll(t, large.Body); len(got) != 100000 || large.ContentLength != -1 {
		t.Errorf("%d bytes, length %d", len(got), large.ContentLength)
	}
}

func TestResponsesThatHaveNoBodyAreSentWithoutOne(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for _, test := range []struct {
		method, query string
		status        int
		length        string
	}{
		{"HEAD", "body=hello", 200, "5"},
		{"HEAD", "field=Content-Length:1000", 200, "1000"},
		{"HEAD", "length=100000", 200, ""},
		{"GET", "status=204", 204, ""},
		{"GET", "status=204&field=Content-Length:0", 204, ""},
		{"GET", "status=204&body=hello", 204, ""},
		{"GET", "status=304", 304, ""},
		{"GET", "status=304&body=hello&flush", 304, ""},
		{"GET", "status=304&length=100000", 304, ""},
		{"GET", "status=205", 205, "0"},
		{"GET", "status=205&body=hello", 205, "0"},
		{"GET", "status=205&field=Content-Length:5&body=hello", 205, "0"},
		{"GET", "status=205&length=100000", 205, "0"},
		{"POST", "status=205&length=100000", 205, "0"},
	} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin(test.method, "/reply?"+test.query)
		response := c.Response(test.method)
		if response.StatusCode != test.status || response.Header.Get("Content-Length") != test.length {
			t.Errorf("%s %s: %s, Content-Length %q", test.method, test.query, response.Status,
				response.Header.Get("Content-Length"))
		}
		e2etest.WantOpen(c) // a byte of a body would be taken for the next response
	}
}

func TestTrailersGoBothWays(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for _, test := range []struct{ name, path, body string }{
		{"announced", "/trailers?announce=Got-Sum", "hello"},
		{"not announced", "/trailers", "hello"},
		{"without a body", "/trailers", ""},
		{"after a long body", "/trailers", strings.Repeat("x", 200000)},
		{"behind a middleware that copies the request", "/strip/trailers", "hello"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := rawclient.Dial(t, s.Addr)
			c.Begin("POST", test.path, "Transfer-Encoding: chunked", "Trailer: Sum, Authorization")
			if test.body != "" {
				c.Chunk(test.body)
			}
			c.Send("0\r\nSum: 42\r\nAuthorization: none of that\r\n\r\n")
			response := c.Response("POST")
			if got := harness.ReadAll(t, response.Body); string(got) != test.body {
				t.Errorf("%d bytes came back", len(got))
			}
			if got := response.Trailer; got.Get("Got-Sum") != "42" || len(got) != 1 {
				t.Errorf("trailers %v, want Got-Sum: 42", got)
			}
			e2etest.WantOpen(c)
		})
	}
}

func TestTheWorkersContextEndsWhenTheClientIsGone(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	for _, path := range []string{"/wait?id=before", "/wait?id=after&flush"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", path)
		_, id, _ := strings.Cut(path, "id=")
		id, _, _ = strings.Cut(id, "&")
		worker.AwaitSaid(t, "waiting "+id)
		_ = c.Conn.Close()
		worker.AwaitSaid(t, "wait "+id+": context canceled")
	}
}

func TestAResponseWhoseLengthIsWrongIsBrokenOff(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	for _, query := range []string{
		"field=Content-Length:10&body=123456789", "field=Content-Length:10&body=123456789&flush",
		"field=Content-Length:10&body=12345678901&flush", "field=Content-Length:1000000&length=999999",
		"field=Content-Length:100000&length=1000000",
	} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/reply?"+query)
		c.WantBrokenOff()
	}
	if got := s.Router.Stats().Failed; got != 5 {
		t.Errorf("%d exchanges failed, want 5", got)
	}
}

func TestAPanicIsA500OrABrokenResponse(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/panic"), http.StatusInternalServerError)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/panic?n=1000"), http.StatusInternalServerError)
	e2etest.WantStatus(t, e2etest.Post(t, s, "/panic", "not read"), http.StatusInternalServerError)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/abort"), http.StatusBadGateway)
	for _, path := range []string{"/panic?n=1000&flush", "/panic?n=100000", "/abort?n=1000&flush", "/abort?n=100000"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", path)
		c.WantBrokenOff()
	}
	if got := e2etest.Get(t, s, "/reply?body=alive"); e2etest.WantStatus(t, got, 200) != "alive" {
		t.Error("the worker does not go on")
	}
	if out := worker.Output(); strings.Count(out, "handler panicked") != 5 {
		t.Errorf("the worker's log has not each of the 5 panics once:\n%s", out)
	}
}

func TestAHandlerMayReadAfterItsResponseIsOut(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/early?id=1&n=5&status=200&flush&read=1000000", "Content-Length: 1000")
	response := c.Response("POST")
	c.Expect(response.Body, "\x00\x00\x00\x00\x00")
	c.Send(strings.Repeat("x", 1000))
	_, _ = io.Copy(io.Discard, response.Body)
	worker.AwaitSaid(t, "early 1: 1000 bytes, EOF")
	e2etest.WantOpen(c)
}
