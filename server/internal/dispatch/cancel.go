package dispatch

import "github.com/wavey-ai/upload-response/server/internal/fault"

// CancelStream ends the exchange with an id as [fault.ErrCancelled], and reports whether there
// was one: its response is not over, and it does not come just now. A worker that serves it is
// told. The exchange is marked before the queues are looked at: [Pool.assign] looks at the mark
// before it puts a stream into a queue.
func (d *Dispatcher) CancelStream(id uint64) bool {
	for _, s := range d.requests.streams {
		if id == 0 || s.id.Load() != id || !s.cancelExchange(id) {
			continue
		}
		for _, p := range d.allPools() {
			p.cancelWaiter(id)
		}
		return true
	}
	return false
}

// cancelWaiter answers the exchange with an id that waits for a link, if there is one.
func (p *Pool) cancelWaiter(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found *waiter
	p.queue.each(func(w *waiter) bool {
		if w.stream.id.Load() == id {
			found = w
		}
		return found == nil
	})
	if found != nil {
		p.queue.remove(found)
		found.done <- fault.ErrCancelled
	}
}

// cancelExchange ends the exchange that s carries if it still is the one with the id.
func (s *Stream) cancelExchange(id uint64) bool {
	if !s.progress.Cancel(fault.ErrCancelled, func() bool { return s.id.Load() == id }) {
		return false
	}
	s.wake()
	return true
}
