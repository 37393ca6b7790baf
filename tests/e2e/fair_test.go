package e2e_test

import (
	"bytes"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// The places that there are in these tests, and how many of them slow clients of one
// address can have.
const (
	fairLanes = "8"
	fairMost  = 6
)

// clientFrom returns a client with an address of its own.
func clientFrom(t *testing.T, ip string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}, Timeout: harness.Patience}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// wantServed makes a request without a body and one with.
func wantServed(t *testing.T, s *harness.Server, c *http.Client) {
	t.Helper()
	response, err := c.Get(s.URL + "/quick")
	harness.Check(t, err)
	wantStatus(t, response, http.StatusOK)
	response, err = c.Post(s.URL+"/upload", "text/plain", bytesOf(1000))
	harness.Check(t, err)
	wantStatus(t, response, http.StatusOK)
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
			s, _ := startBoth(t, c.change, lanesVariable+"="+c.lanes)
			known := clientFrom(t, "127.0.0.1")
			wantServed(t, s, known)
			var slow []*raw
			for range 20 {
				c := dial(t, s.Addr)
				c.begin("POST", "/upload", "Content-Length: 5")
				slow = append(slow, c)
			}
			awaitWaiting(t, s, int64(len(slow)-fairMost))
			wantServed(t, s, clientFrom(t, "127.0.0.2"))
			wantServed(t, s, known)
			for _, c := range slow { // who was let in last is served before who came before
				c.send("12345")
			}
			for _, c := range slow {
				c.want("POST", http.StatusOK)
			}
			if got := s.Router.Stats().Reclaimed; got != 0 {
				t.Errorf("%d were cut off", got)
			}
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
			s, _ := startBoth(t, c.change, lanesVariable+"="+c.lanes)
			var slow []*raw
			for range c.known {
				c := dial(t, s.Addr)
				c.begin("GET", "/quick")
				c.want("GET", http.StatusOK)
				slow = append(slow, c)
			}
			for _, c := range slow {
				c.begin("POST", "/upload", "Content-Length: 5")
			}
			awaitWaiting(t, s, int64(c.known-c.most))
			other := clientFrom(t, "127.0.0.2")
			for range 5 {
				wantServed(t, s, other)
			}
			if got := s.Router.Stats().Reclaimed; got != 0 {
				t.Errorf("%d were cut off", got)
			}
			for _, c := range slow {
				c.send("12345")
			}
			for _, c := range slow {
				c.want("POST", http.StatusOK)
			}
		})
	}
}

// Nor do a few bytes now and then, though nobody is cut off for being that slow.
func TestClientsThatSendALittleAllTheTimeLeavePlacesForTheOthers(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) { c.QueueTime = time.Hour }, lanesVariable+"="+fairLanes)
	const many, most = 20, 7
	var little []*raw
	for range many {
		c := dial(t, s.Addr)
		c.begin("POST", "/upload", "Content-Length: 1000000000")
		little = append(little, c)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(50 * time.Millisecond)
		defer ticker.Stop()
		for text := bytes.Repeat([]byte("x"), 500); ; {
			for _, c := range little {
				_, _ = c.conn.Write(text)
			}
			select {
			case <-ticker.C:
			case <-done:
				return
			}
		}
	}()
	defer func() { close(done); <-ended }()
	awaitWaiting(t, s, many-most)
	other := clientFrom(t, "127.0.0.2")
	for began := time.Now(); time.Since(began) < 3*time.Second; {
		wantServed(t, s, other)
	}
	if got := s.Router.Stats(); got.Waiting != many-most || got.Reclaimed != 0 {
		t.Errorf("%d wait, and %d were cut off", got.Waiting, got.Reclaimed)
	}
}

func TestAConnectionIsNoLongerKnownAfterASlowExchange(t *testing.T) {
	s, _ := startBoth(t, lasting, lanesVariable+"="+fairLanes)
	was := dial(t, s.Addr)
	was.begin("GET", "/quick")
	was.want("GET", http.StatusOK)
	was.begin("POST", "/upload", "Content-Length: 5")
	began := time.Now()
	harness.Eventually(t, "it to be slow", func() bool { return time.Since(began) > 500*time.Millisecond })
	was.send("12345")
	was.want("POST", http.StatusOK)
	for range fairMost {
		dial(t, s.Addr).begin("POST", "/upload", "Content-Length: 5")
	}
	harness.Eventually(t, "the slow ones to have their places", func() bool { return s.Router.Stats().ActiveStreams == fairMost })
	was.begin("GET", "/quick")
	awaitWaiting(t, s, 1)
	wantServed(t, s, clientFrom(t, "127.0.0.2"))
}

func TestSlowReadersOfOneAddressLeavePlacesForTheOthers(t *testing.T) {
	s, _ := startBoth(t, lasting, lanesVariable+"="+fairLanes)
	known := clientFrom(t, "127.0.0.1")
	wantServed(t, s, known)
	for range fairMost {
		c := dial(t, s.Addr)
		c.begin("GET", "/flood")
		c.awaitStalled()
	}
	one := dial(t, s.Addr)
	one.begin("GET", "/quick")
	awaitWaiting(t, s, 1)
	wantServed(t, s, clientFrom(t, "127.0.0.2"))
	wantServed(t, s, known)
}

// soon is a configuration whose slow clients are cut off while a test waits, when others
// wait.
func soon(c *server.Config) { c.StallTime = 300 * time.Millisecond }

func TestASlowClientMakesRoomOnlyWhenOthersWait(t *testing.T) {
	throughEachDoor(t, soon, func(v *visitor) {
		before := v.s.Router.Stats().Reclaimed
		c := v.converse("/echo?id="+v.id("slow"), "1")
		c.hear("1")
		began := time.Now()
		harness.Eventually(v, "its time to be up", func() bool { return time.Since(began) > 2*300*time.Millisecond })
		if got := v.s.Router.Stats().Reclaimed; got != before {
			v.Fatal("it was cut off for nobody")
		}
		wantStatus(v, v.newVisit().get("/quick"), http.StatusOK)
		v.wantSaid("echo %s: 1 bytes, worker: request cancelled: client too slow", v.id("slow"))
		v.wantBroken(c.response)
		harness.Eventually(v, "one to be counted", func() bool { return v.s.Router.Stats().Reclaimed == before+1 })
	}, lanesVariable+"=1")
}

func TestASlowReaderMakesRoomForWhoWaits(t *testing.T) {
	throughEachDoor(t, soon, func(v *visitor) {
		response := v.get("/flood?id=" + v.id("slow"))
		wantStatus(v, v.newVisit().get("/quick"), http.StatusOK)
		v.wantSaid("flood %s: worker: request cancelled: client too slow", v.id("slow"))
		v.wantBroken(response)
	}, lanesVariable+"=1")
}

func TestASlowUploadThatMakesRoomIs408(t *testing.T) {
	s, worker := startBoth(t, soon, lanesVariable+"=1")
	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=slow", "Content-Length: 1000")
	c.send("12345")
	worker.awaitSaid(t, ">> POST /upload?id=slow")
	wantStatus(t, get(t, s, "/quick"), http.StatusOK)
	c.want("POST", http.StatusRequestTimeout)
	c.wantClosed()
}

// A client that has done its part keeps its place however long its worker takes.
func TestASlowWorkerCostsNoClientItsPlace(t *testing.T) {
	s, worker := startBoth(t, func(c *server.Config) { c.StallTime, c.QueueTime = 100*time.Millisecond, time.Second }, lanesVariable+"=1")
	c := dial(t, s.Addr)
	c.begin("POST", "/wait?id=slow", "Content-Length: 5")
	c.send("12345")
	worker.awaitSaid(t, "waiting slow")
	wantRetry(t, get(t, s, "/quick"))
	if got := s.Router.Stats().Reclaimed; got != 0 {
		t.Errorf("%d were cut off", got)
	}
}

// Whoever asks for much waits behind himself, not the others behind him.
func TestAddressesTakeTurns(t *testing.T) {
	s, worker := startBoth(t, lasting, lanesVariable+"=1")
	busy := startHold(t, s)
	for n := range int64(5) {
		c := dial(t, s.Addr)
		c.begin("GET", "/greedy")
		awaitWaiting(t, s, n+1)
	}
	served := make(chan error, 1)
	go func() {
		response, err := clientFrom(t, "127.0.0.2").Get(s.URL + "/modest")
		if err == nil {
			err = response.Body.Close()
		}
		served <- err
	}()
	awaitWaiting(t, s, 6)
	busy.finish()
	busy.wantEnd()
	harness.Check(t, harness.Receive(t, "the modest one", served))
	awaitWaiting(t, s, 0)
	list := worker.requests(t, s, "/")
	for i, path := range list {
		if path == "/modest" && i > 2 {
			t.Errorf("served in the order %v", list)
		}
	}
}
