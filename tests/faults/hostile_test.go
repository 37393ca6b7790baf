package faults_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// smallSlot is the slot size of the tests' servers: several slots make a short
// test.
const smallSlot = 16 << 10

// small is a configuration with little memory and short deadlines.
func small(c *server.Config) {
	c.SlotSize, c.NumStreams, c.MaxLinks = smallSlot, 8, 16
	c.Memory, c.LinkMemory = 32<<20, 1<<20
	c.HeaderLimit = smallSlot
	c.ResponseTimeout = 5 * time.Second
}

// hostile is a server with a scribbler in the pool "bad", behind the path /bad,
// and a good worker in the pool that serves the rest.
type hostile struct {
	*harness.Server
	scribbler *harness.Process
}

func startHostile(t testing.TB, change func(*server.Config)) *hostile {
	t.Helper()
	s := harness.Start(t, func(c *server.Config) {
		small(c)
		c.Routes = append(c.Routes, server.Route{Prefix: "/bad", Pool: "bad"})
		c.Supervised = []string{"bad"} // requests wait while the scribbler attaches again
		if change != nil {
			change(c)
		}
	})
	h := &hostile{Server: s, scribbler: s.StartWorker(t, "scribbler")}
	s.StartWorker(t, "handler")
	return h
}

// awaitSaid waits until a worker has said something n times.
func awaitSaid(t testing.TB, p *harness.Process, what string, n int) {
	t.Helper()
	harness.Eventually(t, "the worker to say "+what, func() bool {
		return strings.Count(p.Output(), "<"+what+">") >= n
	})
}

// wantGood fails the test unless the good worker answers.
func wantGood(t testing.TB, s *harness.Server) {
	t.Helper()
	response, err := s.Client.Get(s.URL + "/echo")
	harness.Check(t, err)
	body := string(harness.ReadAll(t, response.Body))
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(body, "GET by ") {
		t.Fatalf("the good worker's answer is %d %q", response.StatusCode, body)
	}
}

// wantEvicted fails the test unless exactly so many links have been evicted since
// the count was before.
func (h *hostile) wantEvicted(t testing.TB, before int64, want int64) {
	t.Helper()
	harness.Eventually(t, "the eviction to be counted", func() bool { return h.Router.Stats().Evicted-before >= want })
	if got := h.Router.Stats().Evicted - before; got != want {
		t.Fatalf("%d links evicted, want %d", got, want)
	}
}

// wantScribblerGood fails the test unless the scribbler, attached again if need
// be, answers a request that it has no reason to spoil.
func (h *hostile) wantScribblerGood(t testing.TB) {
	t.Helper()
	client := rawclient.Dial(t, h.Server.Addr)
	client.Begin("POST", "/bad/good", "Content-Length: 0")
	wantOutcome(client, whole)
}

// wantOutcome reads a scribbler's response to a POST.
func wantOutcome(w *rawclient.HTTP1, o outcome) {
	w.T.Helper()
	switch o {
	case whole:
		if r := w.WantReply("POST", 200); r.Body != "good" {
			w.T.Fatalf("the body is %q", r.Body)
		}
	case refused:
		w.WantReply("POST", 502)
	case cutShort:
		w.WantBrokenReply("POST", 200)
	}
}
