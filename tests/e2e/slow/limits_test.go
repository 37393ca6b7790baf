package slow_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// frameSize returns the size of the headers frame of GET /big with one field of
// n bytes.
func frameSize(t *testing.T, n int) int {
	frame, err := proto.AppendRequest(nil, &proto.Request{
		Version: proto.HTTP11, Method: "GET", Scheme: "http", Authority: "test", Path: "/big",
		Fields: []proto.Field{
			{Name: proto.ClientField, Value: "127.0.0.1:40001"}, {Name: "x-big", Value: strings.Repeat("x", n)},
			{Name: "x-forwarded-for", Value: "127.0.0.1"}, {Name: "x-forwarded-proto", Value: "http"},
			{Name: "x-forwarded-host", Value: "test"},
			{Name: "forwarded", Value: `for=127.0.0.1;host="test";proto=http`},
			{Name: "via", Value: "1.1 upload-response"}, {Name: "x-request-id", Value: strings.Repeat("0", 32)},
		},
	})
	harness.Check(t, err)
	return len(frame)
}

func TestHeadersUpToTheLimitAreServedAndThoseAboveAre431(t *testing.T) {
	s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.HeaderLimit = 32 << 10 })
	fits := 32 << 10
	for frameSize(t, fits) > 32<<10 {
		fits--
	}
	for _, n := range []int{100, fits - 1, fits} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/big", "X-Big: "+strings.Repeat("x", n))
		c.Want("GET", http.StatusOK)
		e2etest.WantOpen(c)
	}
	served := len(worker.Requests(t, s, "/big"))
	for _, n := range []int{fits + 1, fits + 2000, 60000, 1 << 20} {
		c := rawclient.Dial(t, s.Addr)
		_, _ = fmt.Fprintf(c.Conn, "GET /big HTTP/1.1\r\nHost: test\r\nX-Big: %s\r\n\r\n", strings.Repeat("x", n))
		if response := c.Response("GET"); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%d bytes: %s", n, response.Status)
		}
	}
	if now := len(worker.Requests(t, s, "/big")); served != 3 || now != 3 {
		t.Errorf("the worker saw %d requests and then %d, want 3", served, now)
	}
}

func TestTooManyFieldsAre431(t *testing.T) {
	e2etest.ThroughEachDoor(t, func(c *server.Config) { c.FieldLimit = 50 }, func(v *e2etest.Visitor) {
		for n, want := range map[int]int{
			30: http.StatusOK, 51: http.StatusRequestHeaderFieldsTooLarge, 3000: http.StatusRequestHeaderFieldsTooLarge,
		} {
			request := v.Request("GET", "/", nil)
			request.Header["A"] = make([]string, n)
			e2etest.WantStatus(v, v.Do(request), want)
		}
	})
}

func TestResponseHeadersThatDoNotFitASlotAreTheWorkersError(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/reply-big?n=60000"), http.StatusOK)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/reply-big?n=70000"), http.StatusBadGateway)
}

func TestABodyOverTheLimitIs413(t *testing.T) {
	s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.BodyLimit = 100000 })
	body := strings.Repeat("x", 100000)
	if got := e2etest.WantStatus(t, e2etest.Post(t, s, "/upload?id=fits", body), http.StatusOK); got != "100000 bytes" {
		t.Errorf("at the limit: %q", got)
	}

	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=declared", "Content-Length: 100001")
	c.Want("POST", http.StatusRequestEntityTooLarge)
	c.WantClosed()
	if got := worker.Requests(t, s, "/upload?id=declared"); len(got) != 0 {
		t.Error("the worker saw an upload that says itself that it is too long")
	}

	c = rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=chunked", "Transfer-Encoding: chunked")
	c.Chunk(body)
	worker.AwaitSaid(t, ">> POST /upload?id=chunked")
	c.Chunk("x") // the server does not wait for more
	c.Want("POST", http.StatusRequestEntityTooLarge)
	c.WantClosed()
	worker.AwaitSaid(t, "upload chunked: 100000 bytes, worker: request cancelled: request body too large")

	c = rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo?id=begun", "Transfer-Encoding: chunked")
	c.Chunk(body)
	response := c.Response("POST")
	c.Expect(response.Body, body)
	c.Chunk("x")
	c.WantBroken(response)
	c.WantClosed()
}
