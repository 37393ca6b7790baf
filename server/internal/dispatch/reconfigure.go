package dispatch

// Reconfigure takes over what a configuration says from now on: times, limits, lists of who
// may attach, bounds of links, and what is said of single pools. It adds pools, and leaves it
// to RetirePools to have others go. The log, functions and whatever fixes the memory stay as
// they are. Links and exchanges that there are stay, too.
func (d *Dispatcher) Reconfigure(c Config) {
	d.AddPools(&c)
	d.changing.Lock()
	defer d.changing.Unlock()
	now := d.config.Load()
	c.ServerName, c.Log = now.ServerName, now.Log
	c.NumStreams, c.SlotSize, c.SlotsPerStream = now.NumStreams, now.SlotSize, now.SlotsPerStream
	c.Memory, c.LinkMemory, c.MaxLinks = now.Memory, now.LinkMemory, now.MaxLinks
	c.Started, c.WorkerName = now.Started, now.WorkerName
	c.OnAttach, c.Ended, c.OnStuck = now.OnAttach, now.Ended, now.OnStuck
	d.use(&c)
}

// use makes a configuration the present one. It never changes from then on.
func (d *Dispatcher) use(c *Config) {
	d.config.Store(c)
	d.waits.configure(c.QueueLength, c.QueueTime)
	d.responses.configure(c)
	d.requests.setFair(c.Limits.StallTime > 0)
	for _, p := range d.pools.Load().named {
		p.configure(c)
	}
}
