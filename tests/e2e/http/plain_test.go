package http_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// Plain requests are served before net/http sees them, and others after them by it:
// on the same connection, and nobody can tell.
func TestAConnectionGoesOnWithARequestThatIsNotPlain(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	for range 3 {
		c.Begin("GET", "/order/1")
		c.Want("GET", http.StatusOK)
	}
	c.Begin("POST", "/echo", "Content-Length: 5")
	c.Send("12345")
	if body := c.Want("POST", http.StatusOK); body != "12345" {
		t.Errorf("%q came back", body)
	}
	c.Begin("GET", "/order/2")
	c.Want("GET", http.StatusOK)
	e2etest.WantOpen(c)
	if got := worker.Requests(t, s, "/order"); len(got) != 4 {
		t.Errorf("the worker saw %q", got)
	}
}

func TestPipelinedRequestsOfAllKindsAreAnsweredInTheirOrder(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n" +
		"HEAD /b HTTP/1.1\r\nHost: x\r\n\r\n" +
		"POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx" +
		"GET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" +
		"GET /e HTTP/1.1\r\n\r\n")
	for _, want := range []string{"GET /a", "", "POST /c", "GET /d"} {
		method, _, _ := strings.Cut(want+"HEAD", " ")
		if want == "" {
			method = "HEAD"
		}
		if got := c.Want(method, http.StatusOK); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c.WantClosed()
}

func TestAHeadThatComesInPiecesIsServed(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	for _, piece := range []string{"G", "ET /pie", "ces HTTP/1.1\r\nHo", "st: x\r\n\r", "\n"} {
		c.Send(piece)
		c.AwaitRead()
	}
	if got := c.Want("GET", http.StatusOK); got != "GET /pieces" {
		t.Errorf("%q", got)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	limits := server.DefaultLimits()
	limits.IdleTime, limits.HeaderTime = 300*time.Millisecond, 300*time.Millisecond
	s := harness.StartLimited(t, limits, nil)
	e2etest.StartApp(t, s)
	fresh, used, other := rawclient.Dial(t, s.Addr), rawclient.Dial(t, s.Addr), rawclient.Dial(t, s.Addr)
	used.Begin("GET", "/")
	used.Want("GET", http.StatusOK)
	other.Begin("POST", "/", "Content-Length: 0")
	other.Want("POST", http.StatusOK)
	for _, c := range []*rawclient.HTTP1{fresh, used, other} {
		c.WantClosed()
	}
}

func TestAPlainRequestWhoseClientLeavesIsCancelled(t *testing.T) {
	t.Parallel()
	s, worker := e2etest.StartBoth(t, nil)
	e2etest.Together(t, []string{"closed", "half closed", "reset"}, func(t *testing.T, how string) {
		id := strings.ReplaceAll(how, " ", "-")
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/wait?id="+id)
		worker.AwaitSaid(t, "waiting "+id)
		c.Leave(how)
		worker.AwaitSaid(t, "wait "+id+": context canceled")
	})
	s.AwaitRest(t)
}
