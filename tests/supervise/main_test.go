// Package supervise_test has worker processes misbehave under a program that looks after
// them, while other clients send requests: the pool serves again soon, each time; nobody
// else's request fails but for what docs/faults.md says; and the log says which request it
// was, and what became of the process.
//
// Workers in Go, in C, and in Python with a WSGI and an ASGI application have the same paths:
//
//	/ok /echo          a short response; the body of the request
//	/slow /slow-read   2 seconds in which bytes move all the time, one way or the other
//	/hang              waits for a lock that nobody releases
//	/sleep             sleeps
//	/spin              computes
//	/gil               computes in C without letting another thread of Python run
//	/deadlock          waits for what only itself could do; in an event loop, for another task of it
//	/eat               keeps 96 MiB of memory, and answers
//	/exit /abort       ends the process: with status 3, by SIGABRT
//
// The short run is part of every test. The long one does each misdeed alone for so long, in all kinds
// of worker at once (one by one with -parallel 1), then all together in one kind after the other, and
// prints a table. It wants the machine to itself: "make soak-supervise", or
//
//	go test ./tests/supervise -v -timeout 0 -supervise.time 60s
package supervise_test

import (
	"flag"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

var (
	superviseTime = flag.Duration("supervise.time", 0, "how long each misdeed is done alone, and all together; 0 is a short run")
	superviseSeed = flag.Uint64("supervise.seed", 0, "of the random numbers; 0 is another one each time")
)

const (
	// recovery is how much later than that the pool has to serve again.
	recovery = 2 * time.Second
	// otherWork is what a machine is given besides that does many other things: starting an
	// interpreter takes a fraction of a second of one that does nothing else.
	otherWork = 4 * time.Second
	// stopTimeout is how long a process may take to end by SIGTERM.
	stopTimeout = time.Second
	// processes is how many there are of each worker.
	processes = 2
)

// stuckAfter is the time without progress after which a worker is replaced. Where other tests
// run beside, a healthy worker may get no processor for half a second.
func stuckAfter() time.Duration {
	if *superviseTime > 0 {
		return 500 * time.Millisecond
	}
	return 1500 * time.Millisecond
}

// soonEnough is the longest time in which a pool may serve nobody. The long run has the machine
// to itself.
func soonEnough() time.Duration {
	if *superviseTime > 0 {
		return stuckAfter() + recovery
	}
	return stuckAfter() + recovery + otherWork
}

func TestMain(m *testing.M) {
	flag.Parse()
	parallel := false
	flag.Visit(func(f *flag.Flag) { parallel = parallel || f.Name == "test.parallel" })
	if *superviseTime > 0 && !parallel { // all kinds of worker at the same time, also with fewer processors
		_ = flag.Set("test.parallel", "4")
	}
	harness.Main(m, map[string]func(){"go": goRole})
}
