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

// mixEvery is the pace of those who misbehave: each takes a lane of a process for stuckAfter,
// or the process.
const mixEvery = 500 * time.Millisecond

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

// mixed has handlers do everything that they should not, in an order of chance.
func mixed(t *testing.T, k kind, seed uint64, length time.Duration) {
	s := start(t, k, append([]string{"--recycle-memory", "96MiB"}, supervised...)...)
	paths := []string{"/exit", "/abort", "/eat", "/slow"}
	for _, d := range k.deeds {
		paths = append(paths, d.path)
	}
	l := startLoad(s, seed)
	defer l.stop()
	l.awaitServed(t, time.Time{}, 20)
	random, pace, begun := rand.New(rand.NewPCG(seed, 99)), time.Tick(mixEvery), time.Now()
	var all sync.WaitGroup
	for time.Since(begun) < length {
		method, path := []string{http.MethodGet, http.MethodPost}[random.IntN(2)], paths[random.IntN(len(paths))]
		all.Go(func() { s.misbehaveOnce(t, method, path) })
		<-pace
	}
	all.Wait()
	calmSince := time.Now().Add(stuckAfter + recovery)
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
	t.Logf("healthy requests by status: %v; the longest gap: %v", count, longestGap(outcomes, begun))
	wantServed(t, calm, calmSince, false)
	wantExplained(t, outcomes)
	if gap := longestGap(outcomes, begun); gap > 2*soonEnough() { // one may begin when another ends
		t.Errorf("nobody was served for %v", gap)
	}
}

// wantExplained checks that healthy requests failed only in ways that docs/faults.md has for
// those whose worker dies or hangs: 502, 504, or in the middle of the response.
func wantExplained(t *testing.T, all []outcome) {
	t.Helper()
	var failed []outcome
	for _, o := range all {
		switch o.status {
		case http.StatusOK, http.StatusBadGateway, http.StatusGatewayTimeout:
		default:
			failed = append(failed, o)
		}
	}
	if len(failed) > 0 {
		t.Errorf("%d of %d healthy requests failed in a way that nothing explains:\n%s", len(failed), len(all),
			describe(failed))
	}
}
