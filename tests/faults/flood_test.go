package faults_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestAWorkerThatFloodsTheBellCostsTheServerLittleAndItsOthersNothing(t *testing.T) {
	for _, name := range []string{"flood of rings", "flood of notices", "flood for a stream that waits"} {
		t.Run(name, func(t *testing.T) {
			h := startHostile(t, func(c *server.Config) { c.ResponseTimeout = harness.Patience })
			client := rawclient.Dial(t, h.Server.Addr)
			client.Begin("POST", "/bad/"+slug(name), "Content-Length: 0")
			awaitSaid(t, h.scribbler, "flooding", 1)

			for range 200 {
				wantGood(t, h.Server)
			}
			const window = time.Second
			before, start := cpuTime(t), time.Now()
			time.Sleep(window) // the span that is measured
			used := float64(cpuTime(t)-before) / float64(time.Since(start))
			t.Logf("the server used %.0f %% of a core", 100*used)
			if used > 0.5 {
				t.Errorf("the server used %.0f %% of a core while the bell was flooded", 100*used)
			}
			h.wantEvicted(t, 0, 0)
			h.scribbler.Kill()
		})
	}
}

// cpuTime returns how much CPU time this process, the server's, has used.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func init() {
	flood := func(t *turn, step func()) {
		t.say("flooding")
		for t.open() {
			step()
		}
	}
	scripts["flood-of-rings"] = func(t *turn) {
		good(t)
		flood(t, t.ring)
	}
	notice := func(t *turn) {
		t.end.Notify(t.lane)
		t.ring()
	}
	scripts["flood-of-notices"] = func(t *turn) {
		good(t)
		flood(t, func() { notice(t) })
	}
	scripts["flood-for-a-stream-that-waits"] = func(t *turn) { flood(t, func() { notice(t) }) }
}
