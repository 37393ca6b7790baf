package supervise

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// groupOf returns the folder of the cgroup of a process.
func groupOf(t *testing.T, pid int) string {
	t.Helper()
	_, mount, err := findHierarchy("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	_, group, _ := strings.Cut(string(text), "0::")
	group, _, _ = strings.Cut(group, "\n")
	return filepath.Join(mount, group)
}

// newGroup makes a cgroup with the controllers that the machine has, memory and cpu if they
// are among them, and moves the test into it until it has ended.
func newGroup(t *testing.T) (group string, controllers []string) {
	t.Helper()
	_, mount, err := findHierarchy("/proc/self/mountinfo")
	if err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile(filepath.Join(mount, "cgroup.controllers"))
	if err != nil {
		t.Skip(err)
	}
	all := strings.Fields(string(text))
	controllers = slices.DeleteFunc(slices.Clone(all), func(c string) bool { return c != "memory" && c != "cpu" })
	if len(controllers) < 2 {
		controllers = all
	}
	if len(controllers) == 0 {
		t.Skip("cgroups of version 2 have no controllers here")
	}
	before := groupOf(t, os.Getpid())
	control := filepath.Join(mount, "cgroup.subtree_control")
	passedOn, err := os.ReadFile(control)
	if err != nil {
		t.Skip(err)
	}
	if group, err = os.MkdirTemp(mount, "supervise-test-"); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		move(t, os.Getpid(), before)
		folders, _ := filepath.Glob(filepath.Join(group, "*"))
		for _, folder := range append(folders, group) {
			if info, err := os.Stat(folder); err == nil && info.IsDir() {
				eventually(t, "the removal of "+folder, func() bool { return os.Remove(folder) == nil })
			}
		}
		for _, c := range controllers {
			if !slices.Contains(strings.Fields(string(passedOn)), c) {
				_ = writeFile(control, "-"+c)
			}
		}
	})
	if err := writeFile(control, "+"+strings.Join(controllers, " +")); err != nil {
		t.Skip(err)
	}
	move(t, os.Getpid(), group)
	return group, controllers
}

func move(t *testing.T, pid int, group string) {
	t.Helper()
	if err := writeFile(filepath.Join(group, "cgroup.procs"), strconv.Itoa(pid)); err != nil {
		t.Error(err)
	}
}

// child starts a process that is in our cgroup, and ends with the test.
func child(t *testing.T) (pid int) {
	t.Helper()
	command := exec.Command("sleep", "1000")
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command.Process.Pid
}

// A server that replaces another one by an upgrade is started by that, and so in its leaf.
func TestAServerThatReplacesAnotherFindsTheCgroupThatThatHasMade(t *testing.T) {
	group, controllers := newGroup(t)
	worker := child(t) // of an app without limits, which has started already
	for range 2 {
		h := hierarchy{controllers: controllers}
		base, err := h.delegate()
		if err != nil || base != group {
			t.Fatalf("%q, %v, want %s", base, err, group)
		}
		for _, pid := range []int{os.Getpid(), worker} {
			if got := groupOf(t, pid); got != filepath.Join(group, ownLeaf) {
				t.Errorf("process %d is in %s", pid, got)
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(group, "cgroup.subtree_control"))
	if got := strings.Fields(string(text)); err != nil || len(got) != len(controllers) {
		t.Errorf("it passes on %q, %v", got, err)
	}
}

func TestAProcessOfOthersInTheCgroupKeepsTheLimitsFromBeingInForce(t *testing.T) {
	group, controllers := newGroup(t)
	// The parent of this process is not ours: setsid forks, and ends.
	out, err := exec.Command("setsid", "--fork", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!").Output()
	if err != nil {
		t.Skip(err)
	}
	stranger, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.FindProcess(stranger)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Kill() }()
	eventually(t, "the end of its parent", func() bool { return !isOurs(stranger) })
	h := hierarchy{controllers: controllers}
	if _, err := h.delegate(); err == nil || !strings.Contains(err.Error(), "other processes are in the cgroup") {
		t.Error(err)
	}
	if got := groupOf(t, stranger); got != group {
		t.Errorf("it was moved to %s", got)
	}
}

func TestTheCgroupsAreFoundWhereTheyAreMounted(t *testing.T) {
	for text, want := range map[string][2]string{
		"35 25 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n": {"/", "/sys/fs/cgroup"},
		"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n" +
			"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n": {"/", "/sys/fs/cgroup/unified"},
		"9 1 0:30 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup rw\n": {"/docker/abc", "/sys/fs/cgroup"},
		"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n":            {},
	} {
		file := filepath.Join(t.TempDir(), "mountinfo")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		root, mount, err := findHierarchy(file)
		if got := [2]string{root, mount}; got != want || (err == nil) != (want[1] != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// Where there is a cgroup that we may change the limits are in force, also for two servers at
// once, as during an upgrade; where there is none the log says so, and the workers run all the
// same.
func TestALimitIsInForceOrTheLogSaysSo(t *testing.T) {
	for range 2 {
		var r recorder
		a := shell(obedient)
		a.Processes, a.Limits = 2, Limits{Memory: 64 << 20, CPU: 1.5}
		s := running(t, r.config(), a)
		attaching(t, s)
		group := groupOf(t, ready(t, s)[0])
		if !strings.Contains(group, "/worker-p-") {
			const want = `msg="a limit of the app is not in force" app=p limit="memory and cpu"`
			if n := strings.Count(r.String(), want); n != 1 {
				t.Errorf("said %d times in\n%s", n, r.String())
			}
			continue
		}
		for file, want := range map[string]string{"memory.max": "67108864", "cpu.max": "150000 100000"} {
			got, err := os.ReadFile(filepath.Join(group, file))
			if strings.TrimSpace(string(got)) != want {
				t.Errorf("%s: %q, %v", file, got, err)
			}
		}
		defer func() {
			s.Stop()
			if _, err := os.Stat(group); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the cgroup is still there: %v", err)
			}
		}()
	}
}

// What a server with our number has left behind, as in a container, is in nobody's way.
func TestTheFolderOfAWorkerIsNew(t *testing.T) {
	base := t.TempDir()
	c := cgroups{base: base}
	first, err := c.makeFolder("web-0")
	if err != nil {
		t.Fatal(err)
	}
	again := cgroups{base: base}
	if second, err := again.makeFolder("web-0"); err != nil || second != first {
		t.Errorf("%s, %v: the one that was left is not made anew", second, err)
	}
	if err := os.WriteFile(filepath.Join(first, "cgroup.procs"), nil, 0o600); err != nil { // it is in use
		t.Fatal(err)
	}
	last := cgroups{base: base}
	if third, err := last.makeFolder("web-0"); err != nil || third == first {
		t.Errorf("%s, %v", third, err)
	}
}
