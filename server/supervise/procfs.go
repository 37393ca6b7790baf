package supervise

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// usage is what a process and its descendants take.
type usage struct {
	resident uint64 // bytes, without shared memory: the server's would be counted for each process
	cpu      time.Duration
}

// mostDescendants bounds the search for descendants.
const mostDescendants = 1000

// usageOf returns what a process and its descendants take. Processes that end meanwhile
// count as nothing.
func usageOf(pid int) (u usage) {
	todo := []int{pid}
	for seen := 0; len(todo) > 0 && seen < mostDescendants; seen++ {
		next := todo[0]
		todo = append(todo[1:], childrenOf(next)...)
		u.resident += residentOf(next)
		u.cpu += cpuOf(next)
	}
	return u
}

// childrenOf returns the children of all threads of a process.
func childrenOf(pid int) (children []int) {
	folder := fmt.Sprintf("/proc/%d/task", pid)
	threads, err := os.ReadDir(folder)
	if err != nil {
		return nil
	}
	for _, thread := range threads {
		text, _ := os.ReadFile(folder + "/" + thread.Name() + "/children")
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				children = append(children, child)
			}
		}
	}
	return children
}

// residentOf returns the resident bytes of a process, without shared memory.
func residentOf(pid int) (bytesUsed uint64) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ":")
		if name != "RssAnon" && name != "RssFile" {
			continue
		}
		if n, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 54); err == nil {
			bytesUsed += n << 10
		}
	}
	return bytesUsed
}

// ticksPerSecond is the unit of times in /proc (sysconf(_SC_CLK_TCK)), the same on all of Linux.
const ticksPerSecond = 100

// cpuOf returns the processor time of a process, and of its children that have ended.
func cpuOf(pid int) time.Duration {
	fields, err := statOf(pid)
	if err != nil {
		return 0
	}
	var ticks uint64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, _ := strconv.ParseUint(field, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond
}

// statOf returns the fields of a process from its state on: the third of proc_pid_stat(5) is
// the first here.
func statOf(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	_, rest, _ := cutLast(string(text), ") ") // the name before that may contain anything
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return nil, fmt.Errorf("process %d: %d fields", pid, len(fields))
	}
	return fields, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
