// Package ring measures the shared memory alone: a process that writes, and others that
// read through the real segments, lanes and bells. There is no HTTP.
package ring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/bench/usage"
)

// The cases, by name.
const (
	CaseSlots   = "slot-sizes"
	CaseStreams = "streams"
	CaseReaders = "readers"
	CaseTrips   = "round-trips"
)

// AllCases are the cases to choose among.
var AllCases = []string{CaseSlots, CaseStreams, CaseReaders, CaseTrips}

// Options says what is measured, and how. Start from DefaultOptions; a zero field is not a
// default.
type Options struct {
	bench.Options

	Cases   []string
	Readers []int // processes
}

// DefaultOptions returns what a whole run measures.
func DefaultOptions() Options {
	return Options{Options: bench.DefaultOptions(), Cases: AllCases, Readers: []int{1, 10, 100}}
}

// Run measures every case.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	r := &run{options: &o, report: o.NewReport()}
	cases := map[string]func(context.Context) error{
		CaseSlots: r.slotSizes, CaseStreams: r.streams, CaseReaders: r.readers, CaseTrips: r.roundTrips,
	}
	for _, name := range o.Cases {
		if err := cases[name](ctx); err != nil {
			return r.report, err
		}
	}
	return r.report, nil
}

// run is a run of the benchmark.
type run struct {
	options *Options
	report  *report.Report
}

// slotSizes are the sizes of the table, in KiB.
var slotSizes = []int{16, 32, 64, 100, 128, 256, 512, 768, 1024, 2048}

// The metrics.
var (
	speed         = report.Metric{Name: "speed", Unit: "GB/s", Better: report.Higher}
	p50           = report.Metric{Name: "p50", Unit: "us", Better: report.Lower}
	p99           = report.Metric{Name: "p99", Unit: "us", Better: report.Lower}
	p999          = report.Metric{Name: "p99.9", Unit: "us", Better: report.Lower, Cost: true}
	slotRate      = report.Metric{Name: "slots", Unit: "1/s", Better: report.Higher, Cost: true}
	cpuPerGB      = report.Metric{Name: "CPU", Unit: "s/GB", Better: report.Lower, Cost: true}
	sleepsPerGB   = report.Metric{Name: "sleeps", Unit: "1/GB", Better: report.Lower, Cost: true}
	tripRate      = report.Metric{Name: "rate", Unit: "1/s", Better: report.Higher, Cost: true}
	sleepsPerTrip = report.Metric{Name: "sleeps", Unit: "1/trip", Better: report.Lower, Cost: true}
)

const slotBytes = 64 << 10 // where the size does not vary

func (r *run) slotSizes(ctx context.Context) error {
	var list []*variant
	for _, kib := range slotSizes {
		list = append(list,
			&variant{name: fmt.Sprintf("%d KiB", kib), config: newConfig(kib<<10, 1, 1), x: float64(kib)})
	}
	return r.transfers(ctx, "slot size", "1 stream, 1 reader", list)
}

func (r *run) streams(ctx context.Context) error {
	var list []*variant
	for _, n := range []int{1, 4, 16, 64} {
		list = append(list, &variant{name: bench.Plural(n, "stream"), config: newConfig(slotBytes, 1, n)})
	}
	return r.transfers(ctx, "concurrent streams", "1 reader, slots of 64 KiB", list)
}

func (r *run) readers(ctx context.Context) error {
	var list []*variant
	for _, n := range r.options.Readers {
		list = append(list, &variant{name: bench.Plural(n, "reader"), config: newConfig(slotBytes, n, 1)})
	}
	return r.transfers(ctx, "one writer, several readers", "a process and a stream each, slots of 64 KiB", list)
}

// variant is one way to set the memory up.
type variant struct {
	name   string
	config config
	x      float64 // KiB in a slot, if that varies
}

// transfers measures how fast bytes pass, in turns with copies of memory.
func (r *run) transfers(ctx context.Context, name, detail string, list []*variant) error {
	table := &report.Table{Bench: "ring", Case: name, Detail: detail + ", " + bench.ByteCount(r.options.Size)}
	var candidates []*bench.Candidate
	for i, v := range list {
		p, err := startRole(role.AnyCore, producerRole, v.config)
		if err != nil {
			r.report.Skip(table.Title()+": "+v.name, err.Error())
			continue
		}
		defer p.Stop()
		if i == 0 {
			candidates = append(candidates, r.copies(p)...)
		}
		candidates = append(candidates, &bench.Candidate{
			Row:     &report.Row{Name: v.name, X: v.x},
			Measure: func() ([]bench.Value, error) { return transfer(p, task{Bytes: r.options.Size}) },
		})
	}
	return r.options.Run(ctx, r.report, table, candidates)
}

// copies are the limits: what one core copies within a cache, and through as much memory
// as the slots have.
func (r *run) copies(p *role.Process) []*bench.Candidate {
	measure := func(how string) func() ([]bench.Value, error) {
		return func() ([]bench.Value, error) { return transfer(p, task{Bytes: r.options.Size, Copy: how}) }
	}
	return []*bench.Candidate{
		{Row: &report.Row{Name: "memcpy, in the cache", Limit: true}, Measure: measure(copyCached)},
		{Row: &report.Row{Name: "memcpy, through memory", Limit: true}, Measure: measure(copyThrough)},
	}
}

// startRole starts a process with a config on a core, and waits until it is ready.
// Release: Stop.
func startRole(core int, name string, c config) (*role.Process, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p, err := role.StartRoleOn(core, nil, name, string(text))
	if err != nil {
		return nil, err
	}
	var ready outcome
	if err := p.Receive(&ready); err != nil {
		p.Stop()
		return nil, err
	}
	return p, nil
}

// ask gives a process a task, and measures what it and its readers use.
func ask(p *role.Process, t task) (o outcome, used usage.Usage, err error) {
	before := usage.Of(p.PID())
	if err := p.Ask(t, &o); err != nil {
		return o, used, err
	}
	if o.Error != "" {
		return o, used, errors.New(o.Error)
	}
	return o, usage.Of(p.PID()).Minus(before), nil
}

func transfer(p *role.Process, t task) ([]bench.Value, error) {
	o, used, err := ask(p, t)
	if err != nil {
		return nil, err
	}
	gigabytes := float64(t.Bytes) / 1e9
	list := []bench.Value{{Metric: speed, Value: gigabytes / o.Seconds}}
	if t.Copy == "" {
		list = append(list,
			bench.Value{Metric: slotRate, Value: float64(o.Slots) / o.Seconds},
			bench.Value{Metric: sleepsPerGB, Value: float64(used.Sleeps) / gigabytes})
	}
	return append(list, bench.Value{Metric: cpuPerGB, Value: used.CPU.Seconds() / gigabytes}), nil
}

// roundTrips measures how long a slot of 64 bytes takes to the other process, and an
// answer back: when both sleep until it comes, and when both poll, for which each needs a
// core.
func (r *run) roundTrips(ctx context.Context) error {
	futex, eventfd, spin := newConfig(slotBytes, 1, 1), newConfig(slotBytes, 1, 1), newConfig(slotBytes, 1, 1)
	eventfd.Eventfd, spin.Spin = true, true
	for _, cores := range corePairs() {
		asleep := []*variant{
			{name: "reader on a futex", config: futex}, {name: "reader on an eventfd", config: eventfd},
		}
		if err := r.trips(ctx, "round trip, both asleep", "bare futex", cores, asleep); err != nil {
			return err
		}
		if cores.first == cores.second {
			continue
		}
		spinning := []*variant{{name: "reader", config: spin}}
		if err := r.trips(ctx, "round trip, both spinning", "bare words", cores, spinning); err != nil {
			return err
		}
	}
	return nil
}

// trips measures the round trips of all variants in turns, and of two processes that share
// only two words.
func (r *run) trips(ctx context.Context, name, limit string, cores corePair, list []*variant) error {
	table := &report.Table{Bench: "ring", Case: name, Detail: cores.name + ", 64 bytes each way"}
	c := list[0].config
	c.Core = cores.second
	bare, err := startRole(cores.first, pingRole, c)
	if err != nil {
		return err
	}
	defer bare.Stop()
	candidates := []*bench.Candidate{r.tripCandidate(limit, bare, true)}
	for _, v := range list {
		v.config.Core = cores.second
		p, err := startRole(cores.first, producerRole, v.config)
		if err != nil {
			r.report.Skip(table.Title()+": "+v.name, err.Error())
			continue
		}
		defer p.Stop()
		candidates = append(candidates, r.tripCandidate(v.name, p, false))
	}
	return r.options.Run(ctx, r.report, table, candidates)
}

func (r *run) tripCandidate(name string, p *role.Process, limit bool) *bench.Candidate {
	return &bench.Candidate{Row: &report.Row{Name: name, Limit: limit}, Measure: func() ([]bench.Value, error) {
		o, used, err := ask(p, task{Period: r.options.Period})
		if err != nil {
			return nil, err
		}
		n := float64(o.Trips.Count)
		return []bench.Value{
			{Metric: p50, Value: o.Trips.P50 * 1e6}, {Metric: p99, Value: o.Trips.P99 * 1e6},
			{Metric: p999, Value: o.Trips.P999 * 1e6},
			{Metric: tripRate, Value: n / o.Trips.Seconds}, {Metric: sleepsPerTrip, Value: float64(used.Sleeps) / n},
		}, nil
	}}
}
