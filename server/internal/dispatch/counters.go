package dispatch

import "sync/atomic"

// Counters count what has happened since the start.
type Counters struct {
	Attached     atomic.Int64 // links
	Refused      atomic.Int64 // attaches
	Lost         atomic.Int64 // links whose worker went away
	Evicted      atomic.Int64 // links whose worker broke the protocol
	Poisoned     atomic.Int64 // requests with which alone a worker ended by itself
	Stuck        atomic.Int64 // links whose worker made no progress
	StaleNotices atomic.Int64 // rounds of news that were of use to nobody
	Preempted    atomic.Int64 // exchanges that ended because others waited for the place of a slow client
	Retried      atomic.Int64 // exchanges that were served again by another link
}

// Counters returns the counters.
func (d *Dispatcher) Counters() *Counters { return &d.counters }

// Holdings is what the dispatcher holds at a moment.
type Holdings struct {
	Links         int
	ActiveStreams int64 // rows in use, also those that a worker has not released
	FreeBuffers   int   // of requests
	TotalBuffers  int   // of requests
	Waiting       int   // exchanges
}

// Holdings returns what the dispatcher holds.
func (d *Dispatcher) Holdings() Holdings {
	buffers := d.requests.pool.Stats()
	return Holdings{
		Links: len(d.openLinks()), ActiveStreams: d.requests.active.Load(), Waiting: d.waits.waiting(),
		FreeBuffers: buffers.Free, TotalBuffers: buffers.Total,
	}
}
