package bench

import (
	"context"
	"slices"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
)

// All measures the ring, exchanges, and the memory, one after the other. With an error
// it returns what was measured before.
func All(ctx context.Context, o Options) (*report.Report, error) {
	all := o.newReport()
	idle := o
	idle.Protocols = slices.DeleteFunc(slices.Clone(o.Protocols), func(p string) bool { return p != load.H1 && p != load.H2C })
	for _, part := range []func() (*report.Report, error){
		func() (*report.Report, error) { return Ring(ctx, o) },
		func() (*report.Report, error) { return HTTP(ctx, o) },
		func() (*report.Report, error) { return Memory(ctx, idle) },
	} {
		found, err := part()
		if found != nil {
			all.Merge(found)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}
