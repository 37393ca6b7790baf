package main

import (
	"context"
	"os"
	"strconv"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/supervise"
	"github.com/wavey-ai/upload-response/worker"
)

// prepareWorkers makes the supervisor, and connects it with the router, which is made after
// it: the router asks to which worker a process belongs.
func (v *service) prepareWorkers() {
	s := v.settings
	stdout, stderr := v.output.forWorkers(os.Stdout), v.output.forWorkers(os.Stderr)
	if s.workers.output == outputWrap || s.workers.output == outputAuto && s.logging.format == "json" {
		stdout, stderr = wrapped(v.workerLog, "stdout"), wrapped(v.workerLog, "stderr")
	}
	v.workers = supervise.New(supervise.Config{
		Log: v.log, Dumpable: s.dumpable,
		Environment: append(workerEnviron(os.Environ()), cli.EnvName("socket")+"="+absolute(s.socket),
			worker.ServerUIDVariable+"="+strconv.Itoa(os.Geteuid())),
		Stdout: v.admin.events.Output(stdout), Stderr: v.admin.events.Output(stderr),
		OnEvent: v.admin.events.Worker,
		Free:    v.freeLinks, Served: v.served,
		Load:      func(pool string) supervise.Load { return supervise.Load(v.router.PoolLoad(pool)) },
		Drain:     func(process int) <-chan struct{} { return v.router.DrainWorker(process) },
		Failed:    func(pool, how string) { v.router.MarkFailed(pool, how) },
		Recovered: func(pool string) { v.router.MarkRecovered(pool) },
	})
	if len(s.apps) == 0 && (s.file == nil || s.file.Name() == "") {
		return
	}
	s.config.Started, s.config.Ended = v.workers.StartedFor, v.ended
	s.config.WorkerName = v.workers.WorkerName
	s.config.OnAttach = func(w server.AttachedWorker) { v.workers.Attached(w.Leader, w.PID, w.Stacks) }
	s.config.OnStuck = func(w server.StuckWorker) { v.workers.Stuck(w.Leader, w.PID, w.Stacks) }
}

// ended returns how the process of a worker has ended.
func (v *service) ended(ctx context.Context, leader int) server.WorkerEnd {
	exit, known := v.workers.Ended(ctx, leader)
	return server.WorkerEnd{Known: known, OfItsOwn: exit.OfItsOwn, How: exit.How}
}

// served returns how many requests each worker process has served.
func (v *service) served() map[int]uint64 {
	by := map[int]uint64{}
	for _, link := range v.router.Status().Links {
		by[link.Leader] += link.Served
	}
	return by
}

// freeLinks returns how many more links can attach, whatever their pool.
func (v *service) freeLinks() int {
	s := v.now()
	c := &s.config
	free := mostLinks(c) - v.router.Stats().Links
	if c.LinksPerPool > 0 {
		free = min(free, c.LinksPerPool-s.mostOfOnePool())
	}
	if c.LinksPerUser > 0 {
		free = min(free, c.LinksPerUser-s.mostProcesses())
	}
	return free
}
