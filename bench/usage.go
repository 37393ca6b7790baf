package bench

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

// usage is what processes have used since their start.
type usage struct {
	cpu    time.Duration
	sleeps int64 // times that a thread went to sleep
}

func (u usage) minus(before usage) usage {
	return usage{u.cpu - before.cpu, u.sleeps - before.sleeps}
}

// usageOf returns what processes and their children use together.
func usageOf(pids []int) (u usage) {
	for _, pid := range family(pids) {
		u.cpu += processorTime(pid)
		u.sleeps += sleepsOf(pid)
	}
	return u
}

// processorTime returns the processor time of a process, those of its threads that
// have ended included.
func processorTime(pid int) time.Duration {
	// The clock of another process, as clock_getcpuclockid(3) makes its number.
	const schedulerClock = 2
	clock := int32(^uint32(pid)<<3 | schedulerClock)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0 // it has ended
	}
	return time.Duration(ts.Nano())
}

// sleepsOf returns how often the threads of a process have gone to sleep.
func sleepsOf(pid int) (n int64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, path := range threads {
		n += statusNumber(path, "voluntary_ctxt_switches")
	}
	return n
}

// residentBytes returns the memory that a process has in use.
func residentBytes(pid int) int64 {
	return statusNumber(fmt.Sprintf("/proc/%d/status", pid), "VmRSS") << 10
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

// family returns processes and their descendants.
func family(pids []int) []int {
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
