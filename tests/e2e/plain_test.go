package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// Plain requests are served before net/http sees them, and others after them by it:
// on the same connection, and nobody can tell.
func TestAConnectionGoesOnWithARequestThatIsNotPlain(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	for range 3 {
		c.begin("GET", "/order/1")
		c.want("GET", http.StatusOK)
	}
	c.begin("POST", "/echo", "Content-Length: 5")
	c.send("12345")
	if body := c.want("POST", http.StatusOK); body != "12345" {
		t.Errorf("%q came back", body)
	}
	c.begin("GET", "/order/2")
	c.want("GET", http.StatusOK)
	c.wantOpen()
	if got := worker.requests(t, s, "/order"); len(got) != 4 {
		t.Errorf("the worker saw %q", got)
	}
}

func TestPipelinedRequestsOfAllKindsAreAnsweredInTheirOrder(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\nHEAD /b HTTP/1.1\r\nHost: x\r\n\r\nPOST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nxGET /d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\nGET /e HTTP/1.1\r\n\r\n")
	for _, want := range []string{"GET /a", "", "POST /c", "GET /d"} {
		method, _, _ := strings.Cut(want+"HEAD", " ")
		if want == "" {
			method = "HEAD"
		}
		if got := c.want(method, http.StatusOK); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	c.wantClosed()
}

func TestAHeadThatComesInPiecesIsServed(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	for _, piece := range []string{"G", "ET /pie", "ces HTTP/1.1\r\nHo", "st: x\r\n\r", "\n"} {
		c.send(piece)
		c.awaitRead()
	}
	if got := c.want("GET", http.StatusOK); got != "GET /pieces" {
		t.Errorf("%q", got)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	limits := server.DefaultLimits()
	limits.IdleTime, limits.HeaderTime = 300*time.Millisecond, 300*time.Millisecond
	s := harness.StartLimited(t, limits, nil)
	startApp(t, s)
	fresh, used, other := dial(t, s.Addr), dial(t, s.Addr), dial(t, s.Addr)
	used.begin("GET", "/")
	used.want("GET", http.StatusOK)
	other.begin("POST", "/", "Content-Length: 0")
	other.want("POST", http.StatusOK)
	for _, c := range []*raw{fresh, used, other} {
		c.wantClosed()
	}
}

func TestAPlainRequestWhoseClientLeavesIsCancelled(t *testing.T) {
	s, worker := startBoth(t, nil)
	together(t, []string{"closed", "half closed", "reset"}, func(t *testing.T, how string) {
		id := strings.ReplaceAll(how, " ", "-")
		c := dial(t, s.Addr)
		c.begin("GET", "/wait?id="+id)
		worker.awaitSaid(t, "waiting "+id)
		c.leave(how)
		worker.awaitSaid(t, "wait "+id+": context canceled")
	})
	s.AwaitRest(t)
}
