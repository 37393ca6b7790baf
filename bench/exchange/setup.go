package exchange

import (
	"fmt"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/peers"
	"github.com/wavey-ai/upload-response/bench/python"
	"github.com/wavey-ai/upload-response/bench/report"
	"github.com/wavey-ai/upload-response/bench/role"
)

// setup is all the processes of a run.
type setup struct {
	options   *Options
	report    *report.Report
	dir       string
	server    *role.Server
	python    func() (*python.Python, error)
	cWorker   func() (string, error)
	client    *role.Process
	processes []*role.Process // all, in the order of their start
	endpoints []*endpoint
}

// Names of the limits.
const (
	tcpName       = "tcp"
	sinkName      = "tcp sink" // beside an echo: takes the bytes and sends none back
	inProcessName = "in-process"
)

// open starts the processes. Release: stop, even after an error.
func (s *setup) open() error {
	if err := s.openLimits(); err != nil {
		return err
	}
	client, err := role.StartRole(role.Client)
	if err != nil {
		return err
	}
	s.client, s.processes = client, append(s.processes, client)
	if err := s.openWorkers(); err != nil {
		return err
	}
	targets := append(slices.Clone(s.options.Targets), s.openPeers()...)
	s.endpoints = append(s.endpoints, endpointsOf(targets)...)
	s.awaitAll()
	return nil
}

// openLimits starts the limits that ours stands beside.
func (s *setup) openLimits() error {
	var raw role.RawAddresses
	tcp, err := s.startRole(&raw, role.RawTCP)
	if err != nil {
		return err
	}
	var own role.Addresses
	handler, err := s.startRole(&own, role.InProcess)
	if err != nil {
		return err
	}
	s.endpoints = []*endpoint{
		{name: tcpName, limit: true, raw: raw, server: []int{tcp.PID()}},
		{name: sinkName, limit: true, raw: raw, server: []int{tcp.PID()}, only: load.CaseEcho,
			substitute: load.CaseUpload},
		{
			name: inProcessName, limit: true, at: own.ByProtocol(), server: []int{handler.PID()},
			allocations: role.CountAllocations(handler),
		},
	}
	return nil
}

// startRole starts a process that says when it is ready.
func (s *setup) startRole(ready any, name string) (*role.Process, error) {
	p, err := role.StartRole(name)
	if err != nil {
		return nil, err
	}
	s.processes = append(s.processes, p)
	return p, p.Receive(ready)
}

// serverFlags are those of our server: only room for as many requests at once as there
// are connections.
var serverFlags = []string{"--num-streams=1024", "--queue-length=4096"}

func (o *Options) serverFlags() []string { return slices.Concat(serverFlags, o.ServerFlags) }

// openWorkers starts our server and its workers.
func (s *setup) openWorkers() (err error) {
	o := s.options
	if len(o.Workers) == 0 {
		return nil
	}
	if s.server, err = role.StartServer(o.Server, s.dir, o.Workers, o.serverFlags()); err != nil {
		return err
	}
	s.processes = append(s.processes, s.server.Process)
	for _, name := range o.Workers {
		e := &endpoint{
			name: name, at: s.server.ByProtocol(), prefix: "/" + name, server: []int{s.server.PID()},
			allocations: s.server.Allocations,
		}
		for range o.Processes {
			worker, err := s.startWorker(name)
			if err != nil {
				s.report.Skip("workers: "+name, bench.FirstLine(err))
				break
			}
			s.processes = append(s.processes, worker)
			e.worker = append(e.worker, worker.PID())
		}
		if len(e.worker) == o.Processes {
			s.endpoints = append(s.endpoints, e)
		}
	}
	return nil
}

// startWorker starts the worker of a name, which is also the name of its pool.
func (s *setup) startWorker(name string) (*role.Process, error) {
	switch {
	case name == WorkerGo:
		return role.StartRole(role.GoWorker, "--socket", s.server.Socket, "--pool", name)
	case name == WorkerC:
		program, err := s.cWorker()
		if err != nil {
			return nil, err
		}
		return role.Start(name, []string{program, "--socket", s.server.Socket, "--pool", name})
	case slices.Contains(python.Workers, name):
		python, err := s.python()
		if err != nil {
			return nil, err
		}
		return python.StartWorker(name, s.server.Socket)
	}
	return nil, fmt.Errorf("unknown worker %q", name)
}

// openPeers starts other servers, and returns where they serve. Those that do not start
// are not measured.
func (s *setup) openPeers() (targets []peers.Target) {
	for _, program := range s.options.Peers {
		peer := &peers.Peer{Program: program, Python: s.options.Python, Processes: s.options.Processes}
		s.options.ShowProgress("peer %s: installing and starting", peer.Name())
		process, found, err := peer.Start(s.dir)
		if process != nil {
			s.processes = append(s.processes, process)
		}
		if err != nil {
			s.report.Skip("peers: "+peer.Name(), bench.FirstLine(err))
		}
		targets = append(targets, found...)
	}
	s.options.ShowProgress("")
	return targets
}

// awaitAll waits until every endpoint answers; one that does not is not measured.
func (s *setup) awaitAll() {
	s.endpoints = slices.DeleteFunc(s.endpoints, func(e *endpoint) bool {
		err := s.await(e)
		if err != nil {
			s.report.Skip("all of "+e.name, bench.FirstLine(err))
		}
		return err != nil
	})
}

func (s *setup) await(e *endpoint) error {
	if e.raw != nil {
		return nil
	}
	order := load.Order{Case: load.CaseRequests, Target: e.anyTarget(), Connections: 1, Period: time.Millisecond}
	deadline := time.Now().Add(role.Timeout)
	for {
		var result load.Result
		if err := s.client.Ask(&order, &result); err != nil {
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

// stop ends the processes, the last one first.
func (s *setup) stop() {
	for _, p := range slices.Backward(s.processes) {
		p.Stop()
	}
}
