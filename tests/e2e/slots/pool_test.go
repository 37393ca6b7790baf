package slots_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestWithoutAWorkerARequestIs503(t *testing.T) {
	s := harness.Start(t, nil)
	e2etest.WantRetry(t, e2etest.Get(t, s, "/"))
	e2etest.WantRetry(t, e2etest.Post(t, s, "/", "hello"))
	worker := e2etest.StartApp(t, s)
	e2etest.WantStatus(t, e2etest.Get(t, s, "/"), http.StatusOK)
	worker.Kill()
	harness.Eventually(t, "the link to go", func() bool { return s.Router.Stats().Links == 0 })
	e2etest.WantRetry(t, e2etest.Get(t, s, "/"))
}

func TestARequestWaitsForAWorkerThatIsSupposedToComeBack(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) { c.Supervised = []string{"default"} })
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/patient")
	e2etest.AwaitWaiting(t, s, 1)
	e2etest.StartApp(t, s)
	if got := c.Want("GET", http.StatusOK); got != "GET /patient" {
		t.Errorf("%q", got)
	}
}

func TestARequestThatWaitedTooLongForAWorkerIs503(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		c.Supervised, c.QueueTime = []string{"default"}, 100*time.Millisecond
	})
	e2etest.WantRetry(t, e2etest.Get(t, s, "/"))
}

func TestWhenAllWorkersAreBusyRequestsWaitUpToTheLimitAndThenAre503(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.StallTime, c.QueueLength = 0, 2 },
		e2etest.LanesVariable+"=1")
	busy := e2etest.StartHold(t, s)
	var waiting []*rawclient.HTTP1
	for range 2 {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/waiting")
		waiting = append(waiting, c)
		e2etest.AwaitWaiting(t, s, int64(len(waiting)))
	}
	e2etest.WantRetry(t, e2etest.Get(t, s, "/too-many"))
	e2etest.WantRetry(t, e2etest.Post(t, s, "/too-many", "hello"))
	busy.Finish()
	busy.WantEnd()
	for _, c := range waiting {
		c.Want("GET", http.StatusOK)
	}
}

func TestWhenAllStreamsAreInUseRequestsWaitUpToTheLimitAndThenAre503(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.StallTime, c.NumStreams, c.QueueLength = 0, 2, 1 })
	first, second := e2etest.StartHold(t, s), e2etest.StartHold(t, s)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/waiting")
	e2etest.AwaitWaiting(t, s, 1)
	e2etest.WantRetry(t, e2etest.Get(t, s, "/too-many"))
	second.Finish()
	c.Want("GET", http.StatusOK)
	first.Finish()
	first.WantEnd()
	second.WantEnd()
}

func TestARequestThatWaitedTooLongInTheQueueIs503(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"for a worker": func(c *server.Config) { c.StallTime, c.QueueTime = 0, 100*time.Millisecond },
		"for a stream": func(c *server.Config) { c.StallTime, c.QueueTime, c.NumStreams = 0, 100*time.Millisecond, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := e2etest.StartBoth(t, change, e2etest.LanesVariable+"=1")
			busy := e2etest.StartHold(t, s)
			e2etest.WantRetry(t, e2etest.Get(t, s, "/late"))
			if got := s.Router.Stats().Waiting; got != 0 {
				t.Errorf("%d requests still wait", got)
			}
			busy.Finish()
			busy.WantEnd()
			e2etest.WantStatus(t, e2etest.Get(t, s, "/again"), http.StatusOK)
		})
	}
}

func TestRequestsAreServedInTheOrderInWhichTheyCame(t *testing.T) {
	for name, change := range map[string]func(*server.Config){
		"waiting for a worker": e2etest.KeepSlowClients,
		"waiting for a stream": func(c *server.Config) { c.StallTime, c.NumStreams = 0, 1 },
	} {
		t.Run(name, func(t *testing.T) {
			s, worker := e2etest.StartBoth(t, change, e2etest.LanesVariable+"=1")
			busy := e2etest.StartHold(t, s)
			var waiting []*rawclient.HTTP1
			for i := range 20 {
				c := rawclient.Dial(t, s.Addr)
				c.Begin("GET", fmt.Sprintf("/fifo/%02d", i))
				waiting = append(waiting, c)
				e2etest.AwaitWaiting(t, s, int64(i+1))
			}
			busy.Finish()
			busy.WantEnd()
			for _, c := range waiting {
				c.Want("GET", http.StatusOK)
			}
			for i, got := range worker.Requests(t, s, "/fifo/") {
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
	s, _ := e2etest.StartBoth(t, e2etest.KeepSlowClients, e2etest.LanesVariable+"=1")
	e2etest.StartApp(t, s, e2etest.LanesVariable+"=1")
	for range 3 {
		e2etest.Quickly(t, s, "/quick", 16, 20)
		slow := e2etest.StartHold(t, s)
		e2etest.Quickly(t, s, "/quick", 16, 5) // all of them, while the slow one holds its worker
		slow.Finish()
		slow.WantEnd()
	}
}

func TestTheLongestPrefixFindsThePool(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		c.Routes = []server.Route{
			{Prefix: "/who", Pool: "a"}, {Prefix: "/who/is/b", Pool: "b"}, {Prefix: "/b/", Pool: "b"},
		}
	})
	e2etest.StartApp(t, s, e2etest.PoolVariable+"=a", e2etest.NameVariable+"=a")
	e2etest.StartApp(t, s, e2etest.PoolVariable+"=b", e2etest.NameVariable+"=b")
	for path, want := range map[string]string{
		"/who": "a", "/who?is=b": "a", "/who/": "a", "/who/is": "a", "/who/is/bb": "a", "/who/is/a/b": "a",
		"/who/is/b": "b", "/who/is/b?x=/who": "b", "/who/is/b/x": "b", "/b": "b", "/b/x": "b",
	} {
		if got := e2etest.WantStatus(t, e2etest.Get(t, s, path), http.StatusOK); got != want {
			t.Errorf("%s went to pool %s, want %s", path, got, want)
		}
	}
	for _, path := range []string{"/", "/whose", "/wh", "/bb", "/other"} {
		e2etest.WantStatus(t, e2etest.Get(t, s, path), http.StatusNotFound)
	}
}
