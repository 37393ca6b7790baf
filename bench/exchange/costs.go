package exchange

import (
	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/bench/usage"
)

// The metrics.
var (
	speed = report.Metric{Name: "speed", Unit: "GB/s", Better: report.Higher}
	rate  = report.Metric{Name: "rate", Unit: "requests/s", Better: report.Higher}
	p50   = report.Metric{Name: "p50", Unit: "us", Better: report.Lower}
	p99   = report.Metric{Name: "p99", Unit: "us", Better: report.Lower}
	p999  = report.Metric{Name: "p99.9", Unit: "us", Better: report.Lower, Cost: true}

	// allocated counts objects on the heap of the process that speaks HTTP, our server or
	// the in-process handler; not of the worker.
	allocated = report.Metric{Name: "server allocations", Unit: "1/request", Better: report.Lower, Cost: true}
)

// costs are the metrics of what was used.
type costs struct{ sleeps, server, worker, client report.Metric }

var (
	bulkCosts  = newCosts("1/GB", "s/GB")
	smallCosts = newCosts("1/request", "us/request")
)

func newCosts(count, time string) costs {
	cost := func(name, unit string) report.Metric {
		return report.Metric{Name: name, Unit: unit, Better: report.Lower, Cost: true}
	}
	return costs{cost("sleeps", count), cost("server CPU", time), cost("worker CPU", time), cost("client CPU", time)}
}

// spending is what the processes of an endpoint, and the client, have used.
type spending struct{ server, worker, client usage.Usage }

func (s *setup) spent(e *endpoint) spending {
	return spending{usage.Of(e.server...), usage.Of(e.worker...), usage.Of(s.client.PID())}
}

func (s spending) minus(before spending) spending {
	return spending{s.server.Minus(before.server), s.worker.Minus(before.worker), s.client.Minus(before.client)}
}

// values returns what was used for each of so many units, in fractions of a second. It
// has nothing for processes that are not known.
func (s spending) values(e *endpoint, m *costs, units, fractions float64) (list []bench.Value) {
	if len(e.server) > 0 {
		list = append(list,
			bench.Value{Metric: m.sleeps, Value: float64(s.server.Sleeps+s.worker.Sleeps) / units},
			bench.Value{Metric: m.server, Value: s.server.CPU.Seconds() * fractions / units})
	}
	if len(e.worker) > 0 {
		list = append(list, bench.Value{Metric: m.worker, Value: s.worker.CPU.Seconds() * fractions / units})
	}
	return append(list, bench.Value{Metric: m.client, Value: s.client.CPU.Seconds() * fractions / units})
}

// countAllocations carries out f, which returns how many requests it made, and returns how
// many objects were allocated for each. Without a counter there is no such figure.
func countAllocations(counter *role.AllocationCounter, f func() (float64, error)) ([]bench.Value, error) {
	if counter == nil {
		_, err := f()
		return nil, err
	}
	before, err := counter.Count()
	if err != nil {
		return nil, err
	}
	requests, err := f()
	if err != nil {
		return nil, err
	}
	after, err := counter.Count()
	return []bench.Value{{Metric: allocated, Value: (after - before) / requests}}, err
}
