package tracing

import (
	"sync"

	"github.com/wavey-ai/upload-response/server"
)

// queue holds requests until they are sent. Many goroutines add to it, and one takes from it, which is woken for a
// whole batch only.
type queue struct {
	most, batch int
	ripe        chan struct{} // a batch is there; closed with the queue

	mu      sync.Mutex
	waiting []*server.TracedRequest
	lost    int // for there was no room
	closed  bool
}

func newQueue(most, batch int) queue {
	return queue{most: most, batch: min(batch, most), ripe: make(chan struct{}, 1)}
}

// add adds a request, if there is room.
func (q *queue) add(r *server.TracedRequest) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return
	case len(q.waiting) == q.most:
		q.lost++
		return
	}
	q.waiting = append(q.waiting, r)
	if len(q.waiting) == q.batch {
		select {
		case q.ripe <- struct{}{}:
		default: // that one has not been taken yet
		}
	}
}

// take returns a batch of the requests that wait, if there are so many at least. They are the caller's.
func (q *queue) take(least int) []*server.TracedRequest {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) < least {
		return nil
	}
	n := min(len(q.waiting), q.batch)
	requests := q.waiting[:n:n]
	q.waiting = append(make([]*server.TracedRequest, 0, q.batch), q.waiting[n:]...)
	return requests
}

// dropped returns how many requests found no room since the last call.
func (q *queue) dropped() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := q.lost
	q.lost = 0
	return n
}

// close has further requests ignored.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.ripe)
}
