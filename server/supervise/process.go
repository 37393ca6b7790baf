package supervise

import (
	"errors"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is one worker process, from before its start until after its end.
type process struct {
	supervisor *Supervisor
	slot       *slot
	spec       App // as it was when the process was started
	output     output

	ready   chan struct{}    // closed when it has attached
	leaving chan struct{}    // closed when it is to end
	ended   chan struct{}    // closed when it has ended
	late    <-chan time.Time // when it has had enough time to attach; nil: never
	exit    Exit             // once it has ended
	logged  atomic.Bool      // the end is

	mostRequests uint64        // when to replace it; 0: never
	mostLife     time.Duration // the same

	mu       sync.Mutex
	pid      int // 0: it does not run; the kernel does not reuse the number before the process is reaped
	leader   int // the same, and stays
	started  time.Time
	attached time.Time
	asked    Reason      // why it is to end; empty: it is not
	peers    map[int]int // processes that attached, it or descendants, and the signals for their stacks
	links    int         // that have attached
}

// launch starts a process.
func (s *slot) launch(spec App) *process {
	p := &process{
		supervisor: s.app.supervisor, slot: s, spec: spec,
		ready: make(chan struct{}), leaving: make(chan struct{}), ended: make(chan struct{}), peers: map[int]int{},
		mostRequests: uint64(jittered(float64(spec.Recycle.Requests), spec.Recycle.Jitter)),
		mostLife:     time.Duration(jittered(float64(spec.Recycle.Lifetime), spec.Recycle.Jitter)),
	}
	if spec.Start.Timeout > 0 {
		p.late = time.After(spec.Start.Timeout)
	}
	p.supervisor.noteLaunch(p)
	p.supervisor.running.Go(p.run)
	return p
}

// jittered adds a part of n, at most the jitter, at random: what was started together is not
// to be replaced together.
func jittered(n, jitter float64) float64 { return n + n*jitter*rand.Float64() }

// run has a thread to itself, since the kernel ends a process together with the thread
// that started it (Pdeathsig). The thread ends with the goroutine.
func (p *process) run() {
	runtime.LockOSThread()
	exit := p.live()
	p.mu.Lock()
	exit.Started, exit.Ready, exit.Ended = p.started, p.attached, time.Now()
	if p.asked != "" {
		exit.Reason, exit.asked, exit.OfItsOwn = p.asked, true, false
	}
	p.mu.Unlock()
	p.exit = exit
	p.supervisor.noteExit(p)
	close(p.ended)
}

// errLeaving is returned when a process is not started any more.
var errLeaving = errors.New("not started")

// live starts the process, waits for the end, and returns how it ended.
func (p *process) live() Exit {
	spec := &p.spec
	program, err := spec.Program()
	if err != nil {
		return Exit{Reason: ReasonExit, How: spec.Command[0] + ": " + err.Error(), OfItsOwn: true, noRun: true}
	}
	command := &exec.Cmd{Path: program, Args: spec.Command, Dir: spec.Directory}
	command.Env = p.supervisor.environ(spec)
	command.SysProcAttr = &syscall.SysProcAttr{
		// A separate session, and so a separate process group: Ctrl-C reaches only the server,
		// which stops the workers in time, and StartedFor knows the children of a worker. If
		// the server dies the workers die too.
		Setsid: true, Pdeathsig: unix.SIGKILL, Credential: spec.User.credential(),
	}
	p.openOutput(command)
	limits := p.confine(command)
	defer limits.release()
	err = p.start(command)
	p.output.closeWriters()
	if err != nil {
		p.output.close()
		return Exit{Reason: ReasonExit, How: err.Error(), OfItsOwn: true, noRun: true}
	}
	p.limitFiles(p.leader)
	p.supervisor.noteStart(p)
	p.awaitEnd()
	_ = command.Wait() // the state has the error, too
	p.output.close()
	return exitOf(command.ProcessState, p.supervisor.oom.tookPlace(command.ProcessState) || limits.outOfMemory())
}

func (p *process) start(command *exec.Cmd) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked != "" {
		return errLeaving
	}
	err := p.spec.Sandbox.start(command, p.ended)
	if command.SysProcAttr.Credential != nil {
		// Until it executes another program, the new process shares our memory, and by
		// changing the user it sets our dumpable attribute to fs.suid_dumpable.
		_ = setDumpable(p.supervisor.config.Dumpable)
	}
	if err != nil {
		return err
	}
	p.pid, p.leader, p.started = command.Process.Pid, command.Process.Pid, time.Now()
	return nil
}

// setDumpable sets whether processes of the same user may read and write our memory, take
// our descriptors, and trace us; and whether a crash leaves a core dump (prctl(2)).
func setDumpable(yes bool) error {
	var value uintptr
	if yes {
		value = 1
	}
	return unix.Prctl(unix.PR_SET_DUMPABLE, value, 0, 0, 0)
}

// awaitEnd waits for the end of the process, and kills what remains of its group before
// the next one starts. The dead process is not reaped before that, so the kernel cannot
// have reused the number.
func (p *process) awaitEnd() {
	for errors.Is(unix.Waitid(unix.P_PID, p.leader, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = unix.Kill(-p.leader, unix.SIGKILL)
	p.pid = 0
}

// runs reports whether the process runs.
func (p *process) runs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid != 0
}

// signal sends a signal to the process and its group.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = unix.Kill(-p.pid, sig)
	}
}

// retire has the process end. Only the first reason counts. It does not wait.
func (p *process) retire(why Reason) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retireLocked(why)
}

// retireLate has the process end because it has not attached in time. It reports false, and
// does nothing, if the process has attached in the last moment.
func (p *process) retireLate() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.attached.IsZero() {
		return false
	}
	p.retireLocked(ReasonStart)
	return true
}

// retireLocked has the process end. The caller holds the lock.
func (p *process) retireLocked(why Reason) {
	if p.asked == "" {
		p.asked = why
		close(p.leaving)
		go p.finish(why)
	}
}

// lateTimeout is how long a process that did not attach in time may take to end.
const lateTimeout = time.Second

// finish takes the requests from the process, asks it to end (SIGTERM), and kills it if it
// has not ended after the timeout (SIGKILL).
func (p *process) finish(why Reason) {
	timeout := p.spec.Stop.Timeout
	if why == ReasonStart {
		timeout = min(timeout, lateTimeout)
	}
	begin := time.Now()
	drained := p.supervisor.drain(p)
	switch {
	case why == ReasonStuck && p.spec.Stuck.Stacks:
		p.printStacks()
		begin = time.Now() // the wait for stacks is not part of the time to end
	case why != ReasonStuck && drained != nil:
		// Some programs end at once by SIGTERM: half the time is for the requests alone.
		select {
		case <-drained:
		case <-p.ended:
		case <-time.After(timeout / 2):
		}
	}
	timeout -= time.Since(begin)
	p.signal(unix.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(timeout):
		p.signal(unix.SIGKILL)
	}
}

// isReady reports whether the process has attached, and is not on its way out.
func (p *process) isReady() bool {
	return isClosed(p.ready) && !isClosed(p.leaving) && !isClosed(p.ended)
}

// isClosed reports whether a channel that carries nothing is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
