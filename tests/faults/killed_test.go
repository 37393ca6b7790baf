package faults_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// awaitActive waits until so many streams are in use.
func awaitActive(t testing.TB, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, "the streams in use to be as expected", func() bool {
		return s.Router.Stats().ActiveStreams == n
	})
}

// wantBy fails the test unless the reply is an echo by the process.
func wantBy(t testing.TB, r rawclient.Reply, method string, p *harness.Process, body string) {
	t.Helper()
	if want := fmt.Sprintf("%s by %d: %s", method, p.PID(), body); r.Body != want {
		t.Fatalf("the reply is %q, want %q", r.Body, want)
	}
}

func TestARequestThatAStoppedWorkerHasNotTakenIsServedByAnother(t *testing.T) {
	s := harness.Start(t, small)
	first := s.StartWorker(t, "handler")
	first.Stop()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", "/echo", "Content-Length: 4")
	client.Send("body")
	awaitActive(t, s, 1)
	second := s.StartWorker(t, "handler")
	wantBy(t, client.WantReply("POST", 200), "POST", second, "body")

	// The first one passes over what was taken back, and serves again.
	first.Continue()
	second.Kill()
	client.Begin("POST", "/echo", "Content-Length: 4")
	client.Send("next")
	wantBy(t, client.WantReply("POST", 200), "POST", first, "next")
}

func TestARequestThatAKilledWorkerHadNotTakenIsServedByAnother(t *testing.T) {
	s := harness.Start(t, func(c *server.Config) {
		small(c)
		c.Supervised = []string{"default"} // the request waits for the next worker
	})
	first := s.StartWorker(t, "handler")
	first.Stop()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", "/echo", "Content-Length: 4")
	client.Send("body")
	awaitActive(t, s, 1)
	first.Kill()
	harness.Eventually(t, "the death to be noticed", func() bool { return s.Router.Stats().Lost == 1 })
	second := s.StartWorker(t, "handler")
	wantBy(t, client.WantReply("POST", 200), "POST", second, "body")
	if failed := s.Router.Stats().Failed; failed != 0 {
		t.Errorf("%d exchanges failed", failed)
	}
}

// jobs are requests that a worker holds when it dies.
var jobs = []struct {
	name   string
	method string
	body   int
	again  bool // another worker serves it
}{
	{"GET", "GET", 0, true},
	{"PUT with a small body", "PUT", 1000, true},
	{"DELETE", "DELETE", 0, true},
	{"PUT with a body longer than the memory", "PUT", 20 << 20, false},
	{"POST", "POST", 1000, false},
	{"POST without a body", "POST", 0, false},
	{"PATCH", "PATCH", 10, false},
}

func TestARequestWhoseWorkerDiesBeforeItsResponseIsServedAgainIfItMayBe(t *testing.T) {
	for _, job := range jobs {
		t.Run(job.name, func(t *testing.T) {
			s := harness.Start(t, small)
			first := s.StartWorker(t, "handler", holdVariable+"=1")
			body := strings.Repeat("x", job.body)
			client := rawclient.Dial(t, s.Addr)
			client.Begin(job.method, "/job", fmt.Sprintf("Content-Length: %d", job.body))
			client.Send(body)
			awaitSaid(t, first, "holding", 1)
			second := s.StartWorker(t, "handler")
			first.Kill()
			if !job.again {
				client.WantReply(job.method, 502)
				if st := s.Router.Stats(); st.Retried != 0 || st.Evicted != 0 {
					t.Errorf("%d requests served again, %d links evicted, want none", st.Retried, st.Evicted)
				}
				return
			}
			wantBy(t, client.WantReply(job.method, 200), job.method, second, body)
			if retried := s.Router.Stats().Retried; retried != 1 {
				t.Errorf("%d requests served again, want 1", retried)
			}
		})
	}
}

func TestARequestWhoseWorkersDieTwiceFails(t *testing.T) {
	s := harness.Start(t, small)
	client := rawclient.Dial(t, s.Addr)
	first := s.StartWorker(t, "handler", holdVariable+"=1")
	client.Begin("GET", "/job")
	awaitSaid(t, first, "holding", 1)
	second := s.StartWorker(t, "handler", holdVariable+"=1")
	first.Kill()
	awaitSaid(t, second, "holding", 1)
	third := s.StartWorker(t, "handler", holdVariable+"=1")
	second.Kill()
	client.WantReply("GET", 502)
	if strings.Contains(third.Output(), "holding") {
		t.Error("a third worker was given the request")
	}
}

func TestAResponseWhoseWorkerDiesNeverLooksComplete(t *testing.T) {
	for _, query := range []string{"", "?length=20"} {
		t.Run("half"+query, func(t *testing.T) {
			s := harness.Start(t, small)
			p := s.StartWorker(t, "handler")
			client := rawclient.Dial(t, s.Addr)
			client.Begin("GET", "/half"+query)
			awaitSaid(t, p, "halfway", 1)
			p.Kill()
			if body := client.WantBrokenReply("GET", 200); body != "first half" {
				t.Errorf("the body is %q", body)
			}
			if st := s.Router.Stats(); st.Aborted != 1 || st.Retried != 0 {
				t.Errorf("aborted %d, served again %d; want 1 and 0", st.Aborted, st.Retried)
			}
		})
	}
}

func TestAResponseWhoseWorkerDiesResetsItsStreamOfHTTP2(t *testing.T) {
	s := harness.Start(t, small)
	front := httptest.NewUnstartedServer(s.Router)
	front.EnableHTTP2 = true
	front.StartTLS()
	defer front.Close()
	get := func(path string) *http.Response {
		response, err := front.Client().Get(front.URL + path)
		harness.Check(t, err)
		if response.ProtoMajor != 2 || response.StatusCode != 200 {
			t.Fatalf("%s: %s %s", path, response.Proto, response.Status)
		}
		return response
	}
	first := s.StartWorker(t, "handler")
	broken := get("/half")
	awaitSaid(t, first, "halfway", 1)
	first.Kill()
	body, err := io.ReadAll(broken.Body)
	_ = broken.Body.Close()
	if err == nil || !strings.Contains(err.Error(), "stream error") || string(body) != "first half" {
		t.Errorf("want a reset stream, got %q: %v", body, err)
	}
	second := s.StartWorker(t, "handler")
	wantBy(t, rawclient.Reply{Body: string(harness.ReadAll(t, get("/echo").Body))}, "GET", second, "")
}

func TestWhatAKilledWorkerHadNotPublishedIsNeverSent(t *testing.T) {
	for name, want := range map[string]outcome{"unpublished headers": refused, "unpublished body": cutShort} {
		t.Run(name, func(t *testing.T) {
			h := startHostile(t, func(c *server.Config) { c.Memory = 2 * (3 << 20) }) // responses of three links
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Content-Length: 0")
			awaitSaid(t, h.scribbler, "written", 1)
			h.scribbler.Kill()
			if want == refused {
				client.WantReply("POST", 502)
			} else if body := client.WantBrokenReply("POST", 200); body != "published" {
				t.Errorf("the body is %q", body)
			}
			for range 4 { // more than fit at once: the memory of the dead comes back
				p := h.StartWorker(t, "scribbler")
				h.wantScribblerGood(t)
				p.Kill()
				harness.Eventually(t, "the link to go", func() bool { return h.Router.Stats().Links == 1 })
			}
		})
	}
}

func init() {
	scripts["unpublished-headers"] = func(t *turn) {
		t.head(200, proto.Field{Name: "content-length", Value: "6"})
		t.text("secret")
		t.end.Notify(t.lane) // but publish nothing
		t.say("written")
		t.awaitEviction()
	}
	scripts["unpublished-body"] = func(t *turn) {
		t.head(200)
		t.text("published")
		t.publish()
		t.awaitReleased(2)
		t.text("secret")
		t.end.Notify(t.lane)
		t.say("written")
		t.awaitEviction()
	}
}
