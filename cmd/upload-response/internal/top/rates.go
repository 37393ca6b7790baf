package top

import (
	"time"

	"github.com/wavey-ai/upload-response/cmd/upload-response/internal/admin"
)

// flow is how many bytes a second a request receives and sends.
type flow struct{ received, sent float64 }

// rates is what has changed between two statuses, by the second.
type rates struct {
	known    bool
	requests float64
	total    flow // of all requests, those that began and ended in between too
	streams  map[uint64]flow
	served   map[int]float64 // by process
	cpu      map[int]float64 // processors, by process
}

// newRates compares two statuses of one server. The first may be nil.
func newRates(before, now *admin.Status) rates {
	r := rates{streams: map[uint64]flow{}, served: map[int]float64{}, cpu: map[int]float64{}}
	if before == nil || before.PID != now.PID || !before.Started.Equal(now.Started) {
		return r
	}
	seconds := now.At.Sub(before.At).Seconds()
	if seconds < (50 * time.Millisecond).Seconds() {
		return r
	}
	r.known = true
	r.requests = max(0, float64(now.Stats.Exchanges-before.Stats.Exchanges)/seconds)
	r.total = flow{max(0, float64(now.Stats.Received-before.Stats.Received)/seconds),
		max(0, float64(now.Stats.Sent-before.Stats.Sent)/seconds)}
	old := map[uint64]*admin.Stream{}
	for i := range before.Streams {
		old[before.Streams[i].ID] = &before.Streams[i]
	}
	for i := range now.Streams {
		s := &now.Streams[i]
		var f flow
		if was := old[s.ID]; was != nil {
			f = flow{float64(s.Received-was.Received) / seconds, (float64(s.Sent) - float64(was.Sent)) / seconds}
		} else if s.Age < 2*seconds { // it is new, and not only new to the list
			f = flow{float64(s.Received) / seconds, float64(s.Sent) / seconds}
		}
		r.streams[s.ID] = f
	}
	workers := map[int]*admin.Worker{}
	for i := range before.Workers {
		workers[before.Workers[i].PID] = &before.Workers[i]
	}
	for i := range now.Workers {
		w := &now.Workers[i]
		if was := workers[w.PID]; was != nil && w.PID != 0 {
			r.served[w.PID] = max(0, (float64(w.Served)-float64(was.Served))/seconds)
			r.cpu[w.PID] = max(0, (w.CPU-was.CPU)/seconds)
		}
	}
	return r
}
