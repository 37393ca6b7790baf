package slots_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	protoattach "github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
	"github.com/wavey-ai/upload-response/worker"
)

func TestNextEndsWithItsContextAndWithTheLink(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	ctx, cancel := context.WithCancel(patience(t))
	ended := make(chan error, 1)
	wait := func() {
		_, err := l.Next(ctx)
		ended <- err
	}
	go wait()
	cancel()
	wantError(t, "Next", <-ended, context.Canceled)
	ctx = patience(t)
	go wait()
	harness.Check(t, l.Close())
	wantError(t, "Next", <-ended, worker.ErrClosed)
	<-l.Done()
	harness.Check(t, l.Close()) // again
}

func TestAClosedLinkLeavesItsRequestsCancelled(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c, r := beginUpload(t, s, l)
	harness.Check(t, l.Close())
	<-r.Done()
	var cancelled *worker.CancelledError
	if !errors.As(r.Cancelled(), &cancelled) || cancelled.Reason != shm.ReasonServerGone {
		t.Errorf("cancelled: %v", r.Cancelled())
	}
	c.Want("POST", http.StatusBadGateway)
	slot, err := r.TryTail(1) // the memory of a request stays until the request has ended
	if err == nil && len(slot.Bytes) == 0 {
		t.Error("an empty headers slot")
	}
	r.Abort()
}

func TestADrainedLinkFinishesWhatItHasAndGetsNoMore(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c, r := beginUpload(t, s, l)
	other := attach(t, s)
	drained := make(chan error, 1)
	go func() { drained <- l.Drain(patience(t)) }()
	for range 100 { // until the server has heard of it, some may still go to l
		select {
		case err := <-drained:
			t.Fatalf("drained with a request in progress: %v", err)
		default:
		}
		c2 := rawclient.Dial(t, s.Addr)
		c2.Begin("GET", "/")
		answer(t, nextOf(t, l, other), "other")
		c2.Want("GET", http.StatusOK)
	}
	c.Finish()
	wantSlot(t, r, 2, worker.End, "")
	answer(t, r, "last")
	if got := c.Want("POST", http.StatusOK); got != "last" {
		t.Errorf("%q", got)
	}
	harness.Check(t, <-drained)
	_, err := l.Next(patience(t))
	wantError(t, "Next", err, worker.ErrClosed)
	harness.Eventually(t, "the link to be gone", func() bool { return s.Router.Stats().Links == 1 })
	if st := s.Router.Stats(); st.Lost != 0 || st.Evicted != 0 || st.Failed != 0 {
		t.Errorf("%+v", st)
	}
}

// nextOf returns the next request of either link.
func nextOf(t *testing.T, links ...*worker.Link) *worker.Request {
	t.Helper()
	ctx, cancel := context.WithCancel(patience(t))
	defer cancel()
	got := make(chan *worker.Request, len(links))
	for _, l := range links {
		go func() {
			r, _ := l.Next(ctx)
			got <- r
		}()
	}
	for range links {
		if r := <-got; r != nil {
			return r
		}
	}
	t.Fatal("no request came")
	return nil
}

func TestADrainThatTakesTooLongClosesTheLink(t *testing.T) {
	s := harness.Start(t, nil)
	l := attach(t, s)
	c, r := beginUpload(t, s, l)
	ctx, cancel := context.WithCancel(patience(t))
	cancel()
	wantError(t, "Drain", l.Drain(ctx), context.Canceled)
	<-r.Done()
	r.Abort()
	c.Want("POST", http.StatusBadGateway)
}

func TestALinkKnowsItsServer(t *testing.T) {
	s := harness.Start(t, nil)
	name, pid, instance := attach(t, s).Server()
	if !strings.HasPrefix(name, "upload-response/") || pid != os.Getpid() || instance == 0 {
		t.Errorf("server %q, process %d, instance %d", name, pid, instance)
	}
}

func TestAPoolThatNobodyRoutesToIsRefusedForGood(t *testing.T) {
	s := harness.Start(t, nil)
	err := worker.Serve(patience(t), s.Socket, http.NotFoundHandler(), worker.WithPool("nobody"))
	var refusal *protoattach.Refusal
	if !errors.As(err, &refusal) || refusal.Code != protoattach.CodePool || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeAttachesAgainToAServerThatIsBack(t *testing.T) {
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	first := e2etest.StartServer(t, socket, e2etest.SmallServer(), harness.Patience)
	a := e2etest.StartAppFor(t, first, socket)
	e2etest.WantStatus(t, fetch(t, first, "/first"), http.StatusOK)
	waiting := rawclient.Dial(t, first.Addr)
	waiting.Begin("GET", "/wait?id=killed")
	a.AwaitSaid(t, "waiting killed")
	first.Kill()
	a.AwaitSaid(t, "wait killed: context canceled, worker: request cancelled: server gone")

	second := e2etest.StartServer(t, socket, e2etest.SmallServer(), harness.Patience) // over what the first left behind
	harness.Eventually(t, "the app to attach again", func() bool {
		return strings.Contains(second.Output(), "link attached")
	})
	e2etest.WantStatus(t, fetch(t, second, "/second"), http.StatusOK)
	a.AwaitSaid(t, ">> GET /second")
}

// fetch gets a path of a server process.
func fetch(t *testing.T, p *e2etest.ServerProcess, path string) *http.Response {
	t.Helper()
	response, err := http.Get(p.URL(path))
	harness.Check(t, err)
	return response
}

func TestAWorkerThatIsAskedToEndFinishesWhatItHas(t *testing.T) {
	s, a := e2etest.StartBoth(t, func(c *server.Config) { c.QueueTime = 50 * time.Millisecond })
	running := e2etest.StartHold(t, s)
	a.Signal(syscall.SIGTERM)
	harness.Eventually(t, "new requests to be refused", func() bool {
		response := e2etest.Get(t, s, "/late")
		harness.ReadAll(t, response.Body)
		return response.StatusCode == http.StatusServiceUnavailable
	})
	running.Finish()
	running.WantEnd()
	if status := a.Wait(); status != 0 || !strings.Contains(a.Output(), "\nserved\n") {
		t.Errorf("exit status %d", status)
	}
	if st := s.Router.Stats(); st.Lost != 0 {
		t.Errorf("%d links were lost", st.Lost)
	}
}
