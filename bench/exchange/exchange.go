// Package exchange measures whole exchanges: a client, a server, and a worker, each a
// process.
package exchange

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/python"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
)

// Run measures every case over every protocol.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	dir, err := role.TempDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	s := &setup{options: &o, report: o.NewReport(), dir: dir}
	s.report.Settings = o.settings()
	s.cWorker = sync.OnceValues(func() (string, error) {
		if o.CWorker != "" {
			return o.CWorker, nil
		}
		return role.BuildCWorker(dir)
	})
	s.python = sync.OnceValues(func() (*python.Python, error) { return python.Open(o.Python, dir) })
	defer s.stop()
	if err := s.open(); err != nil {
		return nil, err
	}
	for _, protocol := range o.Protocols {
		for _, name := range o.Cases {
			if err := s.measureCase(ctx, protocol, name); err != nil {
				return s.report, err
			}
		}
	}
	return s.report, nil
}

// settings say how the processes are set up.
func (o *Options) settings() []report.Setting {
	return []report.Setting{
		{Name: "http, server", Value: "serve " + strings.Join(o.serverFlags(), " ")},
		{Name: "http, processes of each worker", Value: strconv.Itoa(o.Processes)},
		{Name: "http, small requests", Value: fmt.Sprintf("%v a round", o.Period)},
	}
}

// measureCase measures one case over one protocol, for every number of connections if the
// case has several.
func (s *setup) measureCase(ctx context.Context, protocol, name string) error {
	o := s.options
	order := load.Order{Case: name, Period: o.Period, Bytes: o.Size}
	switch name {
	case load.CaseRequests:
		for _, n := range o.Connections {
			order.Connections = n
			if err := s.measure(ctx, protocol, bench.Plural(n, "connection"), order); err != nil {
				return err
			}
		}
		return nil
	case load.CaseFirst:
		return s.measure(ctx, protocol, "1 connection", order)
	}
	return s.measure(ctx, protocol, bench.ByteCount(o.Size), order)
}

// titles are the names of the cases in tables.
var titles = map[string]string{
	load.CaseUpload: "upload", load.CaseDownload: "download", load.CaseEcho: "echo",
	load.CaseRequests: "small requests", load.CaseFirst: "first byte of a response that streams",
}

// measure measures all endpoints in turns, and adds a table to the report.
func (s *setup) measure(ctx context.Context, protocol, detail string, order load.Order) error {
	table := &report.Table{Bench: "http", Case: titles[order.Case], Protocol: protocol, Detail: detail,
		X: float64(order.Connections)}
	var list []*bench.Candidate
	for _, e := range s.endpoints {
		target, ok := e.target(order.Case, protocol)
		if !ok {
			continue
		}
		own := order
		own.Target, own.Case = target, e.actualCase(order.Case)
		list = append(list, &bench.Candidate{
			Row:     &report.Row{Name: e.name, Limit: e.limit},
			Measure: func() ([]bench.Value, error) { return s.carryOut(e, &own) },
		})
	}
	return s.options.Run(ctx, s.report, table, list)
}

// carryOut measures once, and counts system calls if that is asked.
func (s *setup) carryOut(e *endpoint, order *load.Order) ([]bench.Value, error) {
	if s.options.Syscalls && len(e.server)+len(e.worker) > 0 {
		return withSyscalls(e, func() ([]bench.Value, float64, error) { return s.ask(e, order) })
	}
	list, _, err := s.ask(e, order)
	return list, err
}

// ask makes the client make load, and measures what the servers use in that time. It also
// returns how many requests there were, or gigabytes.
func (s *setup) ask(e *endpoint, order *load.Order) ([]bench.Value, float64, error) {
	before := s.spent(e)
	var result load.Result
	allocations, err := countAllocations(e.allocations, func() (float64, error) {
		err := s.client.Ask(order, &result)
		return float64(result.Count), err
	})
	if err == nil && result.Error != "" {
		err = errors.New(result.Error)
	}
	if err != nil {
		return nil, 0, err
	}
	used := s.spent(e).minus(before)
	if n := float64(result.Count); order.Case == load.CaseRequests || order.Case == load.CaseFirst {
		list := []bench.Value{
			{Metric: rate, Value: n / result.Seconds}, {Metric: p50, Value: result.P50 * 1e6},
			{Metric: p99, Value: result.P99 * 1e6}, {Metric: p999, Value: result.P999 * 1e6},
		}
		return append(append(list, used.values(e, &smallCosts, n, 1e6)...), allocations...), n, nil
	}
	gigabytes := float64(order.Bytes) / 1e9
	list := []bench.Value{{Metric: speed, Value: gigabytes / result.Seconds}}
	return append(list, used.values(e, &bulkCosts, gigabytes, 1)...), gigabytes, nil
}
