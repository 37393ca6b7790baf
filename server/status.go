package server

import (
	"time"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
)

// Status is what a router does at a moment. Its parts are looked at one after the other, so
// that no request waits for more than a short look: they may differ by what happened between.
type Status struct {
	At      time.Time      `json:"at"`
	Stats   Stats          `json:"stats"`
	Pools   []PoolStatus   `json:"pools"`   // by name
	Links   []LinkStatus   `json:"links"`   // by pool, the longest attached first
	Streams []StreamStatus `json:"streams"` // the oldest first, at most MaxStatusStreams
}

// MaxStatusStreams is the most streams in a [Status].
const MaxStatusStreams = 1000

// PoolStatus is a pool at a moment.
type PoolStatus struct {
	Name       string `json:"name"`
	Supervised bool   `json:"supervised"` // the server starts its workers
	Hopeless   bool   `json:"hopeless"`   // it has failed: requests fail at once, unless a link is attached
	Failed     string `json:"failed"`     // why, if so
	Drained    bool   `json:"drained"`    // by an operator: requests fail at once
	Links      int    `json:"links"`
	Lanes      int    `json:"lanes"`      // requests that the links serve at once
	Busy       int    `json:"busy"`       // lanes with a request that a worker has to work on
	Unreleased int    `json:"unreleased"` // lanes that workers have not let go of although the request is over
	Queue      int    `json:"queue"`      // requests that wait for a lane
}

// LinkStatus is an attached link at a moment. A worker process can have several.
type LinkStatus struct {
	Pool       string    `json:"pool"`
	Name       string    `json:"name"`
	Worker     string    `json:"worker"` // APP/SLOT if the server has started it, else the name of the link
	PID        int       `json:"pid"`    // of the process that attached
	Leader     int       `json:"leader"` // the process that the server started, which PID is or descends from; 0: none
	Lanes      int       `json:"lanes"`
	Busy       int       `json:"busy"`
	Unreleased int       `json:"unreleased"`
	Served     uint64    `json:"served"` // requests that it has finished
	Since      time.Time `json:"since"`  // when it attached
	Draining   bool      `json:"draining"`
}

// StreamStatus is a request at a moment.
type StreamStatus struct {
	ID            uint64    `json:"id,string"`
	RequestID     string    `json:"request_id"`
	Pool          string    `json:"pool"`
	Link          string    `json:"link"`   // the worker's link; empty: it has none
	Worker        string    `json:"worker"` // that has the link, see [LinkStatus]
	PID           int       `json:"pid"`    // of the worker's process; 0: it has none
	Method        string    `json:"method"`
	Target        string    `json:"target"` // as the client sent it, at most MaxStatusTarget bytes
	Protocol      string    `json:"protocol"`
	ClientAddress string    `json:"client_address"`
	Since         time.Time `json:"since"`

	// State is "queued" (it waits for a worker), "offered" (it lies in the inbox of a worker),
	// "running", or "ending" (its response is over: the rest of an upload comes in, or the
	// worker has not let go of it).
	State    string `json:"state"`
	Received int64  `json:"received"` // bytes of the body
	Sent     uint64 `json:"sent"`     // bytes of the response's body

	// HeldBy is who keeps it waiting: "client", "worker", or nobody. HeldFor is how long, in
	// nanoseconds; 0: not known.
	HeldBy  string        `json:"held_by"`
	HeldFor time.Duration `json:"held_for_ns"`
}

// MaxStatusTarget is the most bytes of a target in a [StreamStatus].
const MaxStatusTarget = 1024

// Age returns how long the request has been there.
func (s *StreamStatus) Age(now time.Time) time.Duration { return now.Sub(s.Since) }

// Status returns what the router does. It costs the requests in progress next to nothing, and
// the caller about a microsecond for each of them.
func (r *UploadResponseRouter) Status() Status {
	survey := r.dispatcher.Survey()
	status := Status{
		At: time.Now(), Stats: r.Stats(), Pools: []PoolStatus{}, Links: []LinkStatus{},
		Streams: r.streams(survey, nil, MaxStatusStreams),
	}
	for _, p := range survey.Pools {
		status.Pools = append(status.Pools, PoolStatus(p))
	}
	for _, l := range survey.Links {
		status.Links = append(status.Links, LinkStatus(l))
	}
	return status
}

// Streams returns the requests of a pool, the oldest first, and at most so many. An empty name
// is every pool; of a pool that does not exist there are none.
func (r *UploadResponseRouter) Streams(pool string, most int) []StreamStatus {
	var of *dispatch.Pool
	if pool != "" {
		if of = r.dispatcher.Pool(pool); of == nil {
			return []StreamStatus{}
		}
	}
	return r.streams(r.dispatcher.Survey(), of, most)
}

func (r *UploadResponseRouter) streams(survey *dispatch.Survey, of *dispatch.Pool, most int) []StreamStatus {
	list := []StreamStatus{}
	for _, s := range r.dispatcher.Streams(survey, of, most) {
		list = append(list, StreamStatus{
			ID: s.ID, RequestID: s.Info.RequestID, Pool: s.Info.PoolName(), Link: s.Link, Worker: s.Worker, PID: s.PID,
			Method: s.Info.Method, Target: s.Info.Target[:min(len(s.Info.Target), MaxStatusTarget)],
			Protocol: s.Info.Protocol, ClientAddress: s.Info.ClientAddress, Since: s.Info.Start,
			State: string(s.State), Received: s.Received, Sent: s.Sent,
			HeldBy: string(s.HeldBy), HeldFor: s.HeldFor,
		})
	}
	return list
}

// CancelStream ends a request as [ErrCancelled], and reports whether there was one with this
// id, whose response was not over and which does not come just now. Its client gets 503, or
// sees a response that has begun break off; its worker is told that nobody wants it any more.
func (r *UploadResponseRouter) CancelStream(id uint64) bool { return r.dispatcher.CancelStream(id) }
