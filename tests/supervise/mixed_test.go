package supervise_test

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// shortMix is how long all misbehave together in the short run.
const shortMix = 3 * time.Second

// mostTogether is how many misbehave at the same moment: each can take a process away.
const mostTogether = processes

func TestAPoolServesAgainWhateverItsHandlersDoTogether(t *testing.T) {
	seed, length := *superviseSeed, *superviseTime
	if seed == 0 {
		seed = rand.Uint64()
	}
	if length == 0 {
		length = shortMix
	}
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			if *superviseTime == 0 {
				t.Parallel()
			}
			t.Logf("-supervise.seed %d", seed)
			mixed(t, k, seed, length)
		})
	}
}

// mixed has handlers do what they should not, some at the same moment, in an order of chance,
// and again when the pool serves again.
func mixed(t *testing.T, k kind, seed uint64, length time.Duration) {
	s := start(t, k, supervised("--recycle-memory", "96MiB")...)
	paths := []string{"/exit", "/abort", "/eat", "/slow"}
	for _, d := range k.deeds {
		paths = append(paths, d.path)
	}
	l := startLoad(s, seed)
	defer l.stop()
	l.awaitServed(t, time.Time{}, 20)
	random, begun, bursts := rand.New(rand.NewPCG(seed, 99)), time.Now(), 0
	for ; time.Since(begun) < length; bursts++ {
		var all sync.WaitGroup
		for range 1 + random.IntN(mostTogether) {
			method, path := []string{http.MethodGet, http.MethodPost}[random.IntN(2)], paths[random.IntN(len(paths))]
			all.Go(func() { s.misbehaveOnce(t, method, path) })
		}
		all.Wait()
		l.awaitServed(t, time.Now(), 5)
	}
	calmSince := time.Now().Add(stuckAfter() + recovery)
	l.awaitServed(t, calmSince, 20)
	s.awaitLinks(t)
	l.stop()

	outcomes := l.outcomes()
	count := map[int]int{}
	var calm []outcome
	for _, o := range outcomes {
		count[o.status]++
		if o.begun.After(calmSince) {
			calm = append(calm, o)
		}
	}
	t.Logf("%d times; healthy requests by status: %v; the longest gap: %v", bursts, count, longestGap(outcomes, begun))
	wantServed(t, calm, calmSince, false)
	wantExplained(t, s, outcomes)
	wantCounted(t, s)
	if gap := longestGap(outcomes, begun); gap > soonEnough() {
		t.Errorf("nobody was served for %v, want %v at most", gap, soonEnough())
	}
}

// wantExplained checks that healthy requests failed only in ways that docs/faults.md has for
// those whose worker dies or hangs: 504, 502, or in the middle of the response; but 502 for an
// idempotent one only if two workers died with it, which the log says.
func wantExplained(t *testing.T, s *server, all []outcome) {
	t.Helper()
	var failed []outcome
	lost := 0
	for _, o := range all {
		switch {
		case o.status == http.StatusBadGateway && o.task.idempotent:
			lost++
		case o.status == 0 && !o.task.idempotent:
			// the connection closed after a response for which the client did not look: it still sent
		case o.status != http.StatusOK && o.status != http.StatusBadGateway && o.status != http.StatusGatewayTimeout:
			failed = append(failed, o)
		}
	}
	if len(failed) > 0 {
		t.Errorf("%d of %d healthy requests failed in a way that nothing explains:\n%s", len(failed), len(all),
			describe(failed))
	}
	named := 0
	for _, o := range tasks[1:3] { // those that are idempotent, once each
		named += len(s.find(0, "msg", "one more worker died with it", "method", o.method, "path", o.path))
	}
	if lost > named {
		t.Errorf("%d idempotent requests ended with 502, and two workers died with %d", lost, named)
	}
}
