package slow_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// The places that there are in these tests, and how many of them slow clients of one
// address can have.
const (
	fairLanes = "8"
	fairMost  = 6
)

// wantServed makes a request with a body and one without.
func wantServed(t *testing.T, s *harness.Server, c *http.Client) {
	t.Helper()
	response, err := c.Get(s.URL + "/quick")
	harness.Check(t, err)
	e2etest.WantStatus(t, response, http.StatusOK)
	response, err = c.Post(s.URL+"/upload", "text/plain", e2etest.BytesOf(1000))
	harness.Check(t, err)
	e2etest.WantStatus(t, response, http.StatusOK)
}

// overShareTime is how long an address keeps places beyond its half of them while others wait, whatever the stall
// time is.
const overShareTime = 500 * time.Millisecond

// keepTheirPlaces reports whether the server has cut off nobody, and fails the test if it has before those that have
// waited since began could have lost their places. A machine may be so slow that they do.
func keepTheirPlaces(t *testing.T, s *harness.Server, began time.Time) bool {
	t.Helper()
	got := s.Router.Stats().Reclaimed
	if got != 0 && time.Since(began) < overShareTime {
		t.Errorf("%d were cut off", got)
	}
	return got == 0
}

// wantAllServed waits for the responses to uploads that have ended, if the server has cut off nobody meanwhile.
func wantAllServed(t *testing.T, s *harness.Server, uploads []*rawclient.HTTP1) {
	t.Helper()
	for _, c := range uploads {
		status := c.Response("POST").StatusCode
		if status != http.StatusOK && (status != http.StatusRequestTimeout || s.Router.Stats().Reclaimed == 0) {
			t.Errorf("status %d", status)
		}
	}
}

// lasting lets slow clients have what they have.
func lasting(c *server.Config) { c.StallTime, c.QueueTime = time.Hour, time.Hour }

func TestSlowUploadsOfOneAddressLeavePlacesForTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*server.Config)
		lanes  string
	}{
		"on the links": {lasting, fairLanes},
		"of streams":   {func(c *server.Config) { lasting(c); c.NumStreams = 8 }, "64"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := e2etest.StartBoth(t, c.change, e2etest.LanesVariable+"="+c.lanes)
			known := e2etest.ClientFrom(t, "127.0.0.1")
			wantServed(t, s, known)
			var slow []*rawclient.HTTP1
			began := time.Now()
			for range 20 {
				c := rawclient.Dial(t, s.Addr)
				c.Begin("POST", "/upload", "Content-Length: 5")
				slow = append(slow, c)
			}
			e2etest.AwaitWaiting(t, s, int64(len(slow)-fairMost))
			wantServed(t, s, e2etest.ClientFrom(t, "127.0.0.2"))
			wantServed(t, s, known)
			if !keepTheirPlaces(t, s, began) {
				return
			}
			for _, c := range slow { // the client that was let in last is served before those that came before it
				c.Send("12345")
			}
			wantAllServed(t, s, slow)
		})
	}
}

// A quick request is soon made: it does not buy the right to all places.
func TestSlowClientsThatWereQuickOnceLeavePlacesForTheOthers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*server.Config)
		lanes  string
		known  int // connections
		most   int // of them with a place on a link
	}{
		"on the links": {lasting, fairLanes, 20, 7},
		"of streams":   {func(c *server.Config) { lasting(c); c.NumStreams = 8 }, "64", 20, 7},
		"of both":      {lasting, "64", 400, 56},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := e2etest.StartBoth(t, c.change, e2etest.LanesVariable+"="+c.lanes)
			var slow []*rawclient.HTTP1
			for range c.known {
				c := rawclient.Dial(t, s.Addr)
				c.Begin("GET", "/quick")
				c.Want("GET", http.StatusOK)
				slow = append(slow, c)
			}
			began := time.Now()
			for _, c := range slow {
				c.Begin("POST", "/upload", "Content-Length: 5")
			}
			e2etest.AwaitWaiting(t, s, int64(c.known-c.most))
			other := e2etest.ClientFrom(t, "127.0.0.2")
			for range 5 {
				wantServed(t, s, other)
			}
			if !keepTheirPlaces(t, s, began) {
				return
			}
			for _, c := range slow {
				c.Send("12345")
			}
			wantAllServed(t, s, slow)
		})
	}
}

// Nor do a few bytes now and then, though nobody is cut off for being that slow.
func TestClientsThatSendALittleAllTheTimeLeavePlacesForTheOthers(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.QueueTime = time.Hour },
		e2etest.LanesVariable+"="+fairLanes)
	const many, most = 20, 7
	var little []*rawclient.HTTP1
	for range many {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("POST", "/upload", "Content-Length: 1000000000")
		little = append(little, c)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for text := bytes.Repeat([]byte("x"), 500); ; {
			for _, c := range little {
				_, _ = c.Conn.Write(text)
			}
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	}()
	defer func() { close(done); <-ended }()
	e2etest.AwaitWaiting(t, s, many-most)
	other := e2etest.ClientFrom(t, "127.0.0.2")
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		wantServed(t, s, other)
	}
	if got := s.Router.Stats(); got.Waiting != many-most || got.Reclaimed != 0 {
		t.Errorf("%d wait, and %d were cut off", got.Waiting, got.Reclaimed)
	}
}

func TestAConnectionIsNoLongerKnownAfterASlowExchange(t *testing.T) {
	s, _ := e2etest.StartBoth(t, lasting, e2etest.LanesVariable+"="+fairLanes)
	was := rawclient.Dial(t, s.Addr)
	was.Begin("GET", "/quick")
	was.Want("GET", http.StatusOK)
	was.Begin("POST", "/upload", "Content-Length: 5")
	began := time.Now()
	harness.Eventually(t, "it to be slow", func() bool { return time.Since(began) > 500*time.Millisecond })
	was.Send("12345")
	was.Want("POST", http.StatusOK)
	for range fairMost {
		rawclient.Dial(t, s.Addr).Begin("POST", "/upload", "Content-Length: 5")
	}
	harness.Eventually(t, "the slow ones to have their places", func() bool {
		return s.Router.Stats().ActiveStreams == fairMost
	})
	was.Begin("GET", "/quick")
	e2etest.AwaitWaiting(t, s, 1)
	wantServed(t, s, e2etest.ClientFrom(t, "127.0.0.2"))
}

func TestSlowReadersOfOneAddressLeavePlacesForTheOthers(t *testing.T) {
	s, _ := e2etest.StartBoth(t, lasting, e2etest.LanesVariable+"="+fairLanes)
	known := e2etest.ClientFrom(t, "127.0.0.1")
	wantServed(t, s, known)
	for range fairMost {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/flood")
		c.AwaitStalled()
	}
	one := rawclient.Dial(t, s.Addr)
	one.Begin("GET", "/quick")
	e2etest.AwaitWaiting(t, s, 1)
	wantServed(t, s, e2etest.ClientFrom(t, "127.0.0.2"))
	wantServed(t, s, known)
}

// soon is a configuration whose slow clients are cut off while a test waits, when others
// wait.
func soon(c *server.Config) { c.StallTime = 300 * time.Millisecond }

func TestASlowClientMakesRoomOnlyWhenOthersWait(t *testing.T) {
	e2etest.ThroughEachDoor(t, soon, func(v *e2etest.Visitor) {
		before := v.Server.Router.Stats().Reclaimed
		c := v.Converse("/echo?id="+v.ID("slow"), "1")
		c.Hear("1")
		began := time.Now()
		harness.Eventually(v, "its time to be up", func() bool { return time.Since(began) > 2*300*time.Millisecond })
		if got := v.Server.Router.Stats().Reclaimed; got != before {
			v.Fatal("it was cut off for nobody")
		}
		e2etest.WantStatus(v, v.NewVisit().Get("/quick"), http.StatusOK)
		v.WantSaid("echo %s: 1 bytes, worker: request cancelled: client too slow", v.ID("slow"))
		v.WantBroken(c.Response)
		harness.Eventually(v, "one to be counted", func() bool { return v.Server.Router.Stats().Reclaimed == before+1 })
	}, e2etest.LanesVariable+"=1")
}

func TestASlowReaderMakesRoomForWhoWaits(t *testing.T) {
	e2etest.ThroughEachDoor(t, soon, func(v *e2etest.Visitor) {
		response := v.Get("/flood?id=" + v.ID("slow"))
		e2etest.WantStatus(v, v.NewVisit().Get("/quick"), http.StatusOK)
		v.WantSaid("flood %s: worker: request cancelled: client too slow", v.ID("slow"))
		v.WantBroken(response)
	}, e2etest.LanesVariable+"=1")
}

func TestASlowUploadThatMakesRoomIs408(t *testing.T) {
	s, worker := e2etest.StartBoth(t, soon, e2etest.LanesVariable+"=1")
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=slow", "Content-Length: 1000")
	c.Send("12345")
	worker.AwaitSaid(t, ">> POST /upload?id=slow")
	e2etest.WantStatus(t, e2etest.Get(t, s, "/quick"), http.StatusOK)
	c.Want("POST", http.StatusRequestTimeout)
	c.WantClosed()
}

// A client that has done its part keeps its place however long its worker takes.
func TestASlowWorkerCostsNoClientItsPlace(t *testing.T) {
	s, worker := e2etest.StartBoth(t,
		func(c *server.Config) { c.StallTime, c.QueueTime = 100*time.Millisecond, time.Second },
		e2etest.LanesVariable+"=1")
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/wait?id=slow", "Content-Length: 5")
	c.Send("12345")
	worker.AwaitSaid(t, "waiting slow")
	e2etest.WantRetry(t, e2etest.Get(t, s, "/quick"))
	if got := s.Router.Stats().Reclaimed; got != 0 {
		t.Errorf("%d were cut off", got)
	}
}

// Whoever asks for much waits behind himself, not the others behind him.
func TestAddressesTakeTurns(t *testing.T) {
	s, worker := e2etest.StartBoth(t, lasting, e2etest.LanesVariable+"=1")
	busy := e2etest.StartHold(t, s)
	for n := range int64(5) {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", "/greedy")
		e2etest.AwaitWaiting(t, s, n+1)
	}
	served := make(chan error, 1)
	go func() {
		response, err := e2etest.ClientFrom(t, "127.0.0.2").Get(s.URL + "/modest")
		if err == nil {
			err = response.Body.Close()
		}
		served <- err
	}()
	e2etest.AwaitWaiting(t, s, 6)
	busy.Finish()
	busy.WantEnd()
	harness.Check(t, harness.Receive(t, "the modest one", served))
	e2etest.AwaitWaiting(t, s, 0)
	list := worker.Requests(t, s, "/")
	for i, path := range list {
		if path == "/modest" && i > 2 {
			t.Errorf("served in the order %v", list)
		}
	}
}
