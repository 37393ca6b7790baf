package supervise

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// oomCounter tells the kernel's kills for want of memory from others, by the counter of
// our cgroup, which counts the cgroups below it, too.
type oomCounter struct {
	file string // that says oom_kill N; empty: none can be read
	mu   sync.Mutex
	seen uint64 // kills that have been put down to a process, or were there before
}

func newOOMCounter() *oomCounter {
	c := &oomCounter{file: oomFile()}
	c.seen = c.read()
	return c
}

// oomFile returns the file of our cgroup that counts, of version 2 or else 1.
func oomFile() string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) < 3 {
			continue
		}
		var candidates []string
		switch fields[1] {
		case "":
			candidates = []string{filepath.Join("/sys/fs/cgroup", fields[2], "memory.events")}
		case "memory":
			candidates = []string{filepath.Join("/sys/fs/cgroup/memory", fields[2], "memory.oom_control"),
				"/sys/fs/cgroup/memory/memory.oom_control"} // in a container that sees its own alone
		}
		for _, file := range candidates {
			if _, err := os.Stat(file); err == nil {
				return file
			}
		}
	}
	return ""
}

// read returns how many processes the kernel has killed.
func (c *oomCounter) read() uint64 {
	if c.file == "" {
		return 0
	}
	text, _ := os.ReadFile(c.file)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if number, found := strings.CutPrefix(lines.Text(), "oom_kill "); found {
			n, _ := strconv.ParseUint(number, 10, 64)
			return n
		}
	}
	return 0
}

// tookPlace reports whether a process that ended was killed for want of memory: it was
// killed, and a kill has been counted that no other process ended by.
func (c *oomCounter) tookPlace(state *os.ProcessState) bool {
	status, _ := state.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != unix.SIGKILL {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.read() <= c.seen {
		return false
	}
	c.seen++
	return true
}
