package server

// Stats is a snapshot of what the router holds, and of what has happened since the start.
type Stats struct {
	Links          int   `json:"links"`           // attached
	ActiveStreams  int64 `json:"active_streams"`  // rows in use, quarantined ones too
	FreeBuffers    int   `json:"free_buffers"`    // of the request pool
	TotalBuffers   int   `json:"total_buffers"`   // of the request pool
	Waiting        int64 `json:"waiting"`         // exchanges in the queue
	Exchanges      int64 `json:"exchanges"`       // ended
	Failed         int64 `json:"failed"`          // answered with an error of the server's, or aborted
	Aborted        int64 `json:"aborted"`         // failed after the response had begun
	ClientGone     int64 `json:"client_gone"`     // ended by the client
	Reclaimed      int64 `json:"reclaimed"`       // ended because others waited for the place of a slow client
	Retried        int64 `json:"retried"`         // served again by another link
	WorkerTimeouts int64 `json:"worker_timeouts"` // no progress within the response timeout
	Attached       int64 `json:"attached"`        // links ever
	Refused        int64 `json:"refused"`         // attaches refused
	Lost           int64 `json:"lost"`            // links whose worker went away
	Evicted        int64 `json:"evicted"`         // links whose worker broke the protocol
	Poisoned       int64 `json:"poisoned"`        // requests with which alone a worker ended by itself
	Stuck          int64 `json:"stuck"`           // links whose worker made no progress
	StaleNotices   int64 `json:"stale_notices"`   // news from workers that nobody needed
	Received       int64 `json:"received_bytes"`  // of request bodies; of requests that go on, each second
	Sent           int64 `json:"sent_bytes"`      // of response bodies, likewise
	Allocations    int64 `json:"allocations"`     // objects on the heap of this process, ever
}

// Stats returns what the router holds and what has happened so far.
func (r *UploadResponseRouter) Stats() Stats {
	c, d, held := r.relay.Counters(), r.dispatcher.Counters(), r.dispatcher.Holdings()
	received, sent := r.moved()
	return Stats{
		Links: held.Links, ActiveStreams: held.ActiveStreams, Waiting: int64(held.Waiting),
		FreeBuffers: held.FreeBuffers, TotalBuffers: held.TotalBuffers,
		Exchanges: c.Exchanges.Load(), Failed: c.Failed.Load(), Aborted: c.Aborted.Load(),
		ClientGone: c.ClientGone.Load(), WorkerTimeouts: c.Timeouts.Load(),
		Reclaimed: d.Preempted.Load(), Retried: d.Retried.Load(), Attached: d.Attached.Load(),
		Refused: d.Refused.Load(), Lost: d.Lost.Load(), Evicted: d.Evicted.Load(),
		Poisoned: d.Poisoned.Load(), Stuck: d.Stuck.Load(),
		StaleNotices: d.StaleNotices.Load(), Received: received, Sent: sent,
		Allocations: int64(Allocations()),
	}
}
