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

// Measure returns what the router measures.
func (r *UploadResponseRouter) Measure() Measurements {
	d := r.dispatcher
	return Measurements{
		Meters: r.meters, Pools: d.PoolGauges(), Moved: d.Moved(), Streams: d.StreamGauges(), Memory: d.MemoryGauges(),
	}
}
