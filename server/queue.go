package server

import (
	"context"
	"sync/atomic"
	"time"
)

// queue bounds how many exchanges wait, and for how long, wherever they do.
type queue struct {
	length  int64
	time    time.Duration
	waiting atomic.Int64
	closed  chan struct{} // closed when nobody is to wait any more
}

// await waits for a value on place, which the caller has already put in line.
// On an error the caller takes the place out again; a value may have come by
// then.
func await[T any](ctx context.Context, q *queue, place <-chan T) (T, error) {
	var none T
	if q.waiting.Add(1) > q.length {
		q.waiting.Add(-1)
		return none, ErrBusy
	}
	defer q.waiting.Add(-1)
	timer := time.NewTimer(q.time)
	defer timer.Stop()
	select {
	case v := <-place:
		return v, nil
	case <-ctx.Done():
		return none, ErrClientGone
	case <-q.closed:
		return none, ErrDraining
	case <-timer.C:
		return none, ErrQueueTimeout
	}
}
