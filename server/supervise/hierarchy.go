package supervise

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hierarchy is the tree of cgroups of version 2. Its zero value is that of the machine, with
// the controllers that limits need.
type hierarchy struct {
	mount       string   // where it is mounted; empty: to be found
	controllers []string // that are needed; nil: memory and cpu
}

// ownLeaf is the name of the cgroup that a server makes for itself, in the one that it was
// given. It is so long that nobody else's is taken for it.
const ownLeaf = "upload-response-server"

// CheckCgroups returns an error if limits of memory and processor time would not be in force
// for processes that we start. It changes nothing.
func CheckCgroups() error {
	var h hierarchy
	base, err := h.base()
	if err == nil {
		err = h.check(base)
	}
	return err
}

// delegate moves us from our cgroup into one below it, so that it can have others, with
// limits, and returns it. If a server that we take the place of has done that before we were
// started by it, we are there already.
func (h *hierarchy) delegate() (base string, err error) {
	base, err = h.base()
	if err == nil {
		err = h.check(base)
	}
	if err != nil {
		return "", err
	}
	leaf := filepath.Join(base, ownLeaf)
	if err = os.Mkdir(leaf, 0o755); err == nil || errors.Is(err, os.ErrExist) {
		err = h.moveInto(leaf, base)
	}
	if err != nil {
		return "", advised(err)
	}
	return base, nil
}

// moveInto moves us, and the processes that we have started, from a cgroup into a leaf of it,
// and has it pass on its controllers, which it cannot while there are processes in it.
func (h *hierarchy) moveInto(leaf, base string) (err error) {
	const tries = 10 // a process may start another one meanwhile
	for range tries {
		if err = moveOurs(base, leaf); err != nil {
			return err
		}
		err = writeFile(filepath.Join(base, "cgroup.subtree_control"), "+"+strings.Join(h.needed(), " +"))
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return fmt.Errorf("other processes are in the cgroup: %w", err)
}

func moveOurs(from, to string) error {
	text, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil || !isOurs(pid) {
			continue
		}
		err = writeFile(filepath.Join(to, "cgroup.procs"), field)
		if err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
			return err
		}
	}
	return nil
}

// isOurs reports whether a process is this one, or descends from it.
func isOurs(pid int) bool {
	for range maxAncestors {
		if pid == os.Getpid() {
			return true
		}
		parent, _, err := parentOf(pid)
		if err != nil || parent == 0 {
			return false
		}
		pid = parent
	}
	return false
}

func (h *hierarchy) needed() []string {
	if h.controllers == nil {
		return []string{"memory", "cpu"}
	}
	return h.controllers
}

// advised adds what to do to an error.
func advised(err error) error {
	return fmt.Errorf("%w: give the server a cgroup of its own that it may change, such as by Delegate=yes of systemd",
		err)
}

// base returns the folder of the cgroup in which those of workers are made: ours, or the one
// around ours if a server has moved into that.
func (h *hierarchy) base() (string, error) {
	root, mount := "/", h.mount
	if mount == "" {
		var err error
		if root, mount, err = findHierarchy("/proc/self/mountinfo"); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		path, found := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !found {
			continue
		}
		if below, err := filepath.Rel(root, path); err == nil && !strings.HasPrefix(below, "..") {
			path = below
		}
		folder := filepath.Join(mount, path)
		if filepath.Base(folder) == ownLeaf {
			folder = filepath.Dir(folder)
		}
		return folder, nil
	}
	return "", errNoHierarchy
}

var errNoHierarchy = errors.New("there is no cgroup of version 2")

// findHierarchy returns where a table of mounts (proc_pid_mountinfo(5)) has cgroups of version
// 2, and which of them is mounted there.
func findHierarchy(table string) (root, mount string, err error) {
	text, err := os.ReadFile(table)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if strings.HasPrefix(after, "cgroup2 ") && len(fields) > 4 {
			return fields[3], fields[4], nil
		}
	}
	return "", "", errNoHierarchy
}

// check returns an error if a cgroup has not the controllers, or we may not change it.
func (h *hierarchy) check(base string) error {
	text, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("%w: %w", errNoHierarchy, err)
	}
	for _, controller := range h.needed() {
		if !slices.Contains(strings.Fields(string(text)), controller) {
			return advised(fmt.Errorf("the cgroup %s has no controller %s", base, controller))
		}
	}
	for _, file := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		name := filepath.Join(base, file)
		if err := unix.Access(name, unix.W_OK); err != nil {
			return advised(&os.PathError{Op: "write", Path: name, Err: err})
		}
	}
	return nil
}
