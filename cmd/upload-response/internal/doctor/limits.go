package doctor

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descriptors that a server has open.
const (
	filesOfServer = 64
	filesOfLink   = 6
	// fewFiles is how many leave little room for connections without requests.
	fewFiles = 4096
)

// OpenFiles compares the limit of open files with what requests and workers at once take. The server
// raises its own limit up to the hard one.
func OpenFiles(streams, links int) Result {
	const check = "open files"
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return Result{check, Warn, err.Error(), ""}
	}
	need := uint64(streams + filesOfLink*links + filesOfServer)
	r := ok(check, "%d at most; %d requests and %d workers take %d", limit.Max, streams, links, need)
	switch {
	case limit.Max < need:
		r.Status = Fail
	case limit.Max < max(need, fewFiles):
		r.Status = Warn
	default:
		return r
	}
	r.Advice = "every connection takes one: raise it with LimitNOFILE=65536 of the service, or ulimit -n"
	return r
}

// memory compares the shared memory with what the machine and the control group have.
func memory(p *Plan) Result {
	limit, by := memoryLimit("/proc", "/sys/fs/cgroup")
	available := meminfo("/proc/meminfo", "MemAvailable")
	r := ok("memory", "%s of %s (%s), %s available", size(p.Memory), size(limit), by, size(available))
	switch {
	case p.Memory > limit:
		r.Status, r.Advice = Fail, "lower --memory, or raise the limit: half of it is reserved at the start"
	case p.Memory > limit/4*3:
		r.Status, r.Advice = Warn, "little is left for connections and workers: lower --memory, or raise the limit"
	case p.Memory > available:
		r.Status, r.Advice = Warn, "others use the memory: lower --memory, or stop something"
	}
	return r
}

// memoryLimit returns the memory of the machine, or of the narrowest control group that we
// are in, and which of them it is.
func memoryLimit(proc, groups string) (limit uint64, by string) {
	limit, by = meminfo(filepath.Join(proc, "meminfo"), "MemTotal"), "the machine"
	text, err := os.ReadFile(filepath.Join(proc, "self/cgroup"))
	if err != nil {
		return limit, by
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := groups, "memory.max"
		if fields[1] == "memory" { // version 1
			root, file = filepath.Join(groups, "memory"), "memory.limit_in_bytes"
		} else if fields[0] != "0" {
			continue
		}
		for folder := filepath.Clean("/" + fields[2]); ; folder = filepath.Dir(folder) {
			if n, err := readNumber(filepath.Join(root, folder, file)); err == nil && n < limit {
				limit, by = n, "control group "+folder
			}
			if folder == "/" {
				break
			}
		}
	}
	return limit, by
}

func readNumber(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// meminfo returns a field of /proc/meminfo in bytes. Unknown, it limits nothing.
func meminfo(path, field string) uint64 {
	file, err := os.Open(path)
	if err != nil {
		return math.MaxUint64
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == field+":" {
			if kib, err := strconv.ParseUint(words[1], 10, 54); err == nil {
				return kib << 10
			}
		}
	}
	return math.MaxUint64
}

// fileSize compares the largest file that we may write with the memory, which is one.
func fileSize(p *Plan) Result {
	const check = "file size"
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err != nil {
		return Result{check, Warn, err.Error(), ""}
	}
	if limit.Cur == unix.RLIM_INFINITY {
		return ok(check, "no limit")
	}
	r := ok(check, "%s at most", size(limit.Cur))
	if limit.Cur < p.Memory {
		r.Status, r.Advice = Fail, "shared memory counts as a file: raise LimitFSIZE of the service, or ulimit -f"
	}
	return r
}

// size returns bytes for people.
func size(bytes uint64) string {
	if bytes == math.MaxUint64 {
		return "unknown"
	}
	value, units := float64(bytes), []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for value >= 1024 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64) + fmt.Sprint(units[0])
}
