package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// frameSize returns the size of the headers frame of GET /big with one field of
// n bytes.
func frameSize(t *testing.T, n int) int {
	frame, err := proto.AppendRequest(nil, &proto.Request{
		Version: proto.HTTP11, Method: "GET", Scheme: "http", Authority: "test", Path: "/big",
		Fields: []proto.Field{
			{Name: proto.ClientField, Value: "127.0.0.1:40001"}, {Name: "x-big", Value: strings.Repeat("x", n)}, {Name: "x-forwarded-for", Value: "127.0.0.1"}, {Name: "x-forwarded-proto", Value: "http"},
			{Name: "x-forwarded-host", Value: "test"}, {Name: "forwarded", Value: `for=127.0.0.1;host="test";proto=http`},
			{Name: "via", Value: "1.1 upload-response"}, {Name: "x-request-id", Value: strings.Repeat("0", 32)},
		},
	})
	harness.Check(t, err)
	return len(frame)
}

func TestHeadersUpToTheLimitAreServedAndThoseAboveAre431(t *testing.T) {
	s, worker := startBoth(t, func(c *server.Config) { c.HeaderLimit = 32 << 10 })
	fits := 32 << 10
	for frameSize(t, fits) > 32<<10 {
		fits--
	}
	for _, n := range []int{100, fits - 1, fits} {
		c := dial(t, s.Addr)
		c.begin("GET", "/big", "X-Big: "+strings.Repeat("x", n))
		c.want("GET", http.StatusOK)
		c.wantOpen()
	}
	served := len(worker.requests(t, s, "/big"))
	for _, n := range []int{fits + 1, fits + 2000, 60000, 1 << 20} {
		c := dial(t, s.Addr)
		_, _ = fmt.Fprintf(c.conn, "GET /big HTTP/1.1\r\nHost: test\r\nX-Big: %s\r\n\r\n", strings.Repeat("x", n))
		if response := c.response("GET"); response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("%d bytes: %s", n, response.Status)
		}
	}
	if now := len(worker.requests(t, s, "/big")); served != 3 || now != 3 {
		t.Errorf("the worker saw %d requests and then %d, want 3", served, now)
	}
}

func TestTooManyFieldsAre431(t *testing.T) {
	throughEachDoor(t, func(c *server.Config) { c.FieldLimit = 50 }, func(v *visitor) {
		for n, want := range map[int]int{30: http.StatusOK, 51: http.StatusRequestHeaderFieldsTooLarge, 3000: http.StatusRequestHeaderFieldsTooLarge} {
			request := v.request("GET", "/", nil)
			request.Header["A"] = make([]string, n)
			wantStatus(v, v.do(request), want)
		}
	})
}

func TestResponseHeadersThatDoNotFitASlotAreTheWorkersError(t *testing.T) {
	s, _ := startBoth(t, nil)
	wantStatus(t, get(t, s, "/reply-big?n=60000"), http.StatusOK)
	wantStatus(t, get(t, s, "/reply-big?n=70000"), http.StatusBadGateway)
}

func TestABodyOverTheLimitIs413(t *testing.T) {
	s, worker := startBoth(t, func(c *server.Config) { c.BodyLimit = 100000 })
	body := strings.Repeat("x", 100000)
	if got := wantStatus(t, post(t, s, "/upload?id=fits", body), http.StatusOK); got != "100000 bytes" {
		t.Errorf("at the limit: %q", got)
	}

	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=declared", "Content-Length: 100001")
	c.want("POST", http.StatusRequestEntityTooLarge)
	c.wantClosed()
	if got := worker.requests(t, s, "/upload?id=declared"); len(got) != 0 {
		t.Error("the worker saw an upload that says itself that it is too long")
	}

	c = dial(t, s.Addr)
	c.begin("POST", "/upload?id=chunked", "Transfer-Encoding: chunked")
	c.chunk(body)
	worker.awaitSaid(t, ">> POST /upload?id=chunked")
	c.chunk("x") // the server does not wait for more
	c.want("POST", http.StatusRequestEntityTooLarge)
	c.wantClosed()
	worker.awaitSaid(t, "upload chunked: 100000 bytes, worker: request cancelled: request body too large")

	c = dial(t, s.Addr)
	c.begin("POST", "/echo?id=begun", "Transfer-Encoding: chunked")
	c.chunk(body)
	response := c.response("POST")
	c.expect(response.Body, body)
	c.chunk("x")
	c.wantBroken(response)
	c.wantClosed()
}
