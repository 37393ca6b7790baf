package main

import (
	"errors"
	"io"
	"log/slog"
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

// workerSpec is a worker process to be kept running.
type workerSpec struct {
	pool string
	argv []string
	line string // of the shell, that argv runs; empty: none
}

// supervisor keeps worker processes running until it is told to stop them.
type supervisor struct {
	log      *slog.Logger
	env      []string
	user     *workerUser // nil: our own
	dumpable bool        // we are
	stdout   io.Writer   // of the processes
	stderr   io.Writer
	stopping chan struct{}
	running  sync.WaitGroup // keepers

	// hopeless is called when no process of a pool comes up, with how the last one
	// ended; nil: nobody is told.
	hopeless func(pool, how string)

	mu      sync.Mutex // guards the list of keepers, and which have failed
	keepers []*keeper
}

func newSupervisor(log *slog.Logger, env []string) *supervisor {
	return &supervisor{log: log, env: env, stdout: os.Stdout, stderr: os.Stderr, stopping: make(chan struct{})}
}

// keep starts a process and starts it again whenever it ends. Preconditions:
// stop was not called.
func (s *supervisor) keep(spec workerSpec) {
	k := &keeper{supervisor: s, spec: spec}
	s.mu.Lock()
	s.keepers = append(s.keepers, k)
	s.mu.Unlock()
	s.running.Go(k.run)
}

// stop asks all processes to end (SIGTERM), and after the patience makes them
// (SIGKILL).
func (s *supervisor) stop(patience time.Duration) {
	close(s.stopping)
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	for _, round := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{unix.SIGTERM, patience}, {unix.SIGKILL, time.Second}} {
		for _, k := range s.all() {
			k.signal(round.signal)
		}
		select {
		case <-ended:
			return
		case <-time.After(round.wait):
		}
	}
	s.log.Error("worker processes do not end")
}

func (s *supervisor) all() []*keeper {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keepers)
}

// stopped reports whether stop was called.
func (s *supervisor) stopped() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// keeper keeps one process running.
type keeper struct {
	supervisor *supervisor
	spec       workerSpec
	backoff    backoff
	short      int  // lives, the last ones
	failed     bool // under the supervisor's lock

	mu  sync.Mutex
	pid int // 0: none; until it is reaped nobody else can have this number
}

// errStopping is returned when a process is not started any more.
var errStopping = errors.New("stopping")

// run has a thread to itself, since the kernel ends a process with the thread
// that started it (Pdeathsig). The thread ends with the goroutine.
func (k *keeper) run() {
	runtime.LockOSThread()
	for {
		born := time.Now()
		pid, how := k.live()
		if k.supervisor.stopped() {
			return
		}
		life := time.Since(born)
		pause := k.backoff.next(life)
		k.supervisor.log.Warn("worker process ended", "pool", k.spec.pool, "pid", pid, "how", how, "restart_in", pause)
		k.count(life, pid, how)
		select {
		case <-time.After(pause):
		case <-k.supervisor.stopping:
			return
		}
	}
}

// mostFailures is how many lives of a process have to be short, one after the other, for
// it to have failed. One that the shell could not run fails at once.
const mostFailures = 3

// count notes how a process ended that lived so long. When all of its pool have failed,
// somebody is told.
func (k *keeper) count(life time.Duration, pid int, how string) {
	if k.short++; life >= longLife {
		k.short = 0
	}
	s := k.supervisor
	s.mu.Lock()
	defer s.mu.Unlock()
	k.failed = k.short >= mostFailures || pid == 0 || how == "exit status 126" || how == "exit status 127"
	working := func(other *keeper) bool { return other.spec.pool == k.spec.pool && !other.failed }
	if s.hopeless != nil && !slices.ContainsFunc(s.keepers, working) {
		s.hopeless(k.spec.pool, how)
	}
}

// live starts the process, waits for its end, and returns how it ended.
func (k *keeper) live() (pid int, how string) {
	process := exec.Command(k.spec.argv[0], k.spec.argv[1:]...)
	process.Env = append(workerEnviron(os.Environ()), k.supervisor.env...)
	process.Env = append(process.Env, cli.EnvName("pool")+"="+k.spec.pool)
	process.Stdout, process.Stderr = k.supervisor.stdout, k.supervisor.stderr
	// A group of its own: Ctrl-C reaches the server only, which tells the
	// workers in its own time. And a session, by which startedFor knows its
	// children. If the server dies the workers die too.
	process.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGKILL, Credential: k.supervisor.user.credential()}
	if err := k.start(process); err != nil {
		return 0, err.Error()
	}
	pid = process.Process.Pid
	k.supervisor.log.Debug("worker process started", "pool", k.spec.pool, "pid", pid)
	k.bury(pid)
	_ = process.Wait() // what it returns is in the state, too
	return pid, process.ProcessState.String()
}

func (k *keeper) start(process *exec.Cmd) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.supervisor.stopped() {
		return errStopping
	}
	err := process.Start()
	if process.SysProcAttr.Credential != nil {
		// Until it is another program, the new process has our memory, and its change of
		// users makes that what fs.suid_dumpable says.
		_ = setDumpable(k.supervisor.dumpable)
	}
	if err != nil {
		return err
	}
	k.pid = process.Process.Pid
	return nil
}

// bury waits for the end of the process and ends what it leaves behind in its
// group: the next one is to find its place empty. The dead process is not
// reaped before that, so its number cannot be another's yet.
func (k *keeper) bury(pid int) {
	for errors.Is(unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = unix.Kill(-pid, unix.SIGKILL)
	k.pid = 0
}

// signal sends a signal to the process and its group.
func (k *keeper) signal(sig syscall.Signal) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pid != 0 {
		_ = unix.Kill(-k.pid, sig)
	}
}

// The pauses before a process is started again: short at first, so that a crash
// costs little, and longer the more often it ends soon after its start.
const (
	firstPause = 100 * time.Millisecond
	mostPause  = 5 * time.Second
	longLife   = 10 * time.Second // a process that lived so long starts afresh
)

// backoff is the last pause.
type backoff time.Duration

// next returns the pause after a process that lived so long.
func (b *backoff) next(life time.Duration) time.Duration {
	if *b == 0 || life >= longLife {
		*b = backoff(firstPause)
	} else {
		*b = backoff(min(2*time.Duration(*b), mostPause))
	}
	return time.Duration(*b)
}
