package faults_test

import (
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// What a supervisor does before it ends a process: the next requests go to others, those in
// progress end.
func TestTheRequestsOfADrainedWorkerEndAndTheNextGoToOthers(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		small(c)
		c.Routes = append(c.Routes, server.Route{Prefix: "/slots", Pool: "slots"})
	})
	old := s.StartWorker(t, "slots")
	slow := rawclient.Dial(t, s.Addr)
	slow.Begin("GET", "/slots/ticks")
	if head, err := slow.ReplyHead(); err != nil || head.Status != 200 {
		t.Fatalf("%+v: %v", head, err)
	}
	idle := s.Router.DrainWorker(old.PID())
	other := s.StartWorker(t, "slots")
	client := rawclient.Dial(t, s.Addr)
	for range 20 {
		client.Begin("GET", "/slots/now")
		client.WantReply("GET", 200)
	}
	awaitSaid(t, other, "took", 20)
	select {
	case <-idle:
		t.Error("the worker is idle, and its request goes on")
	default:
	}
	r := rawclient.Reply{}
	if err := slow.ReplyChunks(&r); err != nil || r.Body != strings.Repeat("tick ", slotsTicks) {
		t.Errorf("the body is %q, %v", r.Body, err)
	}
	harness.Receive(t, "the end of the last request", idle)
	if n := s.Router.EvictWorker(old.PID(), "replaced"); n != 1 {
		t.Errorf("%d links evicted, want 1", n)
	}
	awaitSaid(t, old, "link: worker: link closed: refused (evicted): replaced", 1)
}
