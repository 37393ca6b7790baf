package main

import (
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// workerSpec is a worker process that the server keeps running.
type workerSpec struct {
	pool string
	argv []string
	line string // shell command that argv runs; empty: none
}

// supervisor keeps worker processes running until it is told to stop them.
type supervisor struct {
	log      *slog.Logger
	env      []string
	user     *workerUser // nil: the same as the server's
	dumpable bool        // whether the server is
	stdout   io.Writer   // of the processes
	stderr   io.Writer
	stopping chan struct{}
	running  sync.WaitGroup // goroutines of the processes

	// poolFailed is called when no process of a pool keeps running, with how the last one
	// ended. Nil: nothing is called.
	poolFailed func(pool, how string)

	mu        sync.Mutex // guards the list, and failed of each process
	processes []*workerProcess
}

func newSupervisor(log *slog.Logger, env []string) *supervisor {
	return &supervisor{log: log, env: env, stdout: os.Stdout, stderr: os.Stderr, stopping: make(chan struct{})}
}

// start starts a process, and starts it again whenever it ends.
//
// Preconditions: stop was not called.
func (s *supervisor) start(spec workerSpec) {
	p := &workerProcess{supervisor: s, spec: spec}
	s.mu.Lock()
	s.processes = append(s.processes, p)
	s.mu.Unlock()
	s.running.Go(p.run)
}

// stop asks all processes to end (SIGTERM), and kills those that have not ended after the
// timeout (SIGKILL).
func (s *supervisor) stop(timeout time.Duration) {
	close(s.stopping)
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	for _, round := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{unix.SIGTERM, timeout}, {unix.SIGKILL, time.Second}} {
		for _, p := range s.all() {
			p.signal(round.signal)
		}
		select {
		case <-ended:
			return
		case <-time.After(round.wait):
		}
	}
	s.log.Error("worker processes did not end")
}

func (s *supervisor) all() []*workerProcess {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.processes)
}

// stopped reports whether stop was called.
func (s *supervisor) stopped() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}
