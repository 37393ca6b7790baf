package shm

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// checkAvailable returns ErrNoMemory when the machine, or the cgroup that we
// run in, cannot give that many bytes now. It asks before it takes: within a
// cgroup, taking too much ends in a kill and not in an error.
func checkAvailable(bytes uint64) error {
	if have := machineAvailable(); bytes > have {
		return fmt.Errorf("%w: %d MiB wanted, the machine has %d MiB available", ErrNoMemory, bytes>>20, have>>20)
	}
	if have := cgroupAvailable(); bytes > have {
		return fmt.Errorf("%w: %d MiB wanted, the control group has %d MiB left", ErrNoMemory, bytes>>20, have>>20)
	}
	return nil
}

// machineAvailable returns MemAvailable of /proc/meminfo, in bytes; without it,
// no bound.
func machineAvailable() uint64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return math.MaxUint64
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "MemAvailable:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSpace(strings.TrimSuffix(rest, "kB")), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return math.MaxUint64
}

// cgroupAvailable returns what the version 2 control groups above us leave, in
// bytes; without them, no bound. Page cache counts as used there although the
// kernel would drop it, so the inactive part of it is added back.
func cgroupAvailable() uint64 {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return math.MaxUint64
	}
	_, path, ok := strings.Cut(strings.TrimSpace(string(text)), "0::")
	if !ok {
		return math.MaxUint64
	}
	path, _, _ = strings.Cut(path, "\n")
	have := uint64(math.MaxUint64)
	const root = "/sys/fs/cgroup"
	for dir := filepath.Join(root, path); strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
		limit, okLimit := readNumber(filepath.Join(dir, "memory.max"))
		used, okUsed := readNumber(filepath.Join(dir, "memory.current"))
		if okLimit && okUsed {
			used -= min(used, inactiveFile(dir))
			have = min(have, limit-min(limit, used))
		}
	}
	return have
}

func inactiveFile(dir string) uint64 {
	text, err := os.ReadFile(filepath.Join(dir, "memory.stat"))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "inactive_file "); ok {
			n, _ := strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
			return n
		}
	}
	return 0
}

// readNumber reads a file that holds one number. "max" is none.
func readNumber(path string) (uint64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
