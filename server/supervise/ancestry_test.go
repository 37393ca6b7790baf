package supervise

import (
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// started starts a program of the test's own, and ends it with the test.
func started(t *testing.T, argv ...string) int {
	t.Helper()
	command := exec.Command(argv[0], argv[1:]...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	return command.Process.Pid
}

// The children are: one, one with a session of its own, and one whose parent has ended.
func TestAProcessIsKnownByTheWorkerThatItDescendsFrom(t *testing.T) {
	s, file := supervised(t, `
		echo $$ >>$SAID
		sleep 1000 & echo $! >>$SAID
		setsid sleep 1000 & echo $! >>$SAID
		(sleep 1000 & echo $! >>$SAID)
		exec sleep 1000`)
	list := said(t, file, 4)
	leader := pid(t, list[0])
	t.Cleanup(func() { _ = unix.Kill(pid(t, list[2]), unix.SIGKILL) }) // the supervisor does not find it
	for _, text := range list {
		if pool, of := s.StartedFor(pid(t, text)); pool != "p" || of != leader {
			t.Errorf("process %s is of pool %q and process %d, want p and %d", text, pool, of, leader)
		}
	}
}

func TestOthersAreNoWorkersThatTheServerStarted(t *testing.T) {
	s, file := supervised(t, `(setsid sleep 1000 & echo $! >>$SAID); sleep 0.01; exec sleep 1000`)
	daemon := pid(t, said(t, file, 1)[0]) // has left the session, and lost its parent
	t.Cleanup(func() { _ = unix.Kill(daemon, unix.SIGKILL) })
	eventually(t, "the daemon to leave the session and lose its parent", func() bool {
		session, err := unix.Getsid(daemon)
		return err == nil && session == daemon && len(s.runningByPID()) == 1 &&
			ancestorAmong(daemon, s.runningByPID()) == 0
	})
	for what, process := range map[string]int{
		"the daemon": daemon, "ourselves": os.Getpid(), "our child": started(t, "sleep", "1000"),
		"the first": 1, "nobody": 0,
		"none": -1, "one that is too high": 1 << 30,
	} {
		if pool, leader := s.StartedFor(process); pool != "" || leader != 0 {
			t.Errorf("%s is taken for a worker of pool %q, process %d", what, pool, leader)
		}
	}
}

func TestAWorkerThatHasEndedHasNoDescendants(t *testing.T) {
	s, file := supervised(t, `echo $$ >>$SAID; exec sleep 1000`)
	first := pid(t, said(t, file, 1)[0])
	if err := unix.Kill(first, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := pid(t, said(t, file, 2)[1])
	if _, leader := s.StartedFor(first); leader != 0 {
		t.Errorf("process %d, which has ended, is taken for worker %d", first, leader)
	}
	if _, leader := s.StartedFor(second); leader != second {
		t.Errorf("worker %d is taken for %d", second, leader)
	}
}

func TestNobodyJoinsTheSessionOfAWorker(t *testing.T) {
	s, file := supervised(t, `echo $$ >>$SAID; exec sleep 1000`)
	worker := pid(t, said(t, file, 1)[0])
	outsider := started(t, "sleep", "1000")
	if err := unix.Setpgid(outsider, worker); err == nil {
		t.Error("a process of another session joins the group of a worker")
	}
	if _, leader := s.StartedFor(outsider); leader != 0 {
		t.Errorf("it is taken for worker %d", leader)
	}
}
