package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// held is a request that a worker has and that ends when the client ends its
// upload.
type held struct {
	*raw
	response *http.Response
}

// startHold sends a request to /hold and waits until a worker has it.
func startHold(t testing.TB, s *harness.Server) *held {
	t.Helper()
	c := dial(t, s.Addr)
	c.begin("POST", "/hold", "Transfer-Encoding: chunked")
	return &held{c, c.response("POST")}
}

// wantEnd reads the response to its end. Call finish first.
func (h *held) wantEnd() {
	h.t.Helper()
	if got := string(harness.ReadAll(h.t, h.response.Body)); !strings.HasPrefix(got, "held ") || !strings.HasSuffix(got, ", <nil>") {
		h.t.Fatalf("the held request ended with %q", got)
	}
}

// awaitWaiting waits until so many requests are in the queue.
func awaitWaiting(t *testing.T, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d requests to wait", n), func() bool { return s.Router.Stats().Waiting == n })
}

func TestWithoutAWorkerARequestIs503(t *testing.T) {
	s := harness.Start(t, nil)
	wantRetry(t, get(t, s, "/"))
	wantRetry(t, post(t, s, "/", "hello"))
	worker := startApp(t, s)
	wantStatus(t, get(t, s, "/"), http.StatusOK)
	worker.Kill()
	harness.Eventually(t, "the link to go", func() bool { return s.Router.Stats().Links == 0 })
	wantRetry(t, get(t, s, "/"))
}

func TestARequestWaitsForAWorkerThatIsSupposedToComeBack(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) { c.Supervised = []string{"default"} })
	c := dial(t, s.Addr)
	c.begin("GET", "/patient")
	awaitWaiting(t, s, 1)
	startApp(t, s)
	if got := c.want("GET", http.StatusOK); got != "GET /patient" {
		t.Errorf("%q", got)
	}
}

func TestARequestThatWaitedTooLongForAWorkerIs503(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		c.Supervised, c.QueueTime = []string{"default"}, 100*time.Millisecond
	})
	wantRetry(t, get(t, s, "/"))
}

func TestWhenAllWorkersAreBusyRequestsWaitUpToTheLimitAndThenAre503(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) { c.StallTime, c.QueueLength = 0, 2 }, lanesVariable+"=1")
	busy := startHold(t, s)
	var waiting []*raw
	for range 2 {
		c := dial(t, s.Addr)
		c.begin("GET", "/waiting")
		waiting = append(waiting, c)
		awaitWaiting(t, s, int64(len(waiting)))
	}
	wantRetry(t, get(t, s, "/too-many"))
	wantRetry(t, post(t, s, "/too-many", "hello"))
	busy.finish()
	busy.wantEnd()
	for _, c := range waiting {
		c.want("GET", http.StatusOK)
	}
}

func TestWhenAllStreamsAreInUseRequestsWaitUpToTheLimitAndThenAre503(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) { c.StallTime, c.NumStreams, c.QueueLength = 0, 2, 1 })
	first, second := startHold(t, s), startHold(t, s)
	c := dial(t, s.Addr)
	c.begin("GET", "/waiting")
	awaitWaiting(t, s, 1)
	wantRetry(t, get(t, s, "/too-many"))
	second.finish()
	c.want("GET", http.StatusOK)
	first.finish()
	first.wantEnd()
	second.wantEnd()
}

func TestARequestThatWaitedTooLongInTheQueueIs503(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"for a worker": func(c *server.Config) { c.QueueTime = 100 * time.Millisecond },
		"for a stream": func(c *server.Config) { c.QueueTime, c.NumStreams = 100*time.Millisecond, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := startBoth(t, change, lanesVariable+"=1")
			busy := startHold(t, s)
			wantRetry(t, get(t, s, "/late"))
			if got := s.Router.Stats().Waiting; got != 0 {
				t.Errorf("%d requests still wait", got)
			}
			busy.finish()
			busy.wantEnd()
			wantStatus(t, get(t, s, "/again"), http.StatusOK)
		})
	}
}

func TestRequestsAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"waiting for a worker": nil,
		"waiting for a stream": func(c *server.Config) { c.NumStreams = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s, worker := startBoth(t, change, lanesVariable+"=1")
			busy := startHold(t, s)
			var waiting []*raw
			for i := range 20 {
				c := dial(t, s.Addr)
				c.begin("GET", fmt.Sprintf("/fifo/%02d", i))
				waiting = append(waiting, c)
				awaitWaiting(t, s, int64(i+1))
			}
			busy.finish()
			busy.wantEnd()
			for _, c := range waiting {
				c.want("GET", http.StatusOK)
			}
			for i, got := range worker.requests(t, s, "/fifo/") {
				if want := fmt.Sprintf("GET /fifo/%02d", i); got != want {
					t.Errorf("request %d to be served was %s", i, got)
				}
			}
		})
	}
}

// Requests are assigned ahead of need to a worker that has been fast. When it
// is not any more they go elsewhere.
func TestASlowRequestDoesNotHoldUpQuickOnesWhileAnotherWorkerIsFree(t *testing.T) {
	s, _ := startBoth(t, nil, lanesVariable+"=1")
	startApp(t, s, lanesVariable+"=1")
	for range 3 {
		quickly(t, s, "/quick", 16, 20)
		slow := startHold(t, s)
		quickly(t, s, "/quick", 16, 5) // all of them, while the slow one holds its worker
		slow.finish()
		slow.wantEnd()
	}
}

// quickly makes so many requests on each of so many connections.
func quickly(t *testing.T, s *harness.Server, path string, connections, requests int) {
	t.Helper()
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for range requests {
				response, err := s.Client.Get(s.URL + path)
				if err != nil {
					t.Errorf("a quick request: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("a quick request: %s", response.Status)
				}
			}
		})
	}
	all.Wait()
}

func TestTheLongestPrefixFindsThePool(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		c.Routes = []server.Route{{Prefix: "/who", Pool: "a"}, {Prefix: "/who/is/b", Pool: "b"}, {Prefix: "/b/", Pool: "b"}}
	})
	startApp(t, s, poolVariable+"=a", nameVariable+"=a")
	startApp(t, s, poolVariable+"=b", nameVariable+"=b")
	for path, want := range map[string]string{
		"/who": "a", "/who?is=b": "a", "/who/": "a", "/who/is": "a", "/who/is/bb": "a", "/who/is/a/b": "a",
		"/who/is/b": "b", "/who/is/b?x=/who": "b", "/who/is/b/x": "b", "/b": "b", "/b/x": "b",
	} {
		if got := wantStatus(t, get(t, s, path), http.StatusOK); got != want {
			t.Errorf("%s went to pool %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/", "/whose", "/wh", "/bb", "/other"} {
		wantStatus(t, get(t, s, path), http.StatusNotFound)
	}
}
