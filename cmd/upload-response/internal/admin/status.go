package admin

import (
	"os"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// Status is what a server does at a moment.
type Status struct {
	Version  string       `json:"version"`
	PID      int          `json:"pid"`
	Started  time.Time    `json:"started"`
	At       time.Time    `json:"at"`
	Draining bool         `json:"draining"` // the server is about to end
	Apps     []App        `json:"apps"`
	Workers  []Worker     `json:"workers"`
	Streams  []Stream     `json:"streams"` // running requests, the oldest first, at most a thousand
	Stats    server.Stats `json:"stats"`
}

// App is a pool, and the workers that serve it, at a moment.
type App struct {
	Name   string `json:"name"`
	Pool   string `json:"pool"`
	State  string `json:"state"`  // one of the App constants
	Reason string `json:"reason"` // why it is not ready; empty: it is

	Supervised bool             `json:"supervised"` // the server starts its workers
	Processes  int              `json:"processes"`  // workers that there should be; 0 if the server starts none
	Workers    int              `json:"workers"`    // that are attached
	Links      int              `json:"links"`
	Lanes      int              `json:"lanes"`      // requests that the workers serve at once
	Busy       int              `json:"busy"`       // lanes with a request that a worker has to work on
	Unreleased int              `json:"unreleased"` // lanes that workers keep although the request is over
	Queue      int              `json:"queue"`      // requests that wait for a worker
	Restarts   int64            `json:"restarts"`   // processes that were started in place of others
	Exits      map[string]int64 `json:"exits"`      // of processes, by reason
}

// The states of an app.
const (
	AppReady   = "ready"   // a worker is attached
	AppWaiting = "waiting" // none is
	AppDrained = "drained" // an operator has drained it: requests get 503 at once, those that run go on
	AppFailed  = "failed"  // no worker comes up: requests get 503 at once
)

// The states of a worker that has a process.
const (
	WorkerRunning  = "running"
	WorkerStopping = "stopping"
)

// Worker is a process that serves an app, or should, at a moment.
type Worker struct {
	Name       string    `json:"name"` // APP/SLOT; of one that the server has not started, the name that it gave itself
	App        string    `json:"app"`
	State      string    `json:"state"`             // starting, running, stopping, backing off, failed
	Reason     string    `json:"reason"`            // why it stops; empty: it does not
	NextTry    time.Time `json:"next_try,omitzero"` // when the next process starts, if it backs off
	PID        int       `json:"pid"`               // 0: there is no process
	Started    bool      `json:"started"`
	Since      time.Time `json:"since"` // when the process started, or attached if the server has not started it
	Links      int       `json:"links"`
	Lanes      int       `json:"lanes"`
	Busy       int       `json:"busy"`
	Unreleased int       `json:"unreleased"`
	Served     uint64    `json:"served"`         // requests that the process has finished
	Memory     uint64    `json:"resident_bytes"` // 0: not known
	CPU        float64   `json:"cpu_seconds"`    // used since the start; 0: not known
}

// Stream is a running request at a moment.
type Stream struct {
	server.StreamStatus
	App  string  `json:"app"`
	Age  float64 `json:"age_s"`      // seconds
	Held float64 `json:"held_for_s"` // seconds for which HeldBy has been waited; 0: not known
}

// statusAge is how old a status may be when the next reader gets it: many pages that are open
// cost as much as one.
const statusAge = 200 * time.Millisecond

// status returns what the server does now, or did a moment ago. The caller does not change it.
func (s *Server) status() *Status {
	s.snapshot.Lock()
	defer s.snapshot.Unlock()
	if s.last == nil || time.Since(s.last.At) > statusAge {
		s.last = s.collect()
	}
	return s.last
}

// collect looks at the router and the supervisor.
func (s *Server) collect() *Status {
	now := s.config.Router.Status()
	status := &Status{
		Version: server.Version, PID: os.Getpid(), Started: s.started, At: now.At, Draining: s.draining.Load(),
		Stats: now.Stats,
	}
	c := newCollection(s.config.Supervisor, &now)
	status.Apps, status.Workers = c.apps, c.workers
	status.Streams = c.streams(now.Streams, now.At)
	return status
}

// streams describes requests, which were looked at just after the rest.
func (c *collection) streams(list []server.StreamStatus, at time.Time) []Stream {
	streams := make([]Stream, 0, len(list))
	for _, one := range list {
		stream := Stream{StreamStatus: one, App: one.Pool, Age: one.Age(at).Seconds(), Held: one.HeldFor.Seconds()}
		if app := c.appOf(one.Pool); app != nil {
			stream.App = app.Name
		}
		streams = append(streams, stream)
	}
	return streams
}

// find returns the app with a name, or nil.
func (s *Status) find(app string) *App {
	for i := range s.Apps {
		if s.Apps[i].Name == app {
			return &s.Apps[i]
		}
	}
	return nil
}

// worker returns the worker with a name, or nil.
func (s *Status) worker(name string) *Worker {
	for i := range s.Workers {
		if s.Workers[i].Name == name {
			return &s.Workers[i]
		}
	}
	return nil
}
