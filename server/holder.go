package server

import "fmt"

// holder is for whom a link is counted.
type holder struct {
	pool    string
	uid     uint32
	process int  // that of the worker which the server's owner has started, for it and its descendants
	started bool // for this pool
}

// linkBounds says how many links one holder can have, and counts those there are. The
// lock of the [ResponseChunkCache] guards it.
type linkBounds struct {
	all                 int // as many as fit at once
	process, user, pool int // most of one; 0: any number
	kept                int // for workers that the server's owner has started

	processes map[int]int
	users     map[uint32]int
	pools     map[string]int
	started   int
}

func newLinkBounds(c *Config) linkBounds {
	all := c.MaxLinks
	if c.LinkMemory > 0 {
		all = int(min(uint64(all), (c.Memory-c.Memory/2)/c.LinkMemory))
	}
	process := c.LinksPerProcess
	if process == 0 {
		process = max(1, all-all/4)
	}
	return linkBounds{
		all: all, process: process, user: c.LinksPerUser, pool: c.LinksPerPool, kept: min(c.StartedWorkers, all),
		processes: map[int]int{}, users: map[uint32]int{}, pools: map[string]int{},
	}
}

// enter counts a link in, unless its holder has as many as it may have. Release: leave.
func (b *linkBounds) enter(h holder, free int) error {
	switch {
	case b.processes[h.process] >= b.process:
		return fmt.Errorf("process %d has %d links, all that one may have", h.process, b.processes[h.process])
	case b.user > 0 && b.users[h.uid] >= b.user:
		return fmt.Errorf("user %d has %d links, all that one may have", h.uid, b.users[h.uid])
	case b.pool > 0 && b.pools[h.pool] >= b.pool:
		return fmt.Errorf("pool %q has %d links, all that one may have", h.pool, b.pools[h.pool])
	case !h.started && free <= b.kept-b.started:
		return fmt.Errorf("the last %d links are for the workers that the server starts", free)
	}
	b.processes[h.process]++
	b.users[h.uid]++
	b.pools[h.pool]++
	if h.started {
		b.started++
	}
	return nil
}

func (b *linkBounds) leave(h holder) {
	lower(b.processes, h.process)
	lower(b.users, h.uid)
	lower(b.pools, h.pool)
	if h.started {
		b.started--
	}
}
