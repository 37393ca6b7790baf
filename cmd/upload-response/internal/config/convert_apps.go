package config

import (
	"maps"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/server/supervise"
)

// Workers returns the apps whose processes the server starts. One whose processes are stuck
// when its file does not say after which time has the response timeout.
//
// Preconditions: the file was read without an error.
func (f *File) Workers(response time.Duration) (list []supervise.App) {
	for _, name := range f.AppNames() {
		app := f.Apps[name]
		if len(app.argv()) == 0 {
			continue
		}
		to := app.supervised(name)
		if !f.has("apps." + name + ".stuck.after") {
			to.Stuck.After = response
		}
		list = append(list, to)
	}
	return list
}

// supervised returns what the supervisor has to know of an app.
func (a *App) supervised(name string) supervise.App {
	to := supervise.NewApp(name, a.argv())
	to.Directory, to.Environment, to.Watch = string(a.Directory), a.environment(), a.Watch
	if a.User != "" {
		to.User, _ = supervise.ParseUser(a.User) // it was checked
	}
	to.Processes = a.Processes.Fixed
	to.Scale.QueueWait, to.Scale.Idle = time.Duration(a.Processes.ScaleUpWhen), time.Duration(a.Processes.Idle)
	if a.Processes.Max > 0 {
		to.Processes, to.Scale.Min, to.Scale.Max = a.Processes.Min, a.Processes.Min, a.Processes.Max
	}
	to.Start = supervise.Start{Timeout: time.Duration(a.Start.Timeout), GiveUpAfter: a.Start.GiveUpAfter}
	to.Recycle = supervise.Recycle{
		Requests: a.Recycle.Requests, Jitter: float64(a.Recycle.Jitter),
		Lifetime: time.Duration(a.Recycle.Lifetime), Memory: uint64(a.Recycle.Memory),
	}
	to.Stuck = supervise.Stuck{After: time.Duration(a.Stuck.After), Stacks: a.Stuck.Stacks}
	to.Stop.Timeout = time.Duration(a.Stop.Timeout)
	to.Limits = supervise.Limits{
		OpenFiles: uint64(a.Limits.Nofile), Memory: uint64(a.Limits.Memory), CPU: float64(a.Limits.CPU),
	}
	to.Sandbox = a.sandbox()
	return to
}

// environment returns the variables as NAME=value, sorted.
func (a *App) environment() (list []string) {
	for _, name := range slices.Sorted(maps.Keys(a.Environment)) {
		list = append(list, name+"="+a.Environment[name])
	}
	return list
}
