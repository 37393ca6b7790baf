package supervise_test

import (
	"cmp"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// supervised is how the server looks after its workers in these tests.
func supervised(more ...string) []string {
	return append([]string{
		"--workers", "2", "--stuck-after", stuckAfter().String(), "--stop-timeout", stopTimeout.String(),
	}, more...)
}

// misdeed is a request that misbehaves, and what came of it.
type misdeed struct {
	method, path string
	id           string // of the response; empty: there was none
	status       int
	begun, ended time.Time
}

// misbehave sends n requests at the same time, and returns what came of them.
func (s *server) misbehave(t testing.TB, method, path string, n int) []misdeed {
	t.Helper()
	deeds := make([]misdeed, n)
	var all sync.WaitGroup
	for i := range deeds {
		all.Go(func() { deeds[i] = s.misbehaveOnce(t, method, path) })
	}
	all.Wait()
	return deeds
}

func (s *server) misbehaveOnce(t testing.TB, method, path string) misdeed {
	d := misdeed{method: method, path: path, begun: time.Now()}
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: harness.Patience}
	request, err := http.NewRequestWithContext(context.Background(), method, s.url+path, http.NoBody)
	if err != nil {
		t.Error(err)
		return d
	}
	response, err := client.Do(request)
	d.ended = time.Now()
	if err == nil {
		d.status, d.id = response.StatusCode, response.Header.Get("X-Request-Id")
		if _, broken := io.Copy(io.Discard, response.Body); broken != nil {
			err = broken
		}
		_ = response.Body.Close()
	}
	if s.note(d.status); err != nil {
		s.note(0)
	}
	return d
}

func TestAPoolServesAgainWhenAllItsWorkersAreStuck(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, k, supervised()...)
			for _, d := range k.deeds {
				t.Run(d.path[1:], func(t *testing.T) { allStuck(t, s, d) })
			}
		})
	}
}

// allStuck has as many requests hang as the workers serve at once, while others come.
func allStuck(t *testing.T, s *server, d deed) {
	before := s.log.count()
	l := startLoad(s, rand.Uint64())
	defer l.stop()
	l.awaitServed(t, time.Time{}, 20)
	begun := time.Now()
	deeds := s.misbehave(t, http.MethodGet, d.path+"?why="+t.Name(), cmp.Or(d.count, processes*s.kind.lanes))
	l.awaitServed(t, time.Now(), 20)
	s.awaitLinks(t)
	l.stop()
	t.Logf("the longest gap: %v", longestGap(l.outcomes(), begun).Round(time.Millisecond))

	wantEnded(t, deeds)
	if gap := longestGap(l.outcomes(), begun); gap > soonEnough() {
		t.Errorf("nobody was served for %v, want %v at most", gap, soonEnough())
	}
	wantServed(t, l.outcomes(), begun, d.whole)
	wantLogged(t, s, before, deeds)
	wantCounted(t, s, "stuck")
	if d.says != "" {
		s.await(t, before, "msg", d.says, "stream", "stderr")
	}
}

// wantEnded checks that requests that hang got an answer, and in time.
func wantEnded(t *testing.T, deeds []misdeed) {
	t.Helper()
	for _, d := range deeds {
		if took := d.ended.Sub(d.begun); d.status != http.StatusGatewayTimeout && d.status != http.StatusBadGateway ||
			took > 2*soonEnough() { // some have waited for others
			t.Errorf("%s: status %d after %v", d.path, d.status, took)
		}
	}
}

// wantServed checks that healthy requests were served, apart from those that were in a process
// which could not go on with them.
func wantServed(t *testing.T, all []outcome, begun time.Time, whole bool) {
	t.Helper()
	var failed []outcome
	for _, o := range all {
		victim := whole && o.ended.After(begun) && o.begun.Before(begun.Add(soonEnough()))
		if o.failed() && !victim {
			failed = append(failed, o)
		}
	}
	if len(failed) > 0 {
		t.Errorf("%d of %d healthy requests were not served:\n%s", len(failed), len(all), describe(failed))
	}
}

// wantLogged checks that the log names a process that was replaced, and one of the requests that
// hung: a few may get their response after the worker was found to be stuck. Processes of the deed
// before may end later than they were replaced.
func wantLogged(t *testing.T, s *server, before int, deeds []misdeed) {
	t.Helper()
	pid := s.await(t, before, "msg", "worker stuck")["pid"]
	harness.Eventually(t, "a record of the end of the process that is stuck", func() bool {
		ended := s.find(before, "msg", "worker process ended", "worker", "web/", "reason", "stuck")
		return slices.ContainsFunc(ended, func(r record) bool { return r["pid"] == pid })
	})
	harness.Eventually(t, "a record that names one of the requests that hung", func() bool {
		return slices.ContainsFunc(deeds, func(d misdeed) bool {
			path, _, _ := strings.Cut(d.path, "?")
			return len(s.find(before, "msg", "request hangs", "method", d.method, "path", path, "id", d.id)) > 0
		})
	})
}

func TestOnlyTheProcessThatIsStuckIsEndedWhenAWorkerForksSeveral(t *testing.T) {
	k := kindNamed(t, "wsgi")
	program := k.program
	k.program = func(t testing.TB) (string, []string) {
		command, env := program(t)
		return command + " --processes 2", env
	}
	t.Parallel()
	s := start(t, k, supervised("--workers", "1")...)
	leader := s.children(t)[0]
	before := s.log.count()
	wantEnded(t, s.misbehave(t, http.MethodGet, "/hang", 1))
	ended := s.await(t, before, "msg", "worker process ended", "worker", "web/0", "reason", "stuck")
	if pid, _ := ended["pid"].(float64); int(pid) == leader {
		t.Errorf("the worker was ended, and not only its process that was stuck: %v", ended)
	}
	s.awaitLinks(t)
	if now := s.children(t); len(now) != 1 || now[0] != leader {
		t.Errorf("the server has the processes %v, and had %d", now, leader)
	}
}

func TestWhatMovesBytesIsNotStuck(t *testing.T) {
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, k, supervised()...)
			before := s.log.count()
			var all sync.WaitGroup
			all.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/slow", http.NoBody)
				harness.Check(t, err)
				wantBody(t, request, strings.Repeat("x", 20))
			})
			all.Go(func() {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/slow-read",
					strings.NewReader(strings.Repeat("x", 20*64<<10)))
				harness.Check(t, err)
				wantBody(t, request, "1310720")
			})
			all.Go(func() { // the client pauses for longer than a worker may
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/echo",
					&pausing{left: 3, pause: 2 * stuckAfter()})
				harness.Check(t, err)
				wantBody(t, request, "...")
			})
			all.Wait()
			if found := s.find(before, "level", "ERROR"); len(found) > 0 {
				t.Errorf("the server found something wrong: %v", found)
			}
			if found := s.find(before, "msg", "worker process ended"); len(found) > 0 {
				t.Errorf("a worker was ended: %v", found)
			}
		})
	}
}

func wantBody(t *testing.T, request *http.Request, want string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Patience}
	if status, err := exchange(client, request, want); err != nil || status != http.StatusOK {
		t.Errorf("%s: status %d, %v", request.URL.Path, status, err)
	}
}
