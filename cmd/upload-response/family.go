package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// startedFor returns which of the worker processes that run now the process is, or
// descends from: the pool that it was started for, and its number; 0 if from none.
//
// A process is in the worker's session or has it among its ancestors. It can get into
// neither by itself: nobody can join a session, and who loses its parent falls to another
// that is no worker. (A process group can be joined by anybody of the session.) What
// leaves the session and loses its parent, as daemons do, is not known any more.
func (s *supervisor) startedFor(pid int) (pool string, leader int) {
	leaders := s.leaders()
	if session, err := unix.Getsid(pid); err == nil {
		leader = session
	}
	if leaders[leader] == nil {
		leader = ancestorAmong(pid, leaders)
	}
	// A worker that is still there had its number all the time that we looked.
	if k := leaders[leader]; k != nil && k.runs(leader) {
		return k.spec.pool, leader
	}
	return "", 0
}

// leaders returns the keepers of the worker processes that run, by their numbers.
func (s *supervisor) leaders() map[int]*keeper {
	running := map[int]*keeper{}
	for _, k := range s.all() {
		k.mu.Lock()
		if k.pid != 0 {
			running[k.pid] = k
		}
		k.mu.Unlock()
	}
	return running
}

// runs reports whether this is the process that the keeper keeps.
func (k *keeper) runs(pid int) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pid == pid
}

// mostAncestors bounds the way up: nobody sane nests processes as deep.
const mostAncestors = 64

// ancestorAmong returns the nearest of the leaders that is the process or an ancestor of
// it, or 0.
func ancestorAmong(pid int, leaders map[int]*keeper) int {
	var born uint64
	for range mostAncestors {
		if leaders[pid] != nil {
			return pid
		}
		parent, start, err := lineage(pid)
		if err != nil || born != 0 && start > born { // younger than its child: its number is another's by now
			return 0
		}
		pid, born = parent, start
	}
	return 0
}

// lineage returns the parent of a process, and when it started, in ticks since boot
// (proc_pid_stat(5)).
func lineage(pid int) (parent int, start uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, _ := cutLast(string(text), ") ") // the name before it may be anything
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("process %d: %d fields", pid, len(fields))
	}
	if parent, err = strconv.Atoi(fields[1]); err != nil {
		return 0, 0, err
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	return parent, start, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
