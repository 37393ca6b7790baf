package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	f := &field{options: &o, report: o.newReport("http"), dir: dir}
	f.cWorker = sync.OnceValues(func() (string, error) { return o.cWorker(dir) })
	f.python = sync.OnceValues(func() (*python, error) { return o.openPython(dir) })
	defer f.stop()
	if err := f.open(); err != nil {
		return nil, err
	}
	for _, protocol := range o.Protocols {
		for _, name := range o.Cases {
			if err := f.measureCase(ctx, protocol, name); err != nil {
				return nil, err
			}
		}
	}
	return f.report, nil
}

// The metrics.
var (
	speed       = report.Metric{Name: "speed", Unit: "GB/s", Better: report.Higher}
	rate        = report.Metric{Name: "rate", Unit: "requests/s", Better: report.Higher}
	p50         = report.Metric{Name: "p50", Unit: "us", Better: report.Lower}
	p99         = report.Metric{Name: "p99", Unit: "us", Better: report.Lower}
	p999        = report.Metric{Name: "p99.9", Unit: "us", Better: report.Lower, Cost: true}
	serverBulk  = report.Metric{Name: "server CPU", Unit: "s/GB", Better: report.Lower, Cost: true}
	workerBulk  = report.Metric{Name: "worker CPU", Unit: "s/GB", Better: report.Lower, Cost: true}
	bulkSleeps  = report.Metric{Name: "sleeps", Unit: "1/GB", Better: report.Lower, Cost: true}
	serverSmall = report.Metric{Name: "server CPU", Unit: "us/request", Better: report.Lower, Cost: true}
	workerSmall = report.Metric{Name: "worker CPU", Unit: "us/request", Better: report.Lower, Cost: true}
	smallSleeps = report.Metric{Name: "sleeps", Unit: "1/request", Better: report.Lower, Cost: true}
)

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
	server, worker := usageOf(c.server), usageOf(c.worker)
	var result load.Result
	if err := f.client.ask(order, &result); err != nil {
		return nil, 0, err
	}
	if result.Error != "" {
		return nil, 0, errors.New(result.Error)
	}
	server, worker = usageOf(c.server).minus(server), usageOf(c.worker).minus(worker)
	if order.Case == load.CaseRequests || order.Case == load.CaseFirst {
		return smallValues(c, &result, server, worker), float64(result.Count), nil
	}
	gigabytes := float64(order.Bytes) / 1e9
	return bulkValues(c, gigabytes, &result, server, worker), gigabytes, nil
}

func bulkValues(c *candidate, gigabytes float64, r *load.Result, server, worker usage) []value {
	list := []value{{speed, gigabytes / r.Seconds}}
	if len(c.server) > 0 {
		list = append(list, value{bulkSleeps, float64(server.sleeps+worker.sleeps) / gigabytes}, value{serverBulk, server.cpu.Seconds() / gigabytes})
	}
	if len(c.worker) > 0 {
		list = append(list, value{workerBulk, worker.cpu.Seconds() / gigabytes})
	}
	return list
}

func smallValues(c *candidate, r *load.Result, server, worker usage) []value {
	n := float64(r.Count)
	list := []value{{rate, n / r.Seconds}, {p50, r.P50 * 1e6}, {p99, r.P99 * 1e6}, {p999, r.P999 * 1e6}}
	if len(c.server) > 0 {
		list = append(list, value{smallSleeps, float64(server.sleeps+worker.sleeps) / n}, value{serverSmall, server.cpu.Seconds() * 1e6 / n})
	}
	if len(c.worker) > 0 {
		list = append(list, value{workerSmall, worker.cpu.Seconds() * 1e6 / n})
	}
	return list
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
