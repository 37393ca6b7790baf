package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// workerProcess is one worker process, and its successors.
type workerProcess struct {
	supervisor *supervisor
	spec       workerSpec
	backoff    backoff
	shortRuns  int  // in a row, up to now
	failed     bool // guarded by the supervisor's lock

	mu  sync.Mutex
	pid int // 0: none; the kernel does not reuse the number before the process is reaped
}

// errStopping is returned when a process is not started any more.
var errStopping = errors.New("stopping")

// run has a thread to itself, since the kernel ends a process together with the thread
// that started it (Pdeathsig). The thread ends with the goroutine.
func (p *workerProcess) run() {
	runtime.LockOSThread()
	for {
		start := time.Now()
		pid, how := p.runOnce()
		if p.supervisor.stopped() {
			return
		}
		ran := time.Since(start)
		pause := p.backoff.next(ran)
		p.supervisor.log.Warn("worker process ended", "pool", p.spec.pool, "pid", pid, "how", how, "restart_in", pause)
		p.noteEnd(ran, pid, how)
		select {
		case <-time.After(pause):
		case <-p.supervisor.stopping:
			return
		}
	}
}

// maxShortRuns is how many runs in a row have to be short for a process to have failed.
// One that the shell could not run fails at once.
const maxShortRuns = 3

// noteEnd notes how a process ended, and calls poolFailed when all processes of the pool
// have failed.
func (p *workerProcess) noteEnd(ran time.Duration, pid int, how string) {
	if p.shortRuns++; ran >= longRun {
		p.shortRuns = 0
	}
	s := p.supervisor
	s.mu.Lock()
	defer s.mu.Unlock()
	p.failed = p.shortRuns >= maxShortRuns || pid == 0 || how == "exit status 126" || how == "exit status 127"
	working := func(other *workerProcess) bool { return other.spec.pool == p.spec.pool && !other.failed }
	if s.poolFailed != nil && !slices.ContainsFunc(s.processes, working) {
		s.poolFailed(p.spec.pool, how)
	}
}

// runOnce starts the process, waits for the end, and returns how it ended.
func (p *workerProcess) runOnce() (pid int, how string) {
	command := exec.Command(p.spec.argv[0], p.spec.argv[1:]...)
	command.Env = append(workerEnviron(os.Environ()), p.supervisor.env...)
	command.Env = append(command.Env, cli.EnvName("pool")+"="+p.spec.pool)
	command.Stdout, command.Stderr = p.supervisor.stdout, p.supervisor.stderr
	// A separate process group, so that Ctrl-C reaches only the server, which stops the
	// workers in time. A separate session, by which startedFor knows the children of a
	// worker. If the server dies the workers die too.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL,
		Credential: p.supervisor.user.credential()}
	if err := p.start(command); err != nil {
		return 0, err.Error()
	}
	pid = command.Process.Pid
	p.supervisor.log.Debug("worker process started", "pool", p.spec.pool, "pid", pid)
	p.awaitEnd(pid)
	_ = command.Wait() // the state has the error, too
	return pid, command.ProcessState.String()
}

func (p *workerProcess) start(command *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.supervisor.stopped() {
		return errStopping
	}
	err := command.Start()
	if command.SysProcAttr.Credential != nil {
		// Until it executes another program, the new process shares our memory, and by
		// changing the user it sets our dumpable attribute to fs.suid_dumpable.
		_ = setDumpable(p.supervisor.dumpable)
	}
	if err != nil {
		return err
	}
	p.pid = command.Process.Pid
	return nil
}

// awaitEnd waits for the end of the process, and kills what remains of its group before
// the next one starts. The dead process is not reaped before that, so the kernel cannot
// have reused the number.
func (p *workerProcess) awaitEnd(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-pid, unix.SIGKILL)
	p.pid = 0
}

// signal sends a signal to the process and its group.
func (p *workerProcess) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = unix.Kill(-p.pid, sig)
	}
}

// The pauses before a process is started again: short at first, so that a crash
// costs little, and longer the more often it ends soon after its start.
const (
	firstPause = 100 * time.Millisecond
	maxPause   = 5 * time.Second
	longRun    = 10 * time.Second // after a run of this length the pauses begin again
)

// backoff is the last pause.
type backoff time.Duration

// next returns the pause after a run.
func (b *backoff) next(ran time.Duration) time.Duration {
	if *b == 0 || ran >= longRun {
		*b = backoff(firstPause)
	} else {
		*b = backoff(min(2*time.Duration(*b), maxPause))
	}
	return time.Duration(*b)
}
