package dispatch

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// leaving is a controller of a client that is gone once its writes are ended, as net/http's is
// over HTTP/1.1 and HTTP/2.
type leaving struct{ leave context.CancelFunc }

// SetReadDeadline ends no request.
func (leaving) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline ends the request.
func (c leaving) SetWriteDeadline(time.Time) error { c.leave(); return nil }

// The goroutine of an exchange may be kept from running while everything else goes on.
func TestWhatHappenedFirstIsWhyAnExchangeFails(t *testing.T) {
	const id = 7
	type events struct {
		slow, preempted, expired, leaves, stalls func()
	}
	for name, c := range map[string]struct {
		happens func(e events)
		want    error
		slow    bool
	}{
		"too slow, and cut off":           {func(e events) { e.slow() }, fault.ErrClientSlow, true},
		"too slow while others waited":    {func(e events) { e.preempted() }, fault.ErrPreempted, true},
		"gone":                            {func(e events) { e.leaves() }, fault.ErrClientGone, false},
		"gone, and slow since":            {func(e events) { e.leaves(); e.slow() }, fault.ErrClientGone, false},
		"gone, and preempted since":       {func(e events) { e.leaves(); e.preempted() }, fault.ErrClientGone, false},
		"the connection takes nothing":    {func(e events) { e.stalls(); e.leaves() }, fault.ErrClientSlow, true},
		"gone, and its connection closed": {func(e events) { e.leaves(); e.stalls() }, fault.ErrClientGone, false},
		"the worker's time is over, and the client leaves": {
			func(e events) { e.expired(); e.leaves() }, fault.ErrWorkerTimeout, false},
		"the client leaves, and the worker's time is over": {
			func(e events) { e.leaves(); e.expired() }, fault.ErrClientGone, false},
	} {
		s := newStream(nil, nil, nil)
		s.id.Store(id)
		ctx, cancel := context.WithCancel(t.Context())
		var stalled atomic.Bool
		p := s.Progress()
		p.Attach(ctx, leaving{cancel}, &stalled, progress.TransferCounter{})
		now := shm.Now()
		look := func() {
			for range 3 {
				now += int64(checkEvery)
				p.Check(id, now, &progress.Limits{ClientTimeout: time.Second})
			}
		}
		c.happens(events{
			slow: func() { p.StartWrite(); now += int64(2 * time.Second); look() },
			preempted: func() {
				p.StartWrite()
				p.Preempt(now+int64(time.Second), func() bool { return true })
				look()
			},
			expired: func() { p.StartWait(now); p.Expire(id); look() },
			leaves:  func() { cancel(); look() },
			stalls:  func() { stalled.Store(true) },
		})
		if err := s.causeOr(nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if got := p.ClientSlow(); got != c.slow {
			t.Errorf("%s: the client was slow: %v, want %v", name, got, c.slow)
		}
		cancel()
	}
}
