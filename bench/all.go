package bench

import (
	"context"
	"slices"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
)

// All measures the ring, exchanges, and the memory, one after the other.
func All(ctx context.Context, o Options) (*report.Report, error) {
	all, err := Ring(ctx, o)
	if err != nil {
		return nil, err
	}
	exchanges, err := HTTP(ctx, o)
	if err != nil {
		return nil, err
	}
	all.Merge(exchanges)
	o.Protocols = slices.DeleteFunc(slices.Clone(o.Protocols), func(p string) bool { return p != load.H1 && p != load.H2C })
	idle, err := Memory(ctx, o)
	if err == nil {
		all.Merge(idle)
	}
	return all, err
}
