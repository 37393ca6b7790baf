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

// A reload of the configuration that takes a pool away, and brings another.
func TestAPoolThatGoesServesItsRequestsToTheEndAndItsWorkersAreTold(t *testing.T) {
	var c server.Config
	s := harness.Start(t, func(config *server.Config) {
		small(config)
		config.Routes = append(config.Routes, server.Route{Prefix: "/slots", Pool: "slots"})
		c = *config
	})
	old := s.StartWorker(t, "slots")
	slow := rawclient.Dial(t, s.Addr)
	slow.Begin("GET", "/slots/ticks")
	if head, err := slow.ReplyHead(); err != nil || head.Status != 200 {
		t.Fatalf("%+v: %v", head, err)
	}
	c.Routes = []server.Route{{Prefix: "/", Pool: "default"}}
	harness.Check(t, s.Router.Reconfigure(c))
	s.StartWorker(t, "handler")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	client.WantReply("GET", 404) // of the other pool, which does not know the path
	r := rawclient.Reply{}
	if err := slow.ReplyChunks(&r); err != nil || r.Body != strings.Repeat("tick ", slotsTicks) {
		t.Errorf("the body is %q, %v", r.Body, err)
	}
	awaitSaid(t, old, "link: worker: link closed: the server said goodbye: no route leads to the pool any more", 1)
	for _, p := range s.Router.Status().Pools {
		if p.Name == "slots" && p.Links > 0 {
			t.Errorf("the pool is still there: %+v", p)
		}
	}
}
