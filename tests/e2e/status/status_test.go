package status_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// stream waits for the only request whose target begins with a prefix to satisfy ok, and
// returns it.
func stream(t *testing.T, s *harness.Server, prefix, what string, ok func(server.StreamStatus) bool) (
	found server.StreamStatus,
) {
	t.Helper()
	harness.Eventually(t, what, func() bool {
		for _, one := range s.Router.Status().Streams {
			if strings.HasPrefix(one.Target, prefix) && ok(one) {
				found = one
				return true
			}
		}
		return false
	})
	return found
}

func running(s server.StreamStatus) bool { return s.State == "running" }

func TestARunningUploadIsSeenWithItsBytesAndWhoHoldsIt(t *testing.T) {
	s, app := e2etest.StartBoth(t, nil)
	body, feed := io.Pipe()
	done := make(chan string, 1)
	go func() {
		response, err := http.Post(s.URL+"/upload?id=seen", "text/plain", body)
		if err != nil {
			done <- err.Error()
			return
		}
		defer response.Body.Close()
		b, _ := io.ReadAll(response.Body)
		done <- string(b)
	}()
	_, err := feed.Write(make([]byte, 100_000))
	harness.Check(t, err)
	one := stream(t, s, "/upload?id=seen", "100000 bytes", func(one server.StreamStatus) bool {
		return one.Received == 100_000 && one.HeldBy == "client" && one.HeldFor > 0 && running(one)
	})
	if one.Method != "POST" || one.Protocol != "HTTP/1.1" || one.ClientAddress != "127.0.0.1" ||
		one.Pool != "default" || one.RequestID == "" || one.PID != app.PID() || one.Age(time.Now()) <= 0 {
		t.Errorf("it is seen as %+v", one)
	}
	_, err = feed.Write(make([]byte, 50_000))
	harness.Check(t, err)
	stream(t, s, "/upload", "150000 bytes", func(one server.StreamStatus) bool { return one.Received == 150_000 })
	harness.Check(t, feed.Close())
	if got := <-done; got != "150000 bytes" {
		t.Errorf("the answer is %q", got)
	}
	harness.Eventually(t, "the request to be gone", func() bool { return len(s.Router.Status().Streams) == 0 })
}

func TestAWorkerThatDoesNotAnswerIsSeenToHoldItsRequest(t *testing.T) {
	s, app := e2etest.StartBoth(t, nil, e2etest.LanesVariable+"=1")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var ended sync.WaitGroup
	get := func(path string) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
		harness.Check(t, err)
		ended.Go(func() {
			if response, err := s.Client.Do(request); err == nil {
				_ = response.Body.Close()
			}
		})
	}
	get("/wait?id=first")
	stream(t, s, "/wait?id=first", "the worker to hold it", func(one server.StreamStatus) bool {
		return running(one) && one.HeldBy == "worker" && one.HeldFor > 5*time.Millisecond
	})
	get("/wait?id=ahead") // some are given to it ahead
	get("/wait?id=queued")
	get("/wait?id=more")
	stream(t, s, "/wait", "one to wait for a worker", func(one server.StreamStatus) bool {
		return one.State == "queued" && one.Link == "" && one.PID == 0
	})
	status := s.Router.Status()
	if p := status.Pools[0]; p.Name != "default" || p.Links != 1 || p.Lanes != 1 || p.Busy < 1 || p.Queue < 1 {
		t.Errorf("the pool is seen as %+v", p)
	}
	if l := status.Links[0]; l.PID != app.PID() || l.Leader != 0 || l.Lanes != 1 || l.Busy < 1 || l.Since.IsZero() {
		t.Errorf("the link is seen as %+v", l)
	}
	for i, one := range status.Streams[1:] {
		if one.ID <= status.Streams[i].ID {
			t.Errorf("the streams are not in their order: %+v", status.Streams)
		}
	}
	if list := s.Router.Streams("", 2); len(list) != 2 || list[0].Target != "/wait?id=first" {
		t.Errorf("the two oldest are %+v", list)
	}
	if list := s.Router.Streams("other", 2); len(list) != 0 {
		t.Errorf("a pool that is not there has %+v", list)
	}
	cancel()
	ended.Wait()
	harness.Eventually(t, "a link that is idle", func() bool {
		l := s.Router.Status().Links[0]
		return l.Busy == 0 && l.Served > 0
	})
}

func TestAClientThatDoesNotReadIsSeenToHoldItsResponse(t *testing.T) {
	s, _ := e2etest.StartBoth(t, e2etest.KeepSlowClients)
	response := e2etest.Get(t, s, "/flood?type=video/mp4")
	defer response.Body.Close()
	stream(t, s, "/flood", "the client to hold it", func(one server.StreamStatus) bool {
		return one.HeldBy == "client" && one.Sent > 0
	})
}

func TestACancelledRequestGets503AndItsWorkerIsTold(t *testing.T) {
	s, app := e2etest.StartBoth(t, nil)
	answer := make(chan *http.Response, 1)
	go func() {
		response, err := s.Client.Get(s.URL + "/wait?id=one")
		harness.Check(t, err)
		answer <- response
	}()
	one := stream(t, s, "/wait", "it to run", running)
	if s.Router.CancelStream(one.ID+1) || s.Router.CancelStream(0) {
		t.Error("a stream that is not there was cancelled")
	}
	if !s.Router.CancelStream(one.ID) {
		t.Fatal("it cannot be cancelled")
	}
	body := e2etest.WantStatus(t, <-answer, http.StatusServiceUnavailable)
	if !strings.Contains(body, "cancelled by an operator") {
		t.Errorf("the answer is %q", body)
	}
	app.AwaitSaid(t, "wait one: context canceled")
	if s.Router.CancelStream(one.ID) {
		t.Error("it was cancelled twice")
	}
	e2etest.WantStatus(t, e2etest.Get(t, s, "/reply?body=next"), http.StatusOK)
}

func TestACancelledUploadGets503AndItsWorkerIsTold(t *testing.T) {
	s, app := e2etest.StartBoth(t, nil)
	body, feed := io.Pipe()
	defer feed.Close()
	answer := make(chan *http.Response, 1)
	go func() {
		response, err := http.Post(s.URL+"/upload?id=up", "text/plain", body)
		harness.Check(t, err)
		answer <- response
	}()
	_, err := feed.Write(make([]byte, 1000))
	harness.Check(t, err)
	one := stream(t, s, "/upload", "it to run", running)
	if !s.Router.CancelStream(one.ID) {
		t.Fatal("it cannot be cancelled")
	}
	e2etest.WantStatus(t, <-answer, http.StatusServiceUnavailable)
	app.AwaitSaid(t, "upload up: ")
}

func TestACancelledResponseBreaksOff(t *testing.T) {
	s, app := e2etest.StartBoth(t, nil)
	for _, c := range []struct {
		path string
		read bool // the client reads meanwhile
	}{
		{"/wait?flush=1&id=idle", true},
		{"/flood?type=video/mp4&id=read", true},
		{"/flood?type=video/mp4&id=held", false},
	} {
		response := e2etest.Get(t, s, c.path)
		read := make(chan error, 1)
		if c.read {
			go func() {
				_, err := io.Copy(io.Discard, response.Body)
				read <- err
			}()
		}
		one := stream(t, s, c.path, "it to run", func(one server.StreamStatus) bool {
			return running(one) && (c.read || one.HeldBy == "client")
		})
		if !s.Router.CancelStream(one.ID) {
			t.Fatalf("%s cannot be cancelled", c.path)
		}
		_, id, _ := strings.Cut(c.path, "id=")
		app.AwaitSaid(t, " "+id+": ")
		if !c.read {
			_, err := io.Copy(io.Discard, response.Body)
			read <- err
		}
		if err := <-read; err == nil {
			t.Errorf("%s looks complete", c.path)
		}
		harness.Check(t, response.Body.Close())
	}
	if log := s.Log.String(); !strings.Contains(log, "cancelled by an operator") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}

func TestARequestThatWaitsForAWorkerCanBeCancelled(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) { c.Supervised = []string{"default"} })
	answer := make(chan *http.Response, 1)
	go func() {
		response, err := s.Client.Post(s.URL+"/upload", "text/plain", bytes.NewReader(make([]byte, 1000)))
		harness.Check(t, err)
		answer <- response
	}()
	one := stream(t, s, "/upload", "it to wait", func(one server.StreamStatus) bool { return one.State == "queued" })
	harness.Eventually(t, "it to be cancelled", func() bool { return s.Router.CancelStream(one.ID) })
	e2etest.WantStatus(t, <-answer, http.StatusServiceUnavailable)
	if waiting := s.Router.Stats().Waiting; waiting != 0 {
		t.Errorf("%d still wait", waiting)
	}
}

// Rows are reused all the time while status is read and streams are cancelled: whoever is
// cancelled is one that was meant, and nobody else is hurt.
func TestStatusUnderLoadNamesOnlyRequestsThatAre(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.NumStreams = 8 })
	ctx, cancel := context.WithCancel(context.Background())
	var load sync.WaitGroup
	var mu sync.Mutex
	sent := map[string]bool{}
	for client := range 8 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := strings.Repeat("x", client+1) + "-" + time.Duration(i).String()
				mu.Lock()
				sent["/reply?body=ok&id="+id] = true
				mu.Unlock()
				response, err := s.Client.Get(s.URL + "/reply?body=ok&id=" + id)
				if err != nil {
					continue // it was cancelled when its response had begun
				}
				body, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				cancelled := response.StatusCode == http.StatusServiceUnavailable || err != nil
				if !cancelled && string(body) != "ok" {
					t.Errorf("request %s: %s %q", id, response.Status, body)
				}
			}
		})
	}
	seen := 0
	for rounds := 0; rounds < 2000 || seen < 100; rounds++ {
		for _, one := range s.Router.Status().Streams {
			seen++
			mu.Lock()
			known := sent[one.Target]
			mu.Unlock()
			if !known || one.Method != "GET" || one.Pool != "default" {
				t.Errorf("there is no such request: %+v", one)
			}
			if rounds%100 == 0 {
				s.Router.CancelStream(one.ID)
			}
		}
	}
	cancel()
	load.Wait()
	e2etest.WantCalm(t, s)
}
