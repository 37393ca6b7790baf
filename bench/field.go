package bench

import (
	"fmt"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/server"
)

// field is all the processes of an HTTP benchmark.
type field struct {
	options    *Options
	report     *report.Report
	dir        string
	proxy      *proxy
	python     func() (*python, error)
	cWorker    func() (string, error)
	client     *process
	processes  []*process // all, in the order of their start
	candidates []*candidate
}

// Names of the limits.
const (
	tcpName       = "tcp"
	sinkName      = "tcp sink" // beside an echo: what takes the bytes alone
	inProcessName = "in-process"
)

// open starts the processes. Release: stop, whatever has come of it.
func (f *field) open() error {
	var raw rawAddresses
	rawProcess, err := f.role(&raw, "raw")
	if err != nil {
		return err
	}
	var own addresses
	handlerProcess, err := f.role(&own, "handler")
	if err != nil {
		return err
	}
	heap := newAllocationCounter()
	heap.process = handlerProcess
	handlerProcess.errors.look(heap.look)
	f.candidates = []*candidate{
		{name: tcpName, limit: true, raw: raw, server: []int{rawProcess.pid()}},
		{name: sinkName, limit: true, raw: raw, server: []int{rawProcess.pid()}, beside: load.CaseEcho, does: load.CaseUpload},
		{name: inProcessName, limit: true, at: own.byProtocol(), server: []int{handlerProcess.pid()}, heap: heap},
	}
	if f.client, err = f.options.startRole("client"); err != nil {
		return err
	}
	f.processes = append(f.processes, f.client)
	if err := f.openWorkers(); err != nil {
		return err
	}
	targets := append(slices.Clone(f.options.Targets), f.openPeers()...)
	f.candidates = append(f.candidates, candidatesOf(targets)...)
	f.awaitAll()
	return nil
}

// role starts a process that says when it is ready.
func (f *field) role(ready any, name string, args ...string) (*process, error) {
	p, err := f.options.startRole(name, args...)
	if err != nil {
		return nil, err
	}
	f.processes = append(f.processes, p)
	return p, p.receive(ready)
}

// serverFlags are those of our server: nothing but room for as many requests at once as
// there are connections.
var serverFlags = []string{"--num-streams=1024", "--queue-length=4096"}

// openWorkers starts our server and its workers.
func (f *field) openWorkers() (err error) {
	if len(f.options.Workers) == 0 {
		return nil
	}
	if f.proxy, err = f.options.startProxy(f.dir, f.options.Workers, serverFlags...); err != nil {
		return err
	}
	f.processes = append(f.processes, f.proxy.process)
	for _, name := range f.options.Workers {
		c := &candidate{name: name, at: f.proxy.byProtocol(), prefix: "/" + name, server: []int{f.proxy.pid()}, heap: f.proxy.heap}
		for range f.options.Processes {
			worker, err := f.startWorker(name)
			if err != nil {
				f.report.Skip("workers: "+name, firstLine(err))
				break
			}
			f.processes = append(f.processes, worker)
			c.worker = append(c.worker, worker.pid())
		}
		if len(c.worker) == f.options.Processes {
			f.candidates = append(f.candidates, c)
		}
	}
	return nil
}

// startWorker starts the worker of a name, which is also its pool's.
func (f *field) startWorker(name string) (*process, error) {
	o := f.options
	switch name {
	case WorkerGo:
		return o.startRole("worker", "--socket", f.proxy.socket, "--pool", name)
	case WorkerC:
		program, err := f.cWorker()
		if err != nil {
			return nil, err
		}
		return start(name, []string{program, "--socket", f.proxy.socket, "--pool", name})
	case WorkerSlot, WorkerLoop, WorkerWSGI, WorkerASGI:
		python, err := f.python()
		if err != nil {
			return nil, err
		}
		return python.startWorker(name, f.proxy.socket)
	}
	return nil, fmt.Errorf("unknown worker %q", name)
}

// awaitAll waits until every candidate answers; one that does not is not measured.
func (f *field) awaitAll() {
	f.candidates = slices.DeleteFunc(f.candidates, func(c *candidate) bool {
		err := f.await(c)
		if err != nil {
			f.report.Skip("all of "+c.name, firstLine(err))
		}
		return err != nil
	})
}

func (f *field) await(c *candidate) error {
	if c.raw != nil {
		return nil
	}
	order := load.Order{Case: load.CaseRequests, Target: c.anyTarget(), Connections: 1, Period: time.Millisecond}
	deadline := time.Now().Add(patience)
	for {
		var result load.Result
		if err := f.client.ask(&order, &result); err != nil {
			return err
		}
		if result.Error == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer: %s", result.Error)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends the processes, the last first.
func (f *field) stop() {
	for _, p := range slices.Backward(f.processes) {
		p.stop()
	}
}

// newReport begins a report.
func (o *Options) newReport() *report.Report {
	return &report.Report{
		Program: server.Name + " " + server.Version, Time: time.Now().UTC().Truncate(time.Second), Machine: report.ThisMachine(),
	}
}
