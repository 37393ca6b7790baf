package supervise_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// cell is one misdeed in one kind of worker.
type cell struct {
	kind, misdeed string
	times         int           // it was done
	gap           time.Duration // the longest time in which nobody was served
	served        int           // healthy requests
	failed        map[int]int   // by status; 0: the response broke off, or there was none
}

// table is the cells of all kinds.
type table struct {
	mu    sync.Mutex
	cells []cell
}

func (b *table) add(c cell) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cells = append(b.cells, c)
}

// String returns a row for each cell, by kind.
func (b *table) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	slices.SortStableFunc(b.cells, func(a, b cell) int { return strings.Compare(a.kind, b.kind) })
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "worker\tmisdeed\ttimes\tlongest gap\thealthy served\thealthy failed")
	for _, c := range b.cells {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.2f s\t%d\t%s\n", c.kind, c.misdeed, c.times, c.gap.Seconds(), c.served,
			statuses(c.failed))
	}
	_ = w.Flush()
	return text.String()
}

// statuses returns how many requests failed, by status.
func statuses(failed map[int]int) string {
	if len(failed) == 0 {
		return "none"
	}
	var list []string
	for _, status := range slices.Sorted(maps.Keys(failed)) {
		what := fmt.Sprint(status)
		if status == 0 {
			what = "broken off"
		}
		list = append(list, fmt.Sprintf("%d x %s", failed[status], what))
	}
	return strings.Join(list, ", ")
}

// alone is a misdeed that is done by itself again and again, while healthy requests come. Do does it
// once, and returns the requests, and when the pool could serve again at the earliest, if that is
// not at once.
type alone struct {
	name   string
	reason string   // with which processes end
	more   []string // arguments of the server
	do     func(t *testing.T, s *server, round int) (deeds []misdeed, mended time.Time)
}

// misdeeds are those of which each is done alone. What a worker without an event loop does in place
// of a deadlock in it is in its deeds.
func misdeeds() []alone {
	list := []alone{
		{"eat", "memory", []string{"--recycle-memory", "96MiB", "--stuck-after", "10s"}, eatOnce}, // it may take long
		{"exit", "exit", nil, exitOnce}, {"die at import", "exit", nil, dieOnce},
	}
	for _, name := range []string{"deadlock", "spin", "sleep", "hang"} {
		list = slices.Insert(list, 0, alone{name, "stuck", nil, getStuck(name)})
	}
	return list
}

// getStuck returns what has as many requests get stuck as the workers serve at once.
func getStuck(name string) func(*testing.T, *server, int) ([]misdeed, time.Time) {
	return func(t *testing.T, s *server, _ int) ([]misdeed, time.Time) {
		d := s.kind.deed(name)
		deeds := s.misbehave(t, http.MethodGet, d.path, cmp.Or(d.count, processes*s.kind.lanes))
		wantEnded(t, deeds)
		return deeds, time.Time{}
	}
}

// deed returns the deed of a name.
func (k *kind) deed(name string) deed {
	i := slices.IndexFunc(k.deeds, func(d deed) bool { return d.path == "/"+name })
	if i < 0 && name == "deadlock" {
		return k.deed("gil")
	}
	return k.deeds[i]
}

func eatOnce(t *testing.T, s *server, _ int) ([]misdeed, time.Time) {
	before := s.log.count()
	if d := s.misbehaveOnce(t, http.MethodPost, "/eat"); d.status != http.StatusOK {
		t.Errorf("/eat: status %d", d.status)
	}
	s.await(t, before, "msg", "worker process ended", "reason", "memory")
	return nil, time.Time{}
}

func exitOnce(t *testing.T, s *server, _ int) ([]misdeed, time.Time) {
	deeds := s.misbehave(t, http.MethodPost, "/exit", 1)
	wantEnded(t, deeds)
	return deeds, time.Time{}
}

// dieOnce has the worker, or every second time all workers, end, and those that follow die at
// their start, twice each, until what is wrong is mended.
func dieOnce(t *testing.T, s *server, round int) ([]misdeed, time.Time) {
	before := s.log.count()
	harness.Check(t, os.WriteFile(s.dies, nil, 0o600))
	var deeds []misdeed
	workers := map[string]bool{}
	for n := 0; n < 1+round%processes; { // one after the other: each ends a worker of its own
		d := s.misbehaveOnce(t, http.MethodPost, "/exit")
		deeds = append(deeds, d)
		if d.status == http.StatusBadGateway {
			n++
		}
	}
	wantEnded(t, deeds)
	for _, r := range s.find(before, "msg", "worker process ended", "how", "exit status 3") {
		workers[r.text("worker")] = true
	}
	for worker := range workers {
		harness.Eventually(t, worker+" to die at its start", func() bool {
			return len(s.find(before, "msg", "worker process ended", "worker", worker)) > 2
		})
	}
	harness.Check(t, os.Remove(s.dies))
	return deeds, time.Now()
}

// Each misdeed alone, for as long as -supervise.time says, in all kinds of worker, under a server for
// each: at the same time, unless it takes processors.
func TestAPoolServesAgainWhateverAHandlerDoesAgainAndAgain(t *testing.T) {
	if *superviseTime == 0 {
		t.Skip("the tests of each misdeed have done it once: this is for make soak-supervise")
	}
	var all table
	for _, a := range misdeeds() {
		t.Run(a.name, func(t *testing.T) {
			for _, k := range kinds(t) {
				t.Run(k.name, func(t *testing.T) {
					if a.name != "spin" { // which leaves the others no processor
						t.Parallel()
					}
					all.add(again(t, k, a, *superviseTime))
				})
			}
		})
	}
	t.Logf("each for %v, --stuck-after %v, %d clients:\n%s", *superviseTime, stuckAfter(), clients, all.String())
}

// again has a handler of one kind of worker do something again and again.
func again(t *testing.T, k kind, a alone, length time.Duration) cell {
	dies := filepath.Join(t.TempDir(), "dies")
	s := startWith(t, k, []string{diesVariable + "=" + dies}, supervised(a.more...)...)
	s.dies = dies
	c := cell{kind: k.name, misdeed: a.name, failed: map[int]int{}}
	l := startLoad(s, rand.Uint64())
	defer l.stop()
	l.awaitServed(t, time.Time{}, 20)
	var deeds []misdeed
	var rounds []time.Time // when the pool could serve
	begun := time.Now()
	for ; time.Since(begun) < length && !t.Failed(); c.times++ {
		rounds = append(rounds, time.Now())
		list, mended := a.do(t, s, c.times)
		if deeds = append(deeds, list...); !mended.IsZero() {
			c.gap = max(c.gap, longestGapBefore(l.outcomes(), rounds[len(rounds)-1], deeds[len(deeds)-1].ended))
			rounds[len(rounds)-1] = mended
		}
		l.awaitServed(t, time.Now(), 5)
		s.awaitLinks(t)
		c.gap = max(c.gap, longestGap(l.outcomes(), rounds[len(rounds)-1]))
	}
	l.stop()

	for _, o := range l.outcomes() {
		switch {
		case !o.failed():
			c.served++
		case o.err != nil:
			c.failed[0]++
		default:
			c.failed[o.status]++
		}
	}
	if c.gap > soonEnough() {
		t.Errorf("nobody was served for %v, want %v at most", c.gap, soonEnough())
	}
	wantExcused(t, s, a, l.outcomes())
	wantNamed(t, s, deeds)
	wantCounted(t, s, a.reason)
	return c
}

// wantExcused checks that healthy requests failed only if docs/faults.md says so: not where a
// misdeed keeps nothing but its own lane, and else only with their worker.
func wantExcused(t *testing.T, s *server, a alone, all []outcome) {
	t.Helper()
	if a.reason == "memory" || a.reason == "stuck" && !s.kind.deed(a.name).whole {
		wantServed(t, all, time.Time{}, false)
		return
	}
	wantExplained(t, s, all)
}

// wantNamed checks that the log has each request that failed, by its id.
func wantNamed(t *testing.T, s *server, deeds []misdeed) {
	t.Helper()
	named := map[string]bool{}
	for _, r := range s.log.since(0) {
		if r.text("level") == "WARN" || r.text("level") == "ERROR" {
			named[r.text("id")] = true
		}
	}
	for _, d := range deeds {
		if !named[d.id] || d.id == "" {
			t.Errorf("no record names %s %s, status %d, id %q", d.method, d.path, d.status, d.id)
		}
	}
}
