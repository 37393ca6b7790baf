package harness

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// noPause has a process under the race detector end without a second of sleep.
const noPause = "GORACE=atexit_sleep_ms=0"

// Process is a process of a test: a worker, mostly.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	output *Log
	ended  chan struct{}
}

// StartWorker starts a worker process in a role and waits until it is attached.
// It is killed when the test ends.
func (s *Server) StartWorker(t testing.TB, role string, env ...string) *Process {
	t.Helper()
	before := s.Router.Stats().Attached
	p := StartProcess(t, role, append(env, SocketVariable+"="+s.Socket)...)
	s.awaitAttach(t, before)
	return p
}

// StartWorkerProgram is StartWorker for another program.
func (s *Server) StartWorkerProgram(t testing.TB, path string, env ...string) *Process {
	t.Helper()
	before := s.Router.Stats().Attached
	p := StartProgram(t, io.Discard, []string{path}, append(env, SocketVariable+"="+s.Socket)...)
	s.awaitAttach(t, before)
	return p
}

func (s *Server) awaitAttach(t testing.TB, before int64) {
	t.Helper()
	Eventually(t, "the worker to attach", func() bool { return s.Router.Stats().Attached > before })
}

// StartProcess starts this test binary in a role. It is killed when the test
// ends.
func StartProcess(t testing.TB, role string, env ...string) *Process {
	t.Helper()
	return StartRole(t, io.Discard, role, env...)
}

// StartRole is StartProcess whose output goes to also, too.
func StartRole(t testing.TB, also io.Writer, role string, env ...string) *Process {
	t.Helper()
	return StartProgram(t, also, []string{os.Args[0]}, append(Role(role), env...)...)
}

// Role returns the variables with which this test binary runs in a role, for what starts it
// on its own.
func Role(role string) []string { return []string{roleVariable + "=" + role, noPause} }

// StartProgram starts a program with its arguments. What it prints goes to also,
// too, by one goroutine. It is killed when the test ends.
func StartProgram(t testing.TB, also io.Writer, program []string, env ...string) *Process {
	t.Helper()
	command := exec.Command(program[0], program[1:]...)
	command.Env = append(os.Environ(), env...)
	return StartCommand(t, also, command)
}

// StartCommand is StartProgram for a command that has its variables already.
func StartCommand(t testing.TB, also io.Writer, command *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, cmd: command, output: &Log{}, ended: make(chan struct{})}
	p.cmd.Stdout = io.MultiWriter(p.output, also)
	p.cmd.Stderr = p.cmd.Stdout
	p.cmd.WaitDelay = Patience // for a child of the program that keeps its output open
	Check(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", command.Path, p.output)
		}
	})
	return p
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what the process has printed so far.
func (p *Process) Output() string { return p.output.String() }

// Signal sends a signal.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop stops the process (SIGSTOP) and waits until the kernel says so.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	Eventually(p.t, "the process to stop", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		return err == nil && len(fields) > 0 && string(fields[0]) == "T"
	})
}

// Continue lets a stopped process go on.
func (p *Process) Continue() { p.Signal(syscall.SIGCONT) }

// Wait waits for the end of the process and returns its exit status.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("process %d does not end", p.PID())
	}
	return p.cmd.ProcessState.ExitCode()
}

// How returns how an ended process ended, such as "exit status 0" or "signal:
// killed". Preconditions: Kill or Wait.
func (p *Process) How() string { return p.cmd.ProcessState.String() }
