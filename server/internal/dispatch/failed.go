package dispatch

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// MarkFailed notes that no worker of a pool is to be expected, and why: its requests fail at
// once while no link is attached, also those that wait. A link that attaches ends that, and
// so does MarkRecovered.
func (d *Dispatcher) MarkFailed(pool, reason string) {
	if p := d.Pool(pool); p != nil {
		p.markFailed(reason)
	}
}

// MarkHopeless is MarkFailed for a pool to which no link was ever attached, and logs it. Of
// another pool it says nothing.
func (d *Dispatcher) MarkHopeless(pool, how string) {
	p := d.Pool(pool)
	if p != nil && !p.wasAttached() && p.markFailed(how) {
		d.log.Error("no worker of the pool comes up, its requests fail", "pool", pool, "how", how)
	}
}

// wasAttached reports whether a link has ever been attached.
func (p *Pool) wasAttached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.attached
}

// MarkRecovered notes that workers of a pool are to be expected again.
func (d *Dispatcher) MarkRecovered(pool string) {
	if p := d.Pool(pool); p != nil {
		p.markRecovered()
	}
}

// ExpectWorkers has requests wait for workers that nobody here has started, where there is none
// yet, for so long. Otherwise they would fail at once.
func (d *Dispatcher) ExpectWorkers(wait time.Duration) {
	until := time.Now().Add(wait)
	for _, p := range d.allPools() {
		p.mu.Lock()
		p.expected = until
		p.mu.Unlock()
	}
}

// markFailed reports whether that is news.
func (p *Pool) markFailed(reason string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.failed
	p.failed = cmp.Or(reason, "unknown")
	if err := p.checkExpected(); err != nil {
		p.queue.fail(err)
	}
	return before == ""
}

func (p *Pool) markRecovered() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failed = ""
}

// checkExpected returns an error if no worker is there, nor to be expected. The caller holds
// the lock.
func (p *Pool) checkExpected() error {
	switch {
	case p.drained:
		return errDrained
	case p.served:
		return fmt.Errorf("%w: no route leads to pool %q any more", fault.ErrNoWorker, p.name)
	case p.failed != "" && !slices.ContainsFunc(p.links, func(l *link) bool { return !l.retiring }):
		return fmt.Errorf("%w: %s", fault.ErrNoWorker, p.failed)
	case len(p.links) == 0 && !p.supervised && !time.Now().Before(p.expected):
		return fault.ErrNoWorker
	}
	return nil
}
