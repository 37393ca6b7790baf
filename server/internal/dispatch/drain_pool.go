package dispatch

import (
	"fmt"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// errDrained is what requests of a pool fail with that an operator has drained.
var errDrained = fmt.Errorf("%w: an operator has drained the pool", fault.ErrNoWorker)

// DrainPool has the workers of a pool get no more requests: those that wait for one fail, and so do new ones, at once.
// What workers have goes on. It reports whether there is such a pool. ResumePool ends it.
func (d *Dispatcher) DrainPool(name string) bool { return d.setDrained(name, true) }

// ResumePool ends DrainPool, and reports whether there is such a pool.
func (d *Dispatcher) ResumePool(name string) bool { return d.setDrained(name, false) }

func (d *Dispatcher) setDrained(name string, drained bool) bool {
	p := d.Pool(name)
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drained = drained
	if drained {
		p.queue.fail(errDrained)
	}
	return true
}
