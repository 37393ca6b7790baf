package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// hang has so many requests hang in the workers of the pool "slots", and returns their ids
// when they have timed out.
func hang(t *testing.T, s *harness.Server, n int) (ids []string) {
	t.Helper()
	var clients []*rawclient.HTTP1
	for range n {
		client := rawclient.Dial(t, s.Addr)
		client.Begin("GET", "/slots/hang?token=secret")
		clients = append(clients, client)
	}
	for _, client := range clients {
		r := client.WantReply("GET", 504)
		ids = append(ids, r.Header["x-request-id"])
	}
	return ids
}

// Two hanging requests have taken all that two workers serve: the workers are given up, and
// attach again.
func TestAPoolWhoseWorkersAllHangServesAgain(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.StuckAfter = 0 // the response timeout
		c.Supervised = []string{"slots"}
	})
	workers := []*harness.Process{
		s.StartWorker(t, "slots", slotsLanes+"=1"), s.StartWorker(t, "slots", slotsLanes+"=1"),
	}
	ids := hang(t, s, 2)
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	if r := client.WantReply("GET", 200); r.Body != "slots" {
		t.Errorf("the next response is %q", r.Body)
	}
	harness.Eventually(t, "both workers to be given up", func() bool {
		st := s.Router.Stats()
		return st.Stuck == 2 && st.Evicted == 2 && st.Attached == 4
	})
	for _, w := range workers {
		awaitSaid(t, w, "took", 1) // and no second one in which a request would hang
		awaitSaid(t, w, "link: worker: link closed: refused (evicted): stuck: its requests hang", 1)
	}
	log := s.Log.String()
	for _, want := range append(ids, "worker stuck", "request hangs", "method=GET", "path=/slots/hang ") {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	if strings.Contains(log, "secret") {
		t.Error("the log has the query")
	}
	awaitActive(t, s, 0)
}

// A request lies in the inbox of a worker that is busy with one that hangs: it is no fault of
// this request, which another worker serves, whichever of the two times is up first.
func TestARequestThatAStuckWorkerHasNotTakenIsServedByAnother(t *testing.T) {
	for name, after := range map[string]struct{ response, stuck time.Duration }{
		"stuck first":                   {harness.Patience, time.Second},
		"stuck at the response timeout": {time.Second, 0},
		"stuck later":                   {500 * time.Millisecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servedByAnother(t, after.response, after.stuck)
		})
	}
}

func servedByAnother(t *testing.T, response, stuck time.Duration) {
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.ResponseTimeout, c.StuckAfter = response, stuck
		c.Supervised = []string{"slots"}
	})
	s.StartWorker(t, "slots", slotsLanes+"=1")
	quick := rawclient.Dial(t, s.Addr)
	for range 20 { // after quick ones, requests are assigned ahead
		quick.Begin("GET", "/slots/now")
		quick.WantReply("GET", 200)
	}
	hanging := rawclient.Dial(t, s.Addr)
	hanging.Begin("GET", "/slots/hang")
	harness.Eventually(t, "the worker to be busy", func() bool { return s.Router.Stats().ActiveStreams == 1 })
	quick.Begin("GET", "/slots/now")
	harness.Eventually(t, "the second to wait, in the inbox or in the queue", func() bool {
		status, queued := s.Router.Status(), 0
		for _, p := range status.Pools {
			queued += p.Queue
		}
		return len(status.Links) == 1 && status.Links[0].Busy+queued == 2
	})
	quick.WantReply("GET", 200)
	hanging.WantReply("GET", 504)
	awaitActive(t, s, 0)
}

// One request hangs, another moves: the first ends, the second goes on, and the next ones go
// to another worker.
func TestAStuckWorkerIsNamedAndWhatMovesOnItGoesOn(t *testing.T) {
	stuck, attached := make(chan server.StuckWorker, 4), make(chan server.AttachedWorker, 4)
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.ResponseTimeout, c.StuckAfter = 10*time.Second, time.Second
		c.Supervised = []string{"slots"}
		c.Started = func(pid int) (pool string, leader int) { return "slots", pid }
		c.OnStuck = func(w server.StuckWorker) { stuck <- w }
		c.OnAttach = func(w server.AttachedWorker) { attached <- w }
	})
	p := s.StartWorker(t, "slots")
	if w := harness.Receive(t, "the attach", attached); w.PID != p.PID() || w.Leader != p.PID() || w.Pool != "slots" {
		t.Errorf("attached: %+v", w)
	}
	moving := rawclient.Dial(t, s.Addr)
	moving.Begin("GET", "/slots/ticks")
	if head, err := moving.ReplyHead(); err != nil || head.Status != 200 {
		t.Fatalf("%+v: %v", head, err)
	}
	ids := hang(t, s, 1)
	w := harness.Receive(t, "the stuck worker", stuck)
	if w.PID != p.PID() || w.Leader != p.PID() || w.Pool != "slots" || len(w.Requests) != 1 {
		t.Fatalf("stuck: %+v", w)
	}
	if r := w.Requests[0]; r.RequestID != ids[0] || r.Method != "GET" || r.Target != "/slots/hang" ||
		r.Where != "taken, no response" {
		t.Errorf("the request is %+v", r)
	}
	other := s.StartWorker(t, "slots")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	client.WantReply("GET", 200)
	awaitSaid(t, other, "took", 1)

	r := rawclient.Reply{}
	if err := moving.ReplyChunks(&r); err != nil || r.Body != strings.Repeat("tick ", slotsTicks) {
		t.Errorf("the body is %q, %v", r.Body, err)
	}
	if st := s.Router.Stats(); st.Stuck != 1 || st.Evicted != 0 || st.Links != 2 {
		t.Errorf("%d stuck, %d evicted, %d links; want 1, 0 and 2", st.Stuck, st.Evicted, st.Links)
	}
	p.Kill()
	awaitActive(t, s, 0)
}
