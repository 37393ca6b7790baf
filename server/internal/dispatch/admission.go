package dispatch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// admission bounds what processes can cost by connecting to the worker socket: the
// connections that say nothing, how often links are made, and how many of them at once. A
// process that is a little too fast waits; one that is far too fast, or one too many, is
// refused.
type admission struct {
	hellos    peerCount // of those that may attach, until they say hello
	strangers peerCount // of those that may not, until they have been told so

	processes pace[int]
	users     pace[uint32]
	turn      chan struct{} // has the token of the one attach that makes its memory

	refused limitedLog
}

// How many links are made a second, after a burst, for one process and for all of a
// user: the fallocate of a link costs the server some milliseconds. Workers that
// are started together, or come back after a crash, do not meet these; a process that
// attaches in a loop does.
const (
	processLinksPerSecond = 10
	userLinksPerSecond    = 20
	leastLinkBurst        = 64 // or as many links as there can be
)

// A process that may not attach holds a descriptor of ours while it is told so.
const (
	mostStrangers, mostStrangersOfUser = 32, 4
)

// attachTime is how long an attach may wait for its turn. With helloTime before it, it
// is within the 10 seconds that a worker waits.
const attachTime = 4 * time.Second

// A line for every refusal, in a burst and then one a second.
const (
	refusalsLoggedPerSecond, refusalLogBurst = 1, 20
)

func (a *admission) init(maxLinks int, log *slog.Logger) {
	burst := max(leastLinkBurst, maxLinks)
	a.hellos = peerCount{most: 4 * burst, mostOfUser: 2 * burst, mostOfProcess: burst}
	a.strangers = peerCount{most: mostStrangers, mostOfUser: mostStrangersOfUser, mostOfProcess: mostStrangersOfUser}
	a.processes = pace[int]{limit: processLinksPerSecond, burst: burst}
	a.users = pace[uint32]{limit: userLinksPerSecond, burst: burst}
	a.turn = make(chan struct{}, 1)
	a.refused = limitedLog{log: log, limiter: rate.NewLimiter(refusalsLoggedPerSecond, refusalLogBurst)}
}

// wait waits until the peer may have a link made. Release: done.
func (a *admission) wait(p process) error {
	ctx, cancel := context.WithTimeout(context.Background(), attachTime)
	defer cancel()
	err := a.processes.wait(ctx, p.pid)
	if err == nil {
		err = a.users.wait(ctx, p.uid)
	}
	if err != nil {
		return refusal(attach.CodeFull, "process %d, or another of user %d, attaches too often", p.pid, p.uid)
	}
	select {
	case a.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return refusal(attach.CodeFull, "others attach before process %d", p.pid)
	}
}

// done lets the next one make its link.
func (a *admission) done() { <-a.turn }

// peerCount counts connections, in all and of each user and process.
type peerCount struct {
	most, mostOfUser, mostOfProcess int

	mu        sync.Mutex
	all       int
	users     map[uint32]int
	processes map[int]int
}

// enter counts a connection in, or returns a refusal if there are too many. Release:
// leave.
func (c *peerCount) enter(p process) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.users == nil {
		c.users, c.processes = map[uint32]int{}, map[int]int{}
	}
	switch {
	case c.all >= c.most:
		return refusal(attach.CodeFull, "%d connections have not said hello yet, process %d has to wait", c.all, p.pid)
	case c.users[p.uid] >= c.mostOfUser:
		return refusal(attach.CodeFull, "%d connections of user %d have not said hello yet, process %d has to wait",
			c.users[p.uid], p.uid, p.pid)
	case c.processes[p.pid] >= c.mostOfProcess:
		return refusal(attach.CodeFull, "%d connections of process %d have not said hello yet",
			c.processes[p.pid], p.pid)
	}
	c.all++
	c.users[p.uid]++
	c.processes[p.pid]++
	return nil
}

func (c *peerCount) leave(p process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	lower(c.users, p.uid)
	lower(c.processes, p.pid)
}

// lower takes one from a count, and drops a count of none.
func lower[K comparable](counts map[K]int, key K) {
	if counts[key]--; counts[key] == 0 {
		delete(counts, key)
	}
}

// pace is a token bucket for each key.
type pace[K comparable] struct {
	limit rate.Limit
	burst int

	mu   sync.Mutex
	list map[K]*rate.Limiter
}

// mostPaces is how many keys a pace tells apart: more than can be slowed down at once,
// for there is a bound of the connections that wait.
const mostPaces = 1 << 12

// wait waits for a token, or returns an error at once if ctx would end before.
func (t *pace[K]) wait(ctx context.Context, key K) error {
	l := t.limiter(key)
	if l == nil {
		return fmt.Errorf("%d others attach often", mostPaces)
	}
	return l.Wait(ctx)
}

// limiter returns the bucket of a key; nil: there is no room for another.
func (t *pace[K]) limiter(key K) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.list[key]; l != nil {
		return l
	}
	if len(t.list) >= mostPaces {
		t.forget()
	}
	if len(t.list) >= mostPaces {
		return nil
	}
	if t.list == nil {
		t.list = map[K]*rate.Limiter{}
	}
	l := rate.NewLimiter(t.limit, t.burst)
	t.list[key] = l
	return l
}

// forget drops the buckets that are as full as new ones. The caller holds the lock.
func (t *pace[K]) forget() {
	for key, l := range t.list {
		if l.Tokens() >= float64(t.burst) {
			delete(t.list, key)
		}
	}
}

// limitedLog writes some lines of a flood, and says how many it left out.
type limitedLog struct {
	log     *slog.Logger
	limiter *rate.Limiter

	mu      sync.Mutex
	leftOut int
}

// warn writes a line, or counts it.
func (l *limitedLog) warn(message string, attrs ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.limiter.Allow() {
		l.leftOut++
		return
	}
	if l.leftOut > 0 {
		attrs = append(attrs, "left_out", l.leftOut)
		l.leftOut = 0
	}
	l.log.Warn(message, attrs...)
}
