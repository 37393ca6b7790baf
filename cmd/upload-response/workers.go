package main

import (
	"os"
	"strconv"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server/supervise"
	"github.com/wavey-ai/upload-response/worker"
)

// prepareWorkers makes the supervisor, and connects it with the router, which is made after
// it: the router asks to which worker a process belongs.
func (v *service) prepareWorkers() {
	s := v.settings
	v.workers = supervise.New(supervise.Config{
		Log: v.log, Dumpable: s.dumpable,
		Environment: append(workerEnviron(os.Environ()), cli.EnvName("socket")+"="+absolute(s.socket),
			worker.ServerUIDVariable+"="+strconv.Itoa(os.Geteuid())),
		Stdout:  v.admin.events.Output(v.output.forWorkers(os.Stdout)),
		Stderr:  v.admin.events.Output(v.output.forWorkers(os.Stderr)),
		OnEvent: v.admin.events.Worker,
		Free:    v.freeLinks,
		Failed:  func(pool, how string) { v.router.Hopeless(pool, how) },
	})
	if len(s.apps) > 0 {
		s.config.Started = v.started
	}
}

// freeLinks returns how many more links can attach, whatever their pool.
func (v *service) freeLinks() int {
	s, c := v.settings, &v.settings.config
	free := mostLinks(c) - v.router.Stats().Links
	if c.LinksPerPool > 0 {
		free = min(free, c.LinksPerPool-s.mostOfOnePool())
	}
	if c.LinksPerUser > 0 {
		free = min(free, c.LinksPerUser-s.mostProcesses())
	}
	return free
}

// started returns to which worker a process belongs that attaches.
func (v *service) started(pid int) (pool string, leader int) {
	pool, leader = v.workers.StartedFor(pid)
	v.workers.Attached(leader, pid, 0)
	return pool, leader
}
