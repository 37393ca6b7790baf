package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// appSettings are those of every --worker.
type appSettings struct {
	app    supervise.App   // without name and command
	scale  supervise.Scale // Max 0: the number of processes is fixed
	output string          // raw, wrap or auto
	reload bool            // by SIGHUP
}

func newAppSettings() appSettings {
	a := supervise.NewApp("", nil)
	return appSettings{app: a, scale: a.Scale, output: outputAuto}
}

// completeApps gives every app the settings of all, and checks them.
func (s *settings) completeApps(given func(option string) bool) error {
	if given("workers") && len(s.apps) == 0 {
		return errors.New("--workers is the number of processes of each --worker: give --worker, too")
	}
	if !given("stuck-after") {
		s.workers.app.Stuck.After = s.config.ResponseTimeout
	}
	if err := s.workers.completeScale(given); err != nil {
		return err
	}
	for i, named := range s.apps {
		if named.Processes != 0 { // it is whole already
			continue
		}
		s.apps[i] = s.workers.app
		s.apps[i].Name, s.apps[i].Pool, s.apps[i].Command = named.Name, named.Pool, named.Command
	}
	return nil
}

// completeScale compares the numbers of processes.
func (w *appSettings) completeScale(given func(option string) bool) error {
	a := &w.app
	switch {
	case w.scale.Max == 0 && given("scale-min"):
		return errors.New("--scale-min needs --scale-max")
	case w.scale.Max == 0:
		return nil
	case !given("scale-min"):
		w.scale.Min = min(a.Processes, w.scale.Max)
	}
	if w.scale.Min > w.scale.Max {
		return fmt.Errorf("--scale-min %d is more than --scale-max %d", w.scale.Min, w.scale.Max)
	}
	if given("workers") && (a.Processes < w.scale.Min || a.Processes > w.scale.Max) {
		return fmt.Errorf("--workers %d: want --scale-min to --scale-max, %d to %d", a.Processes, w.scale.Min,
			w.scale.Max)
	}
	a.Processes = min(max(a.Processes, w.scale.Min), w.scale.Max)
	a.Scale = w.scale
	return nil
}

// appName returns the name of the next app of a pool. A pool can have several commands: the
// others are named after the pool and a number.
func appName(apps []supervise.App, pool string) string {
	name := pool
	for n := 2; slices.ContainsFunc(apps, func(a supervise.App) bool { return a.Name == name }); n++ {
		name = fmt.Sprintf("%s.%d", pool, n)
	}
	return name
}

// checkPools notes the pools with workers that the server starts.
func (s *settings) checkPools() error {
	for i := range s.apps {
		pool := s.apps[i].PoolName()
		if !slices.ContainsFunc(s.config.Routes, func(r server.Route) bool { return r.Pool == pool }) {
			return fmt.Errorf("--worker %s=...: no route leads to pool %[1]s, add --route PREFIX=%[1]s", pool)
		}
		if !slices.Contains(s.config.Supervised, pool) {
			s.config.Supervised = append(s.config.Supervised, pool)
		}
	}
	s.setStuck()
	s.config.StartedWorkers = s.mostProcesses()
	for _, pool := range s.config.OpenPools {
		if !slices.Contains(s.config.Supervised, pool) {
			return fmt.Errorf("--open-pool %s: a pool without --worker is open anyway", pool)
		}
	}
	for _, a := range slices.Concat(s.config.PoolUIDs, s.config.PoolGIDs) {
		if !slices.ContainsFunc(s.config.Routes, func(r server.Route) bool { return r.Pool == a.Pool }) {
			return fmt.Errorf("--allow-uid or --allow-gid %s=%d: no route leads to pool %[1]s, "+
				"add --route PREFIX=%[1]s", a.Pool, a.ID)
		}
	}
	return s.checkUsers()
}

// setStuck tells the router when workers are stuck: those of the apps, and the others.
func (s *settings) setStuck() {
	if all := stuckAfter(&s.workers.app); all != s.config.ResponseTimeout {
		s.config.StuckAfter = all
	}
	for i := range s.apps {
		pool, after := s.apps[i].PoolName(), stuckAfter(&s.apps[i])
		if after == stuckAfter(&s.workers.app) {
			continue
		}
		if s.config.PoolConfigs == nil {
			s.config.PoolConfigs = map[string]server.PoolConfig{}
		}
		c := s.config.PoolConfigs[pool]
		c.StuckAfter = after
		s.config.PoolConfigs[pool] = c
	}
}

// stuckAfter returns when workers of an app are stuck, as the router takes it: negative is
// never.
func stuckAfter(a *supervise.App) time.Duration {
	if a.Stuck.After == 0 {
		return -1
	}
	return a.Stuck.After
}

// checkUsers lets the users of the apps attach, to the pools of these.
func (s *settings) checkUsers() error {
	if s.workers.app.User != nil && len(s.apps) == 0 {
		return errors.New("--worker-user is the user of each --worker: give --worker, too")
	}
	for i := range s.apps {
		a := &s.apps[i]
		if a.User == nil {
			continue
		}
		if _, err := a.User.Check(absolute(s.socket)); err != nil {
			return fmt.Errorf("--worker-user: %w", err)
		}
		id := server.PoolID{Pool: a.PoolName(), ID: a.User.UID}
		if !slices.Contains(s.config.PoolUIDs, id) {
			s.config.PoolUIDs = append(s.config.PoolUIDs, id)
		}
	}
	return nil
}

// mostProcesses returns how many worker processes there can be, without those that are being
// replaced.
func (s *settings) mostProcesses() (n int) {
	for i := range s.apps {
		n += s.apps[i].Most()
	}
	return n
}

// mostOfOnePool returns the largest number of worker processes of one pool.
func (s *settings) mostOfOnePool() (most int) {
	count := map[string]int{}
	for i := range s.apps {
		pool := s.apps[i].PoolName()
		count[pool] += s.apps[i].Most()
		most = max(most, count[pool])
	}
	return most
}
