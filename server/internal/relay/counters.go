package relay

import (
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// Counters count exchanges since the start.
type Counters struct {
	Exchanges  atomic.Int64 // ended
	Failed     atomic.Int64 // answered with an error of ours, or aborted
	Aborted    atomic.Int64 // failed after the response had begun
	ClientGone atomic.Int64
	Timeouts   atomic.Int64 // workers that made no progress in time
}

// Counters returns what the relay has counted so far.
func (r *Relay) Counters() *Counters { return &r.counters }

// count adds one to the counter of a fault that has one.
func (c *Counters) count(which fault.Counter) {
	switch which {
	case fault.CountClientGone:
		c.ClientGone.Add(1)
	case fault.CountWorkerTimeout:
		c.Timeouts.Add(1)
	}
}
