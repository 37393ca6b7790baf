package tracing

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/traceparent"
)

// sampler decides which requests are recorded.
type sampler struct {
	follow bool   // whoever began the trace has decided
	bound  uint64 // of the last 63 bits of an id; those below it are recorded
}

// all is the bound of a sampler that records every trace.
const all = 1 << 63

// records reports whether a trace is recorded. All servers that see it, and have the same bound, agree.
func (s *sampler) records(trace [16]byte, from traceparent.Context) bool {
	if s.follow && from != (traceparent.Context{}) {
		return from.Sampled()
	}
	return binary.BigEndian.Uint64(trace[8:])>>1 < s.bound
}

// ratio returns a sampler that records a part of the traces, 0 to 1.
func ratio(part float64, follow bool) sampler {
	if part >= 1 {
		return sampler{follow, all}
	}
	return sampler{follow, uint64(max(part, 0) * all)}
}

// samplerOf returns the sampler that OTEL_TRACES_SAMPLER names, with its argument; all and parents by default.
func samplerOf(name, argument string) (sampler, error) {
	name, follow := strings.CutPrefix(strings.TrimSpace(strings.ToLower(name)), "parentbased_")
	switch name {
	case "":
		return ratio(1, true), nil
	case "always_on":
		return ratio(1, follow), nil
	case "always_off":
		return ratio(0, follow), nil
	case "traceidratio":
		part := 1.0
		if argument != "" {
			var err error
			if part, err = strconv.ParseFloat(argument, 64); err != nil || !(part >= 0 && part <= 1) {
				return sampler{}, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG=%s: want a number from 0 to 1", argument)
			}
		}
		return ratio(part, follow), nil
	}
	return sampler{}, fmt.Errorf("OTEL_TRACES_SAMPLER: want always_on, always_off or traceidratio, " +
		"or one of them after parentbased_")
}
