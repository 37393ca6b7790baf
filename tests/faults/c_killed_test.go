package faults_test

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestARequestThatAKilledCWorkerHadNotTakenIsServedByAnother(t *testing.T) {
	s, first := startWithC(t, nil)
	first.Stop()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", "/c/echo", "Content-Length: 4")
	client.Send("body")
	awaitActive(t, s, 1)
	first.Kill()
	harness.Eventually(t, "the death to be noticed", func() bool { return s.Router.Stats().Lost == 1 })
	second := startC(t, s)
	wantBy(t, client.WantReply("POST", 200), "POST", second, "body")
	if failed := s.Router.Stats().Failed; failed != 0 {
		t.Errorf("%d exchanges failed", failed)
	}
}

func TestACWorkerPassesOverWhatWasTakenBackAndServesOn(t *testing.T) {
	s, first := startWithC(t, nil)
	first.Stop()
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", "/c/echo", "Content-Length: 4")
	client.Send("body")
	awaitActive(t, s, 1)
	second := startC(t, s)
	wantBy(t, client.WantReply("POST", 200), "POST", second, "body")
	first.Continue()
	second.Kill()
	client.Begin("POST", "/c/echo", "Content-Length: 4")
	client.Send("next")
	wantBy(t, client.WantReply("POST", 200), "POST", first, "next")
}

func TestARequestWhoseCWorkerDiesBeforeItsResponseIsServedAgainIfItMayBe(t *testing.T) {
	for _, job := range jobs {
		t.Run(job.name, func(t *testing.T) {
			s, first := startWithC(t, nil, "FAULTY=/hold")
			client := rawclient.Dial(t, s.Addr)
			client.Begin(job.method, "/c/job", fmt.Sprintf("Content-Length: %d", job.body))
			client.Send(strings.Repeat("x", job.body))
			awaitSaid(t, first, "holding", 1)
			second := startC(t, s)
			first.Kill()
			if job.again {
				wantBy(t, client.WantReply(job.method, 200), job.method, second, strings.Repeat("x", job.body))
			} else {
				client.WantReply(job.method, 502)
			}
			if retried := s.Router.Stats().Retried; retried != 0 != job.again {
				t.Errorf("%d requests served again", retried)
			}
		})
	}
}

func TestAResponseWhoseCWorkerDiesNeverLooksComplete(t *testing.T) {
	for _, path := range []string{"/half", "/half-declared"} {
		t.Run(path, func(t *testing.T) {
			s, p := startWithC(t, nil)
			client := rawclient.Dial(t, s.Addr)
			client.Begin("GET", "/c"+path)
			awaitSaid(t, p, "halfway", 1)
			p.Kill()
			if body := client.WantBrokenReply("GET", 200); body != "first half" {
				t.Errorf("the body is %q", body)
			}
		})
	}
}

func TestWhatAKilledCWorkerHadNotPublishedIsNeverSent(t *testing.T) {
	for path, want := range map[string]outcome{"/unpublished-headers": refused, "/unpublished-body": cutShort} {
		t.Run(path, func(t *testing.T) {
			s, p := startWithC(t, func(c *server.Config) { c.Memory = 2 * (2 << 20) }) // responses of two links
			client := rawclient.Dial(t, s.Addr)
			client.Begin("POST", "/c"+path, "Content-Length: 0")
			awaitSaid(t, p, "written", 1)
			p.Kill()
			if want == refused {
				client.WantReply("POST", 502)
			} else if body := client.WantBrokenReply("POST", 200); body != "published" {
				t.Errorf("the body is %q", body)
			}
			for range 3 { // more than fit at once: the memory of the dead comes back
				p := startC(t, s)
				wantServes(t, s, p)
				p.Kill()
				harness.Eventually(t, "the link to go", func() bool { return s.Router.Stats().Links == 0 })
			}
		})
	}
}

func TestAForkedChildHasNoPartInTheLinkAndItsEndIsNotTheLinks(t *testing.T) {
	for _, bell := range bells {
		t.Run(bell, func(t *testing.T) {
			s, p := startWithC(t, nil, bell)
			client := rawclient.Dial(t, s.Addr)
			client.Begin("POST", "/c/fork", "Content-Length: 4")
			client.Send("body")
			wantBy(t, client.WantReply("POST", 200), "POST", p, "body")
			wantSaid(t, p, "child 0: 0", "child 1: 0", "parent maps")
			wantServes(t, s, p)
			if st := s.Router.Stats(); st.Links != 1 || st.Lost != 0 {
				t.Errorf("%d links, %d lost; want 1 and none", st.Links, st.Lost)
			}
		})
	}
}

// A child that was forked keeps the parent's connection open, which is how the
// server sees a death: README.md of the C SDK says so.
func TestTheDeathOfAParentIsSeenWhenItsLastChildHasEnded(t *testing.T) {
	s, p := startWithC(t, nil)
	client := rawclient.Dial(t, s.Addr)
	client.Begin("POST", "/c/fork-and-stay", "Content-Length: 0")
	awaitSaid(t, p, "holding", 1)
	_, rest, _ := strings.Cut(p.Output(), "<child>")
	number, _, _ := strings.Cut(rest, "\n")
	child, err := strconv.Atoi(number)
	harness.Check(t, err)
	harness.Check(t, syscall.Kill(p.PID(), syscall.SIGKILL))
	harness.Check(t, syscall.Kill(child, syscall.SIGKILL))
	client.WantReply("POST", 502)
	p.Wait() // the output of the worker ends with the child
}

func TestAProgramThatACWorkerStartsInheritsNothing(t *testing.T) {
	for _, bell := range bells {
		t.Run(bell, func(t *testing.T) {
			s, p := startWithC(t, nil, bell)
			got := getC(t, s, "/exec").Body
			if !strings.Contains(got, "/proc/") || !strings.Contains(got, "[stack]") {
				t.Fatalf("the child could not list what it has:\n%s", got)
			}
			for _, mark := range append(ours, "anon_inode:[eventpoll]") {
				if strings.Contains(got, mark) {
					t.Errorf("the child has %q:\n%s", mark, got)
				}
			}
			wantServes(t, s, p)
		})
	}
}
