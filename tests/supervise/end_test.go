package supervise_test

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// ends are the paths that end a process, and what the log says of it. Python and Go say
// themselves how they end.
var ends = []struct{ path, reason, how string }{
	{"/exit", "exit", "exit status 3"}, {"/abort", "signal", "aborted"},
}

func TestARequestThatEndsItsWorkerEndsNoOtherWorkerAndNoRequestThatCanBeServedAgain(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, k, supervised()...)
			for _, e := range ends {
				t.Run(e.path[1:], func(t *testing.T) { endsUnderLoad(t, s, e.path, e.reason, e.how) })
				t.Run(e.path[1:]+" alone", func(t *testing.T) { endsAlone(t, s, e.path, e.reason) })
			}
		})
	}
}

// endsAlone has a request end its worker that could be served again, while nothing else is
// served: no second process must end with it.
func endsAlone(t *testing.T, s *server, path, reason string) {
	before := s.log.count()
	d := s.misbehaveOnce(t, http.MethodGet, path+"?alone")
	s.await(t, before, "msg", "worker process ended", "reason", reason)
	s.awaitLinks(t)
	if d.status != http.StatusBadGateway {
		t.Errorf("status %d", d.status)
	}
	if n := len(s.find(before, "msg", "worker process ended")); n != 1 {
		t.Errorf("%d processes have ended", n)
	}
	if len(s.find(before, "level", "ERROR", "id", d.id, "path", path)) == 0 {
		t.Errorf("no record names the request %s", d.id)
	}
}

// endsUnderLoad has a request end its worker that must not be served again, while others come.
func endsUnderLoad(t *testing.T, s *server, path, reason, how string) {
	before := s.log.count()
	l := startLoad(s, rand.Uint64())
	defer l.stop()
	l.awaitServed(t, time.Time{}, 20)
	begun := time.Now()
	deeds := s.misbehave(t, http.MethodPost, path, 1)
	l.awaitServed(t, time.Now(), 20)
	s.awaitLinks(t)
	l.stop()

	wantEnded(t, deeds)
	ended := s.find(before, "msg", "worker process ended")
	if len(ended) != 1 || !has(ended[0], []string{"reason", reason, "how", how, "worker", "web/"}) {
		t.Errorf("one process ends (%s, %s), not: %v", reason, how, ended)
	}
	if gap := longestGap(l.outcomes(), begun); gap > recovery+otherWork {
		t.Errorf("nobody was served for %v", gap)
	}
	wantOnlyWorkersLost(t, l.outcomes(), begun)
	wantCounted(t, s, reason)
}

// wantOnlyWorkersLost checks that healthy requests failed only as docs/faults.md says of
// those whose worker dies: not if they are idempotent and no response has begun, else with
// 502, or in the middle; a client that still sends may see only that its connection closes.
func wantOnlyWorkersLost(t *testing.T, all []outcome, begun time.Time) {
	t.Helper()
	var failed []outcome
	for _, o := range all {
		inFlight := o.begun.Before(begun.Add(soonEnough())) && o.ended.After(begun)
		lost := !o.task.idempotent && inFlight &&
			(o.status == http.StatusBadGateway || o.status == http.StatusOK || o.status == 0)
		if o.failed() && !lost {
			failed = append(failed, o)
		}
	}
	if len(failed) > 0 {
		t.Errorf("%d of %d healthy requests failed otherwise than their worker's death explains:\n%s",
			len(failed), len(all), describe(failed))
	}
}

func TestAWorkerThatHasEatenTooMuchIsReplacedWithoutAFailure(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, k, supervised("--recycle-memory", "96MiB", "--stuck-after", "10s")...)
			before := s.log.count()
			l := startLoad(s, rand.Uint64())
			defer l.stop()
			l.awaitServed(t, time.Time{}, 20)
			begun := time.Now()
			if deeds := s.misbehave(t, http.MethodPost, "/eat", 1); deeds[0].status != http.StatusOK {
				t.Errorf("/eat: status %d", deeds[0].status)
			}
			s.await(t, before, "msg", "worker process ended", "worker", "web/", "reason", "memory")
			l.awaitServed(t, time.Now(), 20)
			s.awaitLinks(t)
			l.stop()
			wantServed(t, l.outcomes(), begun, false)
			wantCounted(t, s, "memory")
		})
	}
}

func TestAnAppThatDiesAtItsStartIsGivenUpAndServedWhenItIsMended(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			marker := filepath.Join(t.TempDir(), "dies")
			harness.Check(t, os.WriteFile(marker, nil, 0o600))
			s := startOnly(t, k, []string{diesVariable + "=" + marker},
				supervised("--give-up-after", "2")...)
			s.await(t, 0, "level", "ERROR", "msg", "no worker of the pool comes up", "how", "exit status")

			asked := s.misbehaveOnce(t, http.MethodGet, "/ok")
			if took := asked.ended.Sub(asked.begun); asked.status != http.StatusServiceUnavailable || took > otherWork {
				t.Errorf("status %d after %v, want 503 at once", asked.status, took)
			}
			if n := s.printed("dies at its start"); n == 0 || n > 2*processes {
				t.Errorf("the reason was printed %d times", n)
			}
			harness.Check(t, os.Remove(marker))
			s.awaitLinks(t)
			if asked := s.misbehaveOnce(t, http.MethodGet, "/ok"); asked.status != http.StatusOK {
				t.Errorf("status %d when it is mended", asked.status)
			}
			wantCounted(t, s, "exit")
		})
	}
}

// printed returns how many records of the workers' output have a text.
func (s *server) printed(text string) (n int) {
	for _, r := range s.log.since(0) {
		if r.text("stream") != "" && strings.Contains(r.text("msg"), text) {
			n++
		}
	}
	return n
}
