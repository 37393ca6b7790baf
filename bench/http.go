package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
)

// HTTP measures whole exchanges: a client, the server, and a worker, each a process.
func HTTP(ctx context.Context, o Options) (*report.Report, error) {
	dir, err := workFolder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	f := &field{options: &o, report: o.newReport(), dir: dir}
	f.report.Settings = o.settings()
	f.cWorker = sync.OnceValues(func() (string, error) { return o.cWorker(dir) })
	f.python = sync.OnceValues(func() (*python, error) { return o.openPython(dir) })
	defer f.stop()
	if err := f.open(); err != nil {
		return nil, err
	}
	for _, protocol := range o.Protocols {
		for _, name := range o.Cases {
			if err := f.measureCase(ctx, protocol, name); err != nil {
				return f.report, err
			}
		}
	}
	return f.report, nil
}

// settings say how the processes are set up.
func (o *Options) settings() []report.Setting {
	return []report.Setting{
		{Name: "http, server", Value: "serve " + strings.Join(append(slices.Clone(serverFlags), o.ServeFlags...), " ")},
		{Name: "http, processes of each worker", Value: strconv.Itoa(o.Processes)},
		{Name: "http, small requests", Value: fmt.Sprintf("%v a round", o.Period)},
	}
}

// The metrics.
var (
	speed = report.Metric{Name: "speed", Unit: "GB/s", Better: report.Higher}
	rate  = report.Metric{Name: "rate", Unit: "requests/s", Better: report.Higher}
	p50   = report.Metric{Name: "p50", Unit: "us", Better: report.Lower}
	p99   = report.Metric{Name: "p99", Unit: "us", Better: report.Lower}
	p999  = report.Metric{Name: "p99.9", Unit: "us", Better: report.Lower, Cost: true}
)

// costs are what was used for it.
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

// measureCase measures one case over one protocol, for every number of connections if
// it has one.
func (f *field) measureCase(ctx context.Context, protocol, name string) error {
	o := f.options
	order := load.Order{Case: name, Period: o.Period, Bytes: o.Size}
	switch name {
	case load.CaseRequests:
		for _, n := range o.Connections {
			order.Connections = n
			if err := f.measure(ctx, protocol, plural(n, "connection"), order); err != nil {
				return err
			}
		}
		return nil
	case load.CaseFirst:
		return f.measure(ctx, protocol, "1 connection", order)
	}
	return f.measure(ctx, protocol, byteCount(o.Size), order)
}

// titles say what the cases are.
var titles = map[string]string{
	load.CaseUpload: "upload", load.CaseDownload: "download", load.CaseEcho: "echo",
	load.CaseRequests: "small requests", load.CaseFirst: "first byte of a response that streams",
}

// measure measures all candidates in turns, and adds a table to the report.
func (f *field) measure(ctx context.Context, protocol, detail string, order load.Order) error {
	table := &report.Table{Bench: "http", Case: titles[order.Case], Protocol: protocol, Detail: detail, X: float64(order.Connections)}
	var list []*contender
	for _, c := range f.candidates {
		target, ok := c.target(order.Case, protocol)
		if !ok {
			continue
		}
		one := order
		one.Target, one.Case = target, c.instead(order.Case)
		list = append(list, &contender{
			row:     &report.Row{Name: c.name, Limit: c.limit},
			measure: func() ([]value, error) { return f.carryOut(c, &one) },
		})
	}
	return f.options.run(ctx, f.report, table, list)
}

// carryOut measures once, and counts system calls if that is asked for.
func (f *field) carryOut(c *candidate, order *load.Order) ([]value, error) {
	if f.options.Syscalls && len(c.server)+len(c.worker) > 0 {
		return counted(c, func() ([]value, float64, error) { return f.ask(c, order) })
	}
	list, _, err := f.ask(c, order)
	return list, err
}

// ask has the client make load, and looks at what the servers use meanwhile. It also
// returns how many requests there were, or gigabytes.
func (f *field) ask(c *candidate, order *load.Order) ([]value, float64, error) {
	before := f.spent(c)
	var result load.Result
	heap, err := c.heap.countIn(func() (float64, error) {
		err := f.client.ask(order, &result)
		return float64(result.Count), err
	})
	if err == nil && result.Error != "" {
		err = errors.New(result.Error)
	}
	if err != nil {
		return nil, 0, err
	}
	used := f.spent(c).minus(before)
	if n := float64(result.Count); order.Case == load.CaseRequests || order.Case == load.CaseFirst {
		list := []value{{rate, n / result.Seconds}, {p50, result.P50 * 1e6}, {p99, result.P99 * 1e6}, {p999, result.P999 * 1e6}}
		return append(append(list, used.values(c, &smallCosts, n, 1e6)...), heap...), n, nil
	}
	gigabytes := float64(order.Bytes) / 1e9
	return append([]value{{speed, gigabytes / result.Seconds}}, used.values(c, &bulkCosts, gigabytes, 1)...), gigabytes, nil
}

// spending is what the processes of a candidate, and the client, have used.
type spending struct{ server, worker, client usage }

func (f *field) spent(c *candidate) spending {
	return spending{usageOf(c.server), usageOf(c.worker), usageOf([]int{f.client.pid()})}
}

func (s spending) minus(before spending) spending {
	return spending{s.server.minus(before.server), s.worker.minus(before.worker), s.client.minus(before.client)}
}

// values returns what was used for each of so many units, in fractions of a second. Of
// processes that we do not know there is none.
func (s spending) values(c *candidate, m *costs, units, fractions float64) (list []value) {
	if len(c.server) > 0 {
		list = append(list, value{m.sleeps, float64(s.server.sleeps+s.worker.sleeps) / units}, value{m.server, s.server.cpu.Seconds() * fractions / units})
	}
	if len(c.worker) > 0 {
		list = append(list, value{m.worker, s.worker.cpu.Seconds() * fractions / units})
	}
	return append(list, value{m.client, s.client.cpu.Seconds() * fractions / units})
}

// byteCount shows a number of bytes in the largest unit that it is a multiple of.
func byteCount(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB"}
	i := 0
	for ; i < len(units)-1 && n >= 1<<10 && n%(1<<10) == 0; i++ {
		n >>= 10
	}
	return fmt.Sprintf("%d %s", n, units[i])
}
