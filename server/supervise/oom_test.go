package supervise

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// inGroup is the variable that has the test run within a cgroup: the folder.
const inGroup = "SUPERVISE_TEST_CGROUP"

func TestAProcessThatTheKernelKilledForItsMemoryHasThatReason(t *testing.T) {
	if group := os.Getenv(inGroup); group != "" {
		if err := writeFile(filepath.Join(group, "cgroup.procs"), strconv.Itoa(os.Getpid())); err != nil {
			t.Fatal(err)
		}
		isKilledForMemory(t)
		return
	}
	file := oomFile()
	if file == "" {
		t.Skip("no memory cgroup can be read")
	}
	group, err := os.MkdirTemp(filepath.Dir(file), "supervise-test-")
	if err != nil {
		t.Skipf("no cgroup can be made: %v", err)
	}
	t.Cleanup(func() { _ = os.Remove(group) })
	const limit = "150000000"
	v1 := writeFile(filepath.Join(group, "memory.limit_in_bytes"), limit)
	if v2 := writeFile(filepath.Join(group, "memory.max"), limit); v1 != nil && v2 != nil {
		t.Skipf("its memory cannot be limited: %v", errors.Join(v1, v2))
	}
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	command.Env = append(os.Environ(), inGroup+"="+group)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// isKilledForMemory runs a worker that takes all memory, and one that somebody kills.
func isKilledForMemory(t *testing.T) {
	t.Helper()
	var r recorder
	greedy := NewApp("greedy", []string{"/bin/sh", "-c", `x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done`})
	s := running(t, r.config(), greedy)
	eventually(t, "an end for want of memory", func() bool { return status(s).Exits[ReasonOOM] > 0 })
	s.Stop()

	var other recorder
	s = running(t, other.config(), shell(`kill -KILL $$`))
	eventually(t, "an end by a signal", func() bool { return status(s).Exits[ReasonSignal] > 1 })
	if got := status(s).Exits; got[ReasonOOM] > 0 {
		t.Errorf("%v", got)
	}
}
