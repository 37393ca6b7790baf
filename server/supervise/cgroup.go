package supervise

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cgroups makes a cgroup (version 2) for each process that has limits, below our own. The
// kernel wants processes in the leaves only, so that we move into one ourselves.
type cgroups struct {
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

// cgroupRoot is where version 2 is mounted.
const cgroupRoot = "/sys/fs/cgroup"

// add makes a cgroup with limits. Release: remove.
func (c *cgroups) add(worker string, limits *Limits) (*cgroup, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked {
		c.asked = true
		c.base, c.err = delegate()
	}
	if c.err != nil {
		return nil, c.err
	}
	c.made++
	name := filepath.Join(c.base, fmt.Sprintf("worker-%s-%d", strings.ReplaceAll(worker, "/", "-"), c.made))
	if err := os.Mkdir(name, 0o755); err != nil {
		return nil, err
	}
	err := setLimits(name, limits)
	var folder *os.File
	if err == nil {
		folder, err = os.Open(name)
	}
	if err != nil {
		return nil, errors.Join(err, os.Remove(name))
	}
	return &cgroup{folder}, nil
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

// delegate moves us from our cgroup into one below it, so that it can have others, with
// limits, and returns it.
func delegate() (base string, err error) {
	base, err = ownCgroup()
	if err != nil {
		return "", err
	}
	const advice = "give the server a cgroup of its own that it may change, such as by Delegate=yes of systemd"
	text, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return "", fmt.Errorf("there is no cgroup of version 2: %w", err)
	}
	for _, controller := range []string{"memory", "cpu"} {
		if !slices.Contains(strings.Fields(string(text)), controller) {
			return "", fmt.Errorf("the cgroup %s has no controller %s: %s", base, controller, advice)
		}
	}
	leaf := filepath.Join(base, "server")
	if err = os.Mkdir(leaf, 0o755); errors.Is(err, os.ErrExist) {
		err = nil
	}
	if err == nil {
		err = writeFile(filepath.Join(leaf, "cgroup.procs"), strconv.Itoa(os.Getpid()))
	}
	if err == nil {
		err = writeFile(filepath.Join(base, "cgroup.subtree_control"), "+memory +cpu")
	}
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, advice)
	}
	return base, nil
}

// ownCgroup returns the folder of our cgroup of version 2.
func ownCgroup() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if path, found := strings.CutPrefix(lines.Text(), "0::"); found {
			return filepath.Join(cgroupRoot, path), nil
		}
	}
	return "", errors.New("there is no cgroup of version 2")
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
