package faults_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// family is the worker processes that a test has started, as their supervisor knows them.
type family struct {
	mu      sync.Mutex
	members map[int]*harness.Process
	killed  bool // by the test
}

func (f *family) start(t *testing.T, s *harness.Server, env ...string) *harness.Process {
	t.Helper()
	p := s.StartWorker(t, "slots", env...)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.members == nil {
		f.members = map[int]*harness.Process{}
	}
	f.members[p.PID()] = p
	return p
}

func (f *family) ended(ctx context.Context, leader int) server.WorkerEnd {
	f.mu.Lock()
	p, killed := f.members[leader], f.killed
	f.mu.Unlock()
	select {
	case <-p.Ended():
		return server.WorkerEnd{Known: true, OfItsOwn: !killed, How: p.How()}
	case <-ctx.Done():
		return server.WorkerEnd{}
	}
}

func (f *family) kill(p *harness.Process) {
	f.mu.Lock()
	f.killed = true
	f.mu.Unlock()
	p.Kill()
}

// config is one whose workers the server knows to be started.
func (f *family) config(c *server.Config) {
	impatient(c)
	c.ResponseTimeout = harness.Patience
	c.Supervised = []string{"slots"}
	c.Started = func(pid int) (pool string, leader int) { return "slots", pid }
	c.Ended = f.ended
}

func TestARequestThatEndsItsWorkerTakesNoSecondOne(t *testing.T) {
	for _, method := range []string{"GET", "POST"} {
		t.Run(method, func(t *testing.T) {
			var f family
			s := harness.Start(t, f.config)
			f.start(t, s)
			f.start(t, s)
			client := rawclient.Dial(t, s.Addr)
			client.Begin(method, "/slots/exit?token=secret", "Content-Length: 0")
			id := client.WantReply(method, 502).Header["x-request-id"]
			harness.Eventually(t, "the log", func() bool {
				return strings.Contains(s.Log.String(), "request not served again")
			})
			log := s.Log.String()
			for _, want := range []string{"path=/slots/exit ", "method=" + method, "id=" + id, `how="exit status 3"`} {
				if !strings.Contains(log, want) {
					t.Errorf("the log does not say %s", want)
				}
			}
			client.Begin("GET", "/slots/now")
			client.WantReply("GET", 200)
			// It may have been taken back from a worker that was slow to take it: that is a retry, too.
			harness.Eventually(t, "the loss of one link of two", func() bool {
				st := s.Router.Stats()
				return st.Links == 1 && st.Lost == 1 && st.Poisoned == 1
			})
		})
	}
}

func TestARequestWhoseWorkerIsKilledIsServedByAnother(t *testing.T) {
	var f family
	s := harness.Start(t, f.config)
	first := f.start(t, s, slotsHang+"=1")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	awaitSaid(t, first, "took", 1)
	f.start(t, s)
	f.kill(first)
	client.WantReply("GET", 200)
	if st := s.Router.Stats(); st.Poisoned != 0 || st.Retried != 1 {
		t.Errorf("%d poisoned, %d retried; want 0 and 1", st.Poisoned, st.Retried)
	}
}

func TestAPoolCanHaveNoRequestServedAgain(t *testing.T) {
	var f family
	s := harness.Start(t, func(c *server.Config) {
		f.config(c)
		c.PoolConfigs = map[string]server.PoolConfig{"slots": {Retries: &server.Retries{OnRefused: true}}}
	})
	first := f.start(t, s, slotsHang+"=1")
	client := rawclient.Dial(t, s.Addr)
	client.Begin("GET", "/slots/now")
	awaitSaid(t, first, "took", 1)
	f.start(t, s)
	f.kill(first)
	client.WantReply("GET", 502)
}

func TestARouteCanHaveNoRequestServedAgain(t *testing.T) {
	var f family
	s := harness.Start(t, func(c *server.Config) {
		f.config(c)
		c.Routes = []server.Route{
			{Match: server.Match{Paths: []string{"/slots/now"}}, Pool: "slots",
				Retries: &server.Retries{OnRefused: true}},
			{Prefix: "/", Pool: "slots"},
		}
	})
	for path, want := range map[string]int{"/slots/now": 502, "/slots/now/again": 200} {
		first := f.start(t, s, slotsHang+"=1")
		client := rawclient.Dial(t, s.Addr)
		client.Begin("GET", path)
		awaitSaid(t, first, "took", 1)
		second := f.start(t, s)
		f.kill(first)
		client.WantReply("GET", want)
		f.kill(second)
		harness.Eventually(t, "the end of the second", func() bool { return s.Router.Stats().Links == 0 })
	}
}
