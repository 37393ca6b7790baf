package faults_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// impatient is a configuration in which a worker has little time, with the pool
// "slots" behind the path /slots.
func impatient(c *server.Config) {
	small(c)
	c.ResponseTimeout, c.StuckAfter = 500*time.Millisecond, server.Never
	c.Routes = append(c.Routes, server.Route{Prefix: "/slots", Pool: "slots"})
}

// wantSaid fails the test unless the process has said all of this.
func wantSaid(t testing.TB, p *harness.Process, list ...string) {
	t.Helper()
	for _, what := range list { // what it prints may come later than what it answers
		harness.Eventually(t, "the worker to say "+what, func() bool {
			return strings.Contains(p.Output(), "<"+what+">")
		})
	}
}

func TestAStoppedWorkerCostsItsClientATimeoutAndItsLaneIsOutOfUseUntilItIsBack(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		impatient(c)
		c.NumStreams = 1 // a stream that is out of use is missed at once
	})
	stuck := s.StartWorker(t, "slots")
	s.StartWorker(t, "handler")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/late")
	awaitSaid(t, stuck, "took", 1)
	stuck.Stop()
	client.WantReply("GET", 504)
	if st := s.Router.Stats(); st.ActiveStreams != 1 || st.WorkerTimeouts != 1 || st.Links != 2 {
		t.Errorf("%d streams in use, %d timeouts, %d links; want 1, 1 and 2", st.ActiveStreams,
			st.WorkerTimeouts, st.Links)
	}
	client.Begin("GET", "/echo")
	harness.Eventually(t, "the next request to wait for the stream", func() bool {
		return s.Router.Stats().Waiting == 1
	})

	stuck.Continue()
	if r := client.WantReply("GET", 200); !strings.HasPrefix(r.Body, "GET by ") {
		t.Errorf("the next response on the connection is %q", r.Body)
	}
	awaitSaid(t, stuck, "over", 1)
	const cancelled = ": worker: request cancelled: deadline passed"
	wantSaid(t, stuck, "tail"+cancelled, "respond"+cancelled, "flush"+cancelled)

	client.Begin("GET", "/slots/now")
	if r := client.WantReply("GET", 200); r.Body != "slots" {
		t.Errorf("the lane's next response is %q", r.Body)
	}
}

func TestAWorkerThatStopsInTheMiddleOfAResponseBreaksItOff(t *testing.T) {
	s := harness.Start(t, impatient)
	stuck := s.StartWorker(t, "slots")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/late-with-headers")
	awaitSaid(t, stuck, "flushed", 1)
	if head, err := client.ReplyHead(); err != nil || head.Status != 200 {
		t.Fatalf("%+v: %v", head, err)
	}
	stuck.Stop()
	r := rawclient.Reply{}
	if err := client.ReplyChunks(&r); err == nil || r.Body != "early" {
		t.Fatalf("want a body that breaks off, got %q: %v", r.Body, err)
	}
	client.WantEnd()
	if st := s.Router.Stats(); st.ActiveStreams != 1 || st.Aborted != 1 {
		t.Errorf("%d streams in use, %d aborted; want 1 and 1", st.ActiveStreams, st.Aborted)
	}

	stuck.Continue()
	awaitActive(t, s, 0)
	awaitSaid(t, stuck, "over", 1)
	const cancelled = ": worker: request cancelled: deadline passed"
	wantSaid(t, stuck, "tail"+cancelled, "reserve"+cancelled, "write"+cancelled, "flush"+cancelled, "end"+cancelled)
}

func TestARequestThatAStoppedWorkerHasNotTakenTimesOutAndIsNeverServed(t *testing.T) {
	s := harness.Start(t, impatient)
	stuck := s.StartWorker(t, "slots")
	stuck.Stop()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/late")
	client.WantReply("GET", 504)
	awaitActive(t, s, 0) // nothing to wait for: it was taken back

	stuck.Continue()
	client.Begin("GET", "/slots/now")
	if r := client.WantReply("GET", 200); r.Body != "slots" {
		t.Errorf("the next response is %q", r.Body)
	}
	awaitSaid(t, stuck, "took", 1) // what it prints comes later than what it sends
	if took := strings.Count(stuck.Output(), "<took>"); took != 1 {
		t.Errorf("the worker took %d requests, want the second only", took)
	}
}

func TestARequestThatComesBackToAWorkerThatHasPassedItOverIsServed(t *testing.T) {
	s := harness.Start(t, small)
	workers := []*harness.Process{s.StartWorker(t, "handler"), s.StartWorker(t, "handler")}
	for _, w := range workers {
		w.Stop()
	}
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/echo")
	// It is given to one of them, then to the other; the first that goes on passes
	// it over, and is given it again.
	harness.Eventually(t, "the request to be taken back", func() bool { return s.Router.Stats().Retried > 0 })
	first := workers[0]
	first.Continue()
	wantBy(t, client.WantReply("GET", 200), "GET", first, "")
	workers[1].Continue()
	for range 20 {
		wantGood(t, s)
	}
	if st := s.Router.Stats(); st.Failed != 0 || st.Evicted != 0 || st.Retried < 2 { // more, if they were slow
		t.Errorf("%d exchanges failed, %d links evicted, %d requests given to another link; want none, none and 2",
			st.Failed, st.Evicted, st.Retried)
	}
}
