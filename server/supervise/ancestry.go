package supervise

import (
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// StartedFor returns the worker process that a process is, or descends from: the pool that
// the worker was started for, and its number; 0 if there is none.
//
// Descendants of a worker are in its session, or have it among their ancestors. No process
// can get into either by itself: a session cannot be joined, and a process that loses its
// parent gets one that is no worker. (Any process of the session can join a process
// group.) A process that leaves the session and loses its parent, as daemons do, is not
// recognised.
func (s *Supervisor) StartedFor(pid int) (pool string, leader int) {
	workers := s.runningByPID()
	if session, err := unix.Getsid(pid); err == nil {
		leader = session
	}
	if workers[leader] == nil {
		leader = ancestorAmong(pid, workers)
	}
	// A worker that is still running had the same number during the whole search.
	if p := workers[leader]; p != nil && p.runs() {
		return p.spec.PoolName(), leader
	}
	return "", 0
}

// WorkerName returns the name (APP/SLOT) of the worker of a process that was started, or "".
func (s *Supervisor) WorkerName(leader int) string {
	if p := s.runningByPID()[leader]; p != nil {
		return p.slot.name
	}
	return ""
}

// runningByPID returns the worker processes that are running. It waits for those that are
// just being started: they may attach before we know their number.
func (s *Supervisor) runningByPID() map[int]*process {
	s.mu.Lock()
	live := slices.Collect(maps.Keys(s.live))
	s.mu.Unlock()
	running := map[int]*process{}
	for _, p := range live {
		p.mu.Lock()
		if p.pid != 0 {
			running[p.pid] = p
		}
		p.mu.Unlock()
	}
	return running
}

// maxAncestors bounds the search: processes are not nested more deeply in practice.
const maxAncestors = 64

// ancestorAmong returns the nearest of the workers that is the process or an ancestor of
// it, or 0.
func ancestorAmong(pid int, workers map[int]*process) int {
	var childStart uint64
	for range maxAncestors {
		if workers[pid] != nil {
			return pid
		}
		parent, start, err := parentOf(pid)
		if err != nil || childStart != 0 && start > childStart { // younger than its child: the number was reused
			return 0
		}
		pid, childStart = parent, start
	}
	return 0
}

// parentOf returns the parent of a process, and when the process started, in ticks since boot
// (proc_pid_stat(5)).
func parentOf(pid int) (parent int, start uint64, err error) {
	fields, err := statOf(pid)
	if err != nil {
		return 0, 0, err
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, err
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return parent, start, err
}
