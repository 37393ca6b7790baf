package admin

import (
	"fmt"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// collection puts together what the router and the supervisor know of apps and workers.
type collection struct {
	apps    []App
	workers []Worker
}

// newCollection collects them. The supervisor may be nil.
func newCollection(s *supervise.Supervisor, now *server.Status) *collection {
	c := &collection{apps: []App{}, workers: []Worker{}}
	if s != nil {
		c.addStarted(s.Apps(), s.Workers())
	}
	for i := range now.Pools {
		c.addPool(&now.Pools[i])
	}
	for i := range now.Links {
		c.addLink(&now.Links[i])
	}
	for i := range c.apps {
		c.judge(&c.apps[i])
	}
	return c
}

// addStarted adds the apps and workers of the supervisor.
func (c *collection) addStarted(apps []supervise.AppStatus, workers []supervise.Worker) {
	for _, a := range apps {
		exits := map[string]int64{}
		for reason, n := range a.Exits {
			exits[string(reason)] = n
		}
		c.apps = append(c.apps, App{Name: a.Name, Pool: a.Pool, Supervised: true, Processes: a.Processes,
			Reason: a.Failed, Restarts: a.Restarts, Exits: exits})
	}
	for _, w := range workers {
		c.workers = append(c.workers, Worker{Name: w.Name, App: w.App, State: string(w.State), PID: w.PID,
			Started: true, Since: w.Started, Reason: string(w.Reason), NextTry: w.NextTry,
			Memory: w.Resident, CPU: w.CPU.Seconds()})
	}
}

// addPool adds what a pool does to the first app that serves it; if there is none, it is an app.
func (c *collection) addPool(p *server.PoolStatus) {
	a := c.appOf(p.Name)
	if a == nil {
		c.apps = append(c.apps, App{Name: p.Name, Pool: p.Name, Supervised: p.Supervised, Exits: map[string]int64{}})
		a = &c.apps[len(c.apps)-1]
	}
	a.Links, a.Lanes, a.Busy, a.Unreleased, a.Queue = p.Links, p.Lanes, p.Busy, p.Unreleased, p.Queue
	if p.Drained {
		c.drained(p.Name)
	}
	if p.Hopeless && !p.Drained {
		a.State, a.Reason = AppFailed, orElse(a.Reason, p.Failed)
	}
}

// appOf returns the first app of a pool, or nil.
func (c *collection) appOf(pool string) *App {
	for i := range c.apps {
		if c.apps[i].Pool == pool {
			return &c.apps[i]
		}
	}
	return nil
}

// addLink adds a link to its worker. Workers that the server has not started are those that have
// links.
func (c *collection) addLink(l *server.LinkStatus) {
	w := c.owner(l)
	if w == nil {
		c.workers = append(c.workers, Worker{
			Name: l.Name, App: l.Pool, State: WorkerRunning, PID: l.PID, Since: l.Since, Started: l.Leader != 0,
		})
		w = &c.workers[len(c.workers)-1]
	}
	if w.Links == 0 {
		for i := range c.apps {
			if c.apps[i].Name == w.App {
				c.apps[i].Workers++
			}
		}
	}
	w.Links++
	w.Lanes += l.Lanes
	w.Busy += l.Busy
	w.Unreleased += l.Unreleased
	w.Served += l.Served
	if l.Draining && w.State == WorkerRunning {
		w.State = WorkerStopping
	}
}

// owner returns the worker that has a link, or nil.
func (c *collection) owner(l *server.LinkStatus) *Worker {
	for i := range c.workers {
		w := &c.workers[i]
		if w.PID != 0 && (w.PID == l.Leader || !w.Started && w.PID == l.PID && w.App == l.Pool) {
			return w
		}
	}
	return nil
}

// drained notes that the apps of a pool are.
func (c *collection) drained(pool string) {
	for i := range c.apps {
		if c.apps[i].Pool == pool {
			c.apps[i].State = AppDrained
		}
	}
}

// judge says how an app is.
func (c *collection) judge(a *App) {
	switch {
	case a.State == AppDrained:
		a.Reason = fmt.Sprintf("drained, requests in progress: %d", a.Busy)
	case a.Workers > 0:
		a.State, a.Reason = AppReady, ""
	case a.State == AppFailed || a.Reason != "":
		a.State = AppFailed
		a.Reason = "no worker comes up: " + orElse(a.Reason, "the log says why")
	case a.Processes > 0:
		a.State, a.Reason = AppWaiting, "no worker is attached yet"
	default:
		a.State, a.Reason = AppWaiting, "no worker is attached"
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
