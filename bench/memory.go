package bench

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
)

// Memory measures what the server has in memory while responses stream that have no
// more to say for now, beside a server whose handler is in its own process.
func Memory(ctx context.Context, o Options) (*report.Report, error) {
	r := o.newReport()
	r.Settings = append(r.Settings, report.Setting{
		Name: "memory, server", Value: "serve " + strings.Join(idleFlags(slices.Max(o.Idle)), " ") + ", 256 MiB of shared memory reserved; " + strconv.Itoa(idleWorkers) + " worker processes",
	})
	for _, protocol := range o.Protocols {
		for _, streams := range o.Idle {
			m := &memoryRun{options: &o, protocol: protocol, streams: streams}
			table := &report.Table{Bench: "memory", Case: "idle streaming responses", Protocol: protocol, Detail: plural(streams, "stream")}
			list := []*contender{
				{row: &report.Row{Name: inProcessName, Limit: true}, measure: m.inProcess},
				{row: &report.Row{Name: WorkerGo}, measure: m.proxied},
			}
			if err := o.turns(ctx, r, table, list, 0); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// The metrics of memory, of the server alone.
var (
	resident  = report.Metric{Name: "resident", Unit: "MiB", Better: report.Lower}
	private   = report.Metric{Name: "of it private", Unit: "MiB", Better: report.Lower, Cost: true}
	shared    = report.Metric{Name: "of it shared", Unit: "MiB", Better: report.Lower, Cost: true}
	perStream = report.Metric{Name: "for each", Unit: "KiB", Better: report.Lower, Cost: true}
)

// memoryRun is a measurement with so many streams.
type memoryRun struct {
	options  *Options
	protocol string
	streams  int
}

// idleWorkers is how many worker processes share the streams: a link has at most 2048
// lanes.
const idleWorkers = 8

// idleFlags are the server's: slots that are no larger than a small piece needs, and
// patience.
func idleFlags(streams int) []string {
	return []string{
		"--num-streams=" + strconv.Itoa(streams+100), "--slot-size=8KiB", "--link-memory=16MiB", "--connections-per-address=0",
		"--response-timeout=1h", "--client-timeout=1h", "--stall-time=0", "--queue-length=1000",
	}
}

// proxied measures our server.
func (m *memoryRun) proxied() ([]value, error) {
	dir, err := workFolder()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p, err := m.options.startProxy(dir, []string{WorkerGo}, idleFlags(m.streams)...)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	for range idleWorkers {
		lanes := strconv.Itoa(m.streams/idleWorkers + 16)
		worker, err := m.options.startRole("worker", "--socket", p.socket, "--pool", WorkerGo, "--lanes", lanes)
		if err != nil {
			return nil, err
		}
		defer worker.stop()
	}
	if err := p.awaitLinks(idleWorkers); err != nil {
		return nil, err
	}
	return m.withStreams(&candidate{at: p.byProtocol(), prefix: "/" + WorkerGo}, p.pid())
}

// inProcess measures the handler alone.
func (m *memoryRun) inProcess() ([]value, error) {
	p, err := m.options.startRole("handler")
	if err != nil {
		return nil, err
	}
	defer p.stop()
	var at addresses
	if err := p.receive(&at); err != nil {
		return nil, err
	}
	return m.withStreams(&candidate{at: at.byProtocol()}, p.pid())
}

// withStreams opens the streams, and looks at a process.
func (m *memoryRun) withStreams(c *candidate, pid int) ([]value, error) {
	client, err := m.options.startRole("client")
	if err != nil {
		return nil, err
	}
	defer client.stop()
	target, _ := c.target(load.CaseIdle, m.protocol)
	var result load.Result
	if err := client.ask(load.Order{Case: load.CaseIdle, Target: target, Connections: m.streams}, &result); err != nil {
		return nil, err
	}
	if result.Error != "" {
		return nil, fmt.Errorf("%s", result.Error)
	}
	status := fmt.Sprintf("/proc/%d/status", pid)
	const mib = 1 << 20
	all := float64(statusNumber(status, "VmRSS")<<10) / mib
	list := []value{
		{resident, all}, {private, float64(statusNumber(status, "RssAnon")<<10) / mib}, {shared, float64(statusNumber(status, "RssShmem")<<10) / mib},
	}
	if m.streams > 0 {
		list = append(list, value{perStream, all * 1024 / float64(m.streams)})
	}
	return list, nil
}
