package server

import (
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/progress"
)

// Measurements is what a router measures, and what it has at a moment. Package metrics makes metrics of it.
type Measurements struct {
	Meters  *meter.Meters // they go on
	Pools   []dispatch.PoolGauges
	Moved   map[string]progress.Moved // by pool, besides what Meters has
	Streams dispatch.StreamGauges
	Memory  dispatch.MemoryGauges
}

// moved returns how many bytes of bodies have moved.
func (r *UploadResponseRouter) moved() (received, sent int64) {
	for _, m := range r.dispatcher.Moved() {
		received, sent = received+m.Received, sent+m.Sent
	}
	for _, a := range r.meters.Apps() {
		received, sent = received+int64(a.Received.Load()), sent+int64(a.Sent.Load())
	}
	return received, sent
}

// Measure returns what the router measures.
func (r *UploadResponseRouter) Measure() Measurements {
	d := r.dispatcher
	return Measurements{
		Meters: r.meters, Pools: d.PoolGauges(), Moved: d.Moved(), Streams: d.StreamGauges(), Memory: d.MemoryGauges(),
	}
}
