package meter

import "sync/atomic"

// Counter is a number that only grows. The zero value is ready for use.
type Counter struct{ n atomic.Uint64 }

// Add adds n.
func (c *Counter) Add(n uint64) { c.n.Add(n) }

// Load returns the number.
func (c *Counter) Load() uint64 { return c.n.Load() }

// Gauge is a number that grows and shrinks. The zero value is ready for use.
type Gauge struct{ n atomic.Int64 }

// Add adds n, which may be negative.
func (g *Gauge) Add(n int64) { g.n.Add(n) }

// Load returns the number.
func (g *Gauge) Load() int64 { return g.n.Load() }
