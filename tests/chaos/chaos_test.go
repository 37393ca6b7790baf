// Package chaos_test kills worker processes at random while many clients upload,
// and checks that whatever comes of an exchange is what docs/faults.md allows.
//
// The short run is part of every test; the long one is "make soak", or
//
//	go test ./tests/chaos -v -chaos.time 60s
//
// With TEST_CFLAGS=-fsanitize=address the C workers check themselves, too.
package chaos_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

var (
	chaosTime = flag.Duration("chaos.time", 0, "how long to go on; 0 is a short run")
	chaosSeed = flag.Uint64("chaos.seed", 0, "of the random numbers; 0 is another one each time")
)

// storm is how bad it gets.
type storm struct {
	clients, kills int
	most           int // bytes of a body
}

const killEvery = 200 * time.Millisecond

// forecast returns a short storm, or a long one of the given time.
func forecast(d time.Duration) storm {
	if d == 0 {
		return storm{clients: 40, kills: 12, most: 1 << 20}
	}
	return storm{clients: 200, kills: int(d / killEvery), most: 4 << 20}
}

// aloneRoute leads to the pool with one worker: while that is dead, there is none.
const aloneRoute = "/alone"

func TestMain(m *testing.M) { harness.Main(m, map[string]func(){"worker": workerRole}) }

func configure(c *server.Config) {
	c.Memory, c.LinkMemory, c.MaxLinks = 128<<20, 4<<20, 32
	c.Routes = append(c.Routes, server.Route{Prefix: aloneRoute, Pool: "alone"})
}

func TestWhateverDiesNothingHangsAndNothingBrokenLooksComplete(t *testing.T) {
	seed, storm := *chaosSeed, forecast(*chaosTime)
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-chaos.seed %d: %+v", seed, storm)
	var config server.Config
	s := harness.Start(t, func(c *server.Config) { configure(c); config = *c })

	warmup := startFleet(t, s) // what the first run leaves is no leak
	newCrowd(t, s, seed, storm).run(func() {})
	warmup.end()
	before := resting(t)

	workers := startFleet(t, s)
	crowd := newCrowd(t, s, seed, storm)
	crowd.run(func() {
		random, pace := rand.New(rand.NewPCG(seed, 1)), time.Tick(killEvery)
		for range storm.kills {
			<-pace
			workers.strike(random)
		}
	})
	t.Logf("%s", crowd)
	workers.awaitAttached()
	crowd.wantAllServed()
	workers.end()
	s.AwaitRest(t)
	before.rest(t, config.Memory)
	wantNobodyBlamed(t, s)
}

// wantNobodyBlamed checks that workers were lost, and that none was at fault.
func wantNobodyBlamed(t testing.TB, s *harness.Server) {
	t.Helper()
	st := s.Router.Stats()
	t.Logf("%+v", st)
	if st.Evicted != 0 || st.WorkerTimeouts != 0 {
		t.Errorf("%d links evicted and %d timeouts of workers that did nothing wrong", st.Evicted, st.WorkerTimeouts)
	}
	for line := range strings.Lines(s.Log.String()) {
		if strings.Contains(line, "exchange failed") && !strings.Contains(line, `error="worker lost: link dead"`) {
			t.Errorf("a worker was at fault: %s", line)
		}
	}
}

// crowd is many clients, and what came of their requests.
type crowd struct {
	t       testing.TB
	most    int // bytes of a body
	clients []*client
	over    atomic.Bool

	mu      sync.Mutex
	counts  map[string]*[outcomes]int // by task
	slowest time.Duration             // exchange
}

func newCrowd(t testing.TB, s *harness.Server, seed uint64, storm storm) *crowd {
	c := &crowd{t: t, most: storm.most, counts: map[string]*[outcomes]int{}}
	for i := range storm.clients {
		c.clients = append(c.clients, &client{addr: s.Addr, random: rand.New(rand.NewPCG(seed, uint64(i)+2))})
	}
	return c
}

// run has all clients send requests at the same time until happen returns, each of
// them one at least.
func (c *crowd) run(happen func()) {
	var all sync.WaitGroup
	c.over.Store(false)
	for _, one := range c.clients {
		all.Go(func() {
			defer one.close()
			for again := true; again && !c.t.Failed(); again = !c.over.Load() {
				c.exchange(one)
			}
		})
	}
	happen()
	c.over.Store(true)
	all.Wait()
}

func (c *crowd) exchange(one *client) {
	j := newJob(one.random, c.most)
	start := time.Now()
	result, err := one.do(&j)
	if err != nil {
		c.t.Errorf("%s %s, %d bytes, chunked %v, leave %+v, after %v: %v", j.method, j.path, len(j.body), j.chunked,
			j.leave, time.Since(start), err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts[j.task] == nil {
		c.counts[j.task] = &[outcomes]int{}
	}
	c.counts[j.task][result]++
	c.slowest = max(c.slowest, time.Since(start))
}

// wantAllServed checks that nothing goes wrong any more when nobody dies.
func (c *crowd) wantAllServed() {
	calm := &crowd{t: c.t, most: c.most, clients: c.clients, counts: map[string]*[outcomes]int{}}
	calm.run(func() {})
	for task, counts := range calm.counts {
		if counts[broken]+counts[lost]+counts[noWorker] > 0 {
			c.t.Errorf("nobody died, and some %s did not end well:\n%s", task, calm)
		}
	}
}

// String returns a table of the outcomes.
func (c *crowd) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-8s", "")
	for o := range outcomes {
		fmt.Fprintf(&b, "%14s", o)
	}
	for _, task := range []string{"echo", "digest", "pattern", "early"} {
		fmt.Fprintf(&b, "\n%-8s", task)
		for o := range outcomes {
			if counts := c.counts[task]; counts != nil {
				fmt.Fprintf(&b, "%14d", counts[o])
			}
		}
	}
	fmt.Fprintf(&b, "\nthe slowest took %v", c.slowest.Round(time.Millisecond))
	return b.String()
}
