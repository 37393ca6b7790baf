package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cgroups makes a cgroup (version 2) for each process that has limits, below our own. The
// kernel wants processes in the leaves only, so that we move into one ourselves.
type cgroups struct {
	hierarchy hierarchy

	mu    sync.Mutex
	asked bool
	base  string // that was ours; empty: there is none in which we may make others
	err   error  // why
	made  int
}

// cgroup is that of one process and its descendants.
type cgroup struct {
	folder *os.File
}

// add makes a cgroup with limits. Release: remove.
func (c *cgroups) add(worker string, limits *Limits) (*cgroup, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked {
		c.asked = true
		c.base, c.err = c.hierarchy.delegate()
	}
	if c.err != nil {
		return nil, c.err
	}
	name, err := c.makeFolder(strings.ReplaceAll(worker, "/", "-"))
	if err != nil {
		return nil, err
	}
	err = setLimits(name, limits)
	var folder *os.File
	if err == nil {
		folder, err = os.Open(name)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return &cgroup{folder}, nil
}

// makeFolder makes a folder for a worker. Our number is in its name: another server, whose place we take, or which
// takes ours, has the same workers in the same cgroup. What a server with our number left behind is removed.
func (c *cgroups) makeFolder(worker string) (name string, err error) {
	const tries = 1000
	for range tries {
		c.made++
		name = filepath.Join(c.base, fmt.Sprintf("worker-%s-%d-%d", worker, os.Getpid(), c.made))
		if err = os.Mkdir(name, 0o755); !errors.Is(err, os.ErrExist) {
			return name, err
		}
		if os.Remove(name) == nil {
			c.made--
		}
	}
	return "", err
}

// cpuPeriod is the time within which a cgroup may use its processors.
const cpuPeriod = 100 * time.Millisecond

func setLimits(name string, limits *Limits) error {
	var errs []error
	if limits.Memory > 0 {
		errs = append(errs, writeFile(filepath.Join(name, "memory.max"), strconv.FormatUint(limits.Memory, 10)))
		// The whole worker ends, rather than a child without which it hangs.
		errs = append(errs, writeFile(filepath.Join(name, "memory.oom.group"), "1"))
	}
	if limits.CPU > 0 {
		quota := time.Duration(limits.CPU * float64(cpuPeriod))
		value := fmt.Sprintf("%d %d", quota.Microseconds(), cpuPeriod.Microseconds())
		errs = append(errs, writeFile(filepath.Join(name, "cpu.max"), value))
	}
	return errors.Join(errs...)
}

// kills returns how many processes the kernel has killed for want of memory.
func (c *cgroup) kills() uint64 {
	counter := oomCounter{file: filepath.Join(c.folder.Name(), "memory.events")}
	return counter.read()
}

// remove kills what is left in the cgroup, and removes it.
func (c *cgroup) remove() {
	name := c.folder.Name()
	_ = c.folder.Close()
	_ = writeFile(filepath.Join(name, "cgroup.kill"), "1")
	for range 10 { // the dead leave it after a moment
		if err := os.Remove(name); err == nil || errors.Is(err, os.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
