package dispatch

import (
	"fmt"
	"slices"
)

// holder is for whom a link is counted.
type holder struct {
	pool    string
	uid     uint32
	process int  // of the worker that the server's owner has started, for it and its descendants
	started bool // for this pool
}

// linkBounds says how many links one holder can have, and counts those there are. The
// lock of the [ResponseChunkCache] guards it.
//
// An honest process may need all that fit: a worker of Python's WSGI has a link for each
// thread. But the last ones are kept for those that have none: one for each worker that
// the server's owner has started, and one for each pool that others serve.
type linkBounds struct {
	process, user, pool int      // most of one; 0: any number
	workers             int      // started by the server's owner, or about to be
	open                []string // pools that have none of them

	processes map[int]int
	users     map[uint32]int
	pools     map[string]int
	started   map[int]int // links of each of the workers, in its pool
}

func newLinkBounds(c *Config) linkBounds {
	b := linkBounds{
		processes: map[int]int{}, users: map[uint32]int{}, pools: map[string]int{}, started: map[int]int{},
	}
	b.configure(c)
	return b
}

// configure takes over what a configuration says. Links that there are stay.
func (b *linkBounds) configure(c *Config) {
	b.process, b.user, b.pool = c.LinksPerProcess, c.LinksPerUser, c.LinksPerPool
	b.workers, b.open = c.StartedWorkers, nil
	for _, pool := range c.Pools {
		if !slices.Contains(c.Supervised, pool) && !slices.Contains(b.open, pool) {
			b.open = append(b.open, pool)
		}
	}
}

// enter counts a link in, of which so many are free, unless its holder has as many as it
// may have. Release: leave.
func (b *linkBounds) enter(h holder, free int) error {
	switch {
	case b.process > 0 && b.processes[h.process] >= b.process:
		return fmt.Errorf("process %d has %d links, all that one may have", h.process, b.processes[h.process])
	case b.user > 0 && b.users[h.uid] >= b.user:
		return fmt.Errorf("user %d has %d links, all that one may have", h.uid, b.users[h.uid])
	case b.pool > 0 && b.pools[h.pool] >= b.pool:
		return fmt.Errorf("pool %q has %d links, all that one may have", h.pool, b.pools[h.pool])
	case free <= b.keptFrom(h):
		return fmt.Errorf("%d links are free, and kept for workers and pools that have none", free)
	}
	b.processes[h.process]++
	b.users[h.uid]++
	b.pools[h.pool]++
	if h.started {
		b.started[h.process]++
	}
	return nil
}

// keptFrom returns how many of the free links are for others than h.
func (b *linkBounds) keptFrom(h holder) int {
	if h.started && b.started[h.process] == 0 {
		return 0 // one is for it
	}
	kept := max(0, b.workers-len(b.started))
	if b.pools[h.pool] == 0 && slices.Contains(b.open, h.pool) {
		return kept // one is for its pool
	}
	for _, pool := range b.open {
		if b.pools[pool] == 0 {
			kept++
		}
	}
	return kept
}

func (b *linkBounds) leave(h holder) {
	lower(b.processes, h.process)
	lower(b.users, h.uid)
	lower(b.pools, h.pool)
	if h.started {
		lower(b.started, h.process)
	}
}
