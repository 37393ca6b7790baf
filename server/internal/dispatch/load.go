package dispatch

import (
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// PoolLoad is how busy the workers of a pool are, and who waits for them.
type PoolLoad struct {
	Lanes   int           // requests that the workers serve at once
	Busy    int           // requests that they have, without those in which nothing is left to do
	Waiting int           // requests in the queue
	Oldest  time.Duration // how long one of these has waited at most
}

// PoolLoad returns the load of a pool, which is none if the pool does not exist.
func (d *Dispatcher) PoolLoad(pool string) (load PoolLoad) {
	p := d.Pool(pool)
	if p == nil {
		return load
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	load = PoolLoad{Lanes: p.lanes(), Waiting: p.queue.size}
	for _, l := range p.links {
		if !l.retiring {
			load.Busy += l.inflight
		}
	}
	if since := p.queue.oldest(); since != 0 {
		load.Oldest = time.Duration(max(shm.Now()-since, 0))
	}
	return load
}

// oldest returns since when the one that has waited longest is in the queue, shm.Now; 0:
// there is none.
func (q *fairQueue) oldest() (since int64) {
	q.each(func(w *waiter) bool {
		if since == 0 || w.since < since {
			since = w.since
		}
		return false // those behind it came later
	})
	return since
}
