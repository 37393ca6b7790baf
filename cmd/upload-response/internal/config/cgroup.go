package config

import (
	"os"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// memoryLimit returns the most bytes that this process may have: the least memory.max of its
// cgroup (version 2) and of those above it, or the memory of the machine. root is "/" but in
// tests.
func memoryLimit(root string) uint64 {
	limit := machineMemory()
	group, err := os.ReadFile(path.Join(root, "proc/self/cgroup"))
	if err != nil {
		return limit
	}
	for line := range strings.Lines(string(group)) {
		name, unified := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !unified {
			continue
		}
		for dir := path.Clean("/" + name); ; dir = path.Dir(dir) {
			if n, ok := readLimit(path.Join(root, "sys/fs/cgroup", dir, "memory.max")); ok {
				limit = min(limit, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	return limit
}

// readLimit reads a number from a file of a cgroup; "max" is none.
func readLimit(name string) (uint64, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 63)
	return n, err == nil
}

func machineMemory() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 1 << 30
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}
