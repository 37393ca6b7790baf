package dispatch

import (
	"maps"
	"slices"
)

// poolSet is the pools that there are. It never changes: another takes its place.
type poolSet struct {
	named   map[string]*Pool
	leaving []*Pool // to which no route leads any more, and which are not empty yet
}

// Pool returns the pool of a name, or nil.
func (d *Dispatcher) Pool(name string) *Pool { return d.pools.Load().named[name] }

// allPools returns the pools, also those that are about to go.
func (d *Dispatcher) allPools() []*Pool {
	set := d.pools.Load()
	return slices.AppendSeq(slices.Clone(set.leaving), maps.Values(set.named))
}

// AddPools makes the pools of a configuration that are not there. Routes can lead to them from
// now on, and workers attach. Undo: RetirePools.
func (d *Dispatcher) AddPools(c *Config) {
	d.changing.Lock()
	defer d.changing.Unlock()
	set := d.pools.Load()
	named := map[string]*Pool{}
	maps.Copy(named, set.named)
	for _, name := range c.Pools {
		if named[name] == nil {
			named[name] = &Pool{name: name, waits: &d.waits, counters: &d.counters, moved: d.movedOf(name)}
			named[name].configure(c)
		}
	}
	d.pools.Store(&poolSet{named, set.leaving})
}

// RetirePools has the pools go that the configuration does not name. Preconditions: no route
// leads to them. Requests that have come before are served; then the workers are told, and
// the links close. A worker that attaches is refused.
func (d *Dispatcher) RetirePools() {
	d.changing.Lock()
	defer d.changing.Unlock()
	set, wanted := d.pools.Load(), d.config.Load().Pools
	next := &poolSet{named: map[string]*Pool{}}
	for _, p := range set.leaving {
		if !p.isGone() {
			next.leaving = append(next.leaving, p)
		}
	}
	for name, p := range set.named {
		if slices.Contains(wanted, name) {
			next.named[name] = p
		} else {
			next.leaving = append(next.leaving, p)
		}
	}
	d.pools.Store(next)
	for _, p := range next.leaving {
		p.retire()
	}
}

// configure takes over what a configuration says of the pool.
func (p *Pool) configure(c *Config) {
	config := c.PoolConfigs[p.name]
	p.config.Store(&config)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.supervised, p.fair = slices.Contains(c.Supervised, p.name), c.Limits.StallTime > 0
	if err := p.checkExpected(); err != nil {
		p.queue.fail(err)
	}
	p.serveQueue()
}

// retire has the links go when nobody waits for them any more.
func (p *Pool) retire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.leaving = true
	p.serveQueue()
}

// leave gives the links no more streams. Each of them closes when it has none. The caller
// holds the lock.
func (p *Pool) leave() {
	p.served = true
	for _, l := range p.links {
		l.retiring = true
		if l.isEmpty() {
			go l.close(removed, nil) // not here: it takes the lock that we hold
		}
	}
}

// isGone reports whether nobody uses the pool any more.
func (p *Pool) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leaving && len(p.links) == 0 && p.queue.size == 0
}
