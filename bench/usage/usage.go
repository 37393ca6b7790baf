// Package usage reads from /proc what processes have used.
package usage

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Usage is what processes have used since their start.
type Usage struct {
	CPU    time.Duration
	Sleeps int64 // times that a thread went to sleep
}

// Of returns what processes and their children have used together.
func Of(pids ...int) (u Usage) {
	for _, pid := range Family(pids) {
		u.CPU += processorTime(pid)
		u.Sleeps += sleeps(pid)
	}
	return u
}

// Minus returns what was used since an earlier reading.
func (u Usage) Minus(before Usage) Usage {
	return Usage{u.CPU - before.CPU, u.Sleeps - before.Sleeps}
}

// processorTime returns the processor time of a process, including threads that have
// ended.
func processorTime(pid int) time.Duration {
	// The clock of another process: clock_getcpuclockid(3) makes the same number.
	const schedulerClock = 2
	clock := int32(^uint32(pid)<<3 | schedulerClock)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0 // it has ended
	}
	return time.Duration(ts.Nano())
}

// sleeps returns how often the threads of a process have gone to sleep.
func sleeps(pid int) (n int64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range threads {
		n += statusNumber(path, "voluntary_ctxt_switches")
	}
	return n
}

// Memory is the memory of a process that is resident, in bytes.
type Memory struct{ Resident, Private, Shared int64 }

// MemoryOf returns the memory of a process.
func MemoryOf(pid int) Memory {
	status := fmt.Sprintf("/proc/%d/status", pid)
	bytes := func(name string) int64 { return statusNumber(status, name) << 10 }
	return Memory{bytes("VmRSS"), bytes("RssAnon"), bytes("RssShmem")}
}

// statusNumber returns the number in a line of a file like /proc/PID/status.
func statusNumber(path, name string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0 // it has ended
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if found, value, _ := bytes.Cut(lines.Bytes(), []byte(":")); string(found) == name {
			fields := bytes.Fields(value)
			n, _ := strconv.ParseInt(string(fields[0]), 10, 64)
			return n
		}
	}
	return 0
}

// Family returns processes and their descendants.
func Family(pids []int) []int {
	all := append([]int(nil), pids...)
	for i := 0; i < len(all); i++ {
		children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, path := range children {
			text, _ := os.ReadFile(path)
			for _, field := range bytes.Fields(text) {
				if pid, err := strconv.Atoi(string(field)); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}
