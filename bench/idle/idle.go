// Package idle measures the memory that idle streams cost.
package idle

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
	"github.com/wavey-ai/upload-response/bench/usage"
)

// AllProtocols are the protocols to choose among.
var AllProtocols = []string{load.H1, load.H2C, load.TLS, load.H2, load.H3}

// Options says what is measured, and how. Start from DefaultOptions; a zero field is not a
// default.
type Options struct {
	bench.Options

	Protocols   []string
	Streams     []int
	Server      string   // the program upload-response
	ServerFlags []string // besides those that the benchmark gives it
}

// DefaultOptions returns what a whole run measures.
func DefaultOptions() Options {
	return Options{
		Options: bench.DefaultOptions(), Protocols: []string{load.H1, load.H2C}, Streams: []int{0, 1000, 10000},
	}
}

// Run measures the memory of the server while responses are open that send nothing for
// now, beside a server with the handler in its own process.
func Run(ctx context.Context, o Options) (*report.Report, error) {
	r := o.NewReport()
	r.Settings = append(r.Settings, report.Setting{
		Name: "memory, server", Value: fmt.Sprintf("serve %s, 256 MiB of shared memory reserved; %d worker processes",
			strings.Join(idleFlags(slices.Max(o.Streams)), " "), idleWorkers),
	})
	for _, protocol := range o.Protocols {
		for _, streams := range o.Streams {
			m := &memoryRun{options: &o, protocol: protocol, streams: streams}
			table := &report.Table{Bench: "memory", Case: "idle streaming responses", Protocol: protocol,
				Detail: bench.Plural(streams, "stream")}
			list := []*bench.Candidate{
				{Row: &report.Row{Name: "in-process", Limit: true}, Measure: m.inProcess},
				{Row: &report.Row{Name: pool}, Measure: m.withWorkers},
			}
			if err := o.Turns(ctx, r, table, list, 0); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// The metrics, of the server alone.
var (
	resident  = report.Metric{Name: "resident", Unit: "MiB", Better: report.Lower}
	private   = report.Metric{Name: "of it private", Unit: "MiB", Better: report.Lower, Cost: true}
	shared    = report.Metric{Name: "of it shared", Unit: "MiB", Better: report.Lower, Cost: true}
	perStream = report.Metric{Name: "for each", Unit: "KiB", Better: report.Lower, Cost: true}
)

// memoryRun is a measurement over one protocol with one number of streams.
type memoryRun struct {
	options  *Options
	protocol string
	streams  int
}

// idleWorkers is how many worker processes share the streams: a link has at most 2048
// lanes.
const idleWorkers = 8

// pool is the pool of the workers.
const pool = "go"

// idleFlags are those of the server: slots only as large as a small piece needs, and long
// timeouts.
func idleFlags(streams int) []string {
	return []string{
		"--num-streams=" + strconv.Itoa(streams+100), "--slot-size=8KiB", "--link-memory=16MiB",
		"--connections-per-address=0",
		"--response-timeout=1h", "--client-timeout=1h", "--stall-timeout=0", "--queue-length=1000",
	}
}

// withWorkers measures our server.
func (m *memoryRun) withWorkers() ([]bench.Value, error) {
	dir, err := role.TempDir()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p, err := role.StartServer(m.options.Server, dir, []string{pool},
		append(idleFlags(m.streams), m.options.ServerFlags...))
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	for range idleWorkers {
		lanes := strconv.Itoa(m.streams/idleWorkers + 16)
		worker, err := role.StartRole(role.GoWorker, "--socket", p.Socket, "--pool", pool, "--lanes", lanes)
		if err != nil {
			return nil, err
		}
		defer worker.Stop()
	}
	if err := p.AwaitWorkers(idleWorkers); err != nil {
		return nil, err
	}
	return m.withStreams(load.Target{Protocol: m.protocol, Address: p.ByProtocol()[m.protocol], Prefix: "/" + pool},
		p.PID())
}

// inProcess measures the handler alone.
func (m *memoryRun) inProcess() ([]bench.Value, error) {
	p, err := role.StartRole(role.InProcess)
	if err != nil {
		return nil, err
	}
	defer p.Stop()
	var at role.Addresses
	if err := p.Receive(&at); err != nil {
		return nil, err
	}
	return m.withStreams(load.Target{Protocol: m.protocol, Address: at.ByProtocol()[m.protocol]}, p.PID())
}

// withStreams opens the streams, and measures a process.
func (m *memoryRun) withStreams(target load.Target, pid int) ([]bench.Value, error) {
	client, err := role.StartRole(role.Client)
	if err != nil {
		return nil, err
	}
	defer client.Stop()
	var result load.Result
	if err := client.Ask(load.Order{Case: load.CaseIdle, Target: target, Connections: m.streams}, &result); err != nil {
		return nil, err
	}
	if result.Error != "" {
		return nil, fmt.Errorf("%s", result.Error)
	}
	const kib, mib = 1 << 10, 1 << 20
	used := usage.MemoryOf(pid)
	list := []bench.Value{
		{Metric: resident, Value: float64(used.Resident) / mib},
		{Metric: private, Value: float64(used.Private) / mib},
		{Metric: shared, Value: float64(used.Shared) / mib},
	}
	if m.streams > 0 {
		list = append(list, bench.Value{Metric: perStream, Value: float64(used.Resident) / kib / float64(m.streams)})
	}
	return list, nil
}
