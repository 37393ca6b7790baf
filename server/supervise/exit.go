package supervise

import (
	"context"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Reason says why a process ended.
type Reason string

// The reasons. The first three are the process's own; the others are the supervisor's,
// however the process then ended.
const (
	ReasonExit     Reason = "exit"     // it exited by itself, or could not be started
	ReasonSignal   Reason = "signal"   // a signal that the supervisor did not send
	ReasonOOM      Reason = "oom"      // the kernel killed it for want of memory
	ReasonStart    Reason = "start"    // it did not attach in time
	ReasonStuck    Reason = "stuck"    // requests made no progress
	ReasonRequests Reason = "requests" // it served as many requests as it should
	ReasonLifetime Reason = "lifetime" // it lived as long as it should
	ReasonMemory   Reason = "memory"   // it took more memory than it should
	ReasonReload   Reason = "reload"   // a new process has replaced it
	ReasonScale    Reason = "scale"    // there are to be fewer
	ReasonStop     Reason = "stop"     // the server ends, or the app is gone
)

// Reasons are all reasons, in the order in which they are shown.
func Reasons() []Reason {
	return []Reason{ReasonExit, ReasonSignal, ReasonOOM, ReasonStart, ReasonStuck, ReasonRequests, ReasonLifetime,
		ReasonMemory, ReasonReload, ReasonScale, ReasonStop}
}

// Exit is how a process ended.
type Exit struct {
	Reason  Reason
	How     string    // in the words of the kernel: "exit status 1", "signal: killed"
	Started time.Time // zero: it could not be started
	Ready   time.Time // when it attached; zero: never
	Ended   time.Time
	// OfItsOwn says that it was the process's own doing: it exited, a fault of its own killed
	// it, or it took too much memory.
	OfItsOwn bool

	asked bool // the supervisor had asked it to end
	noRun bool // there is no such program, or it cannot be executed
}

// faults are the signals that a process gets for what it does itself.
var faults = []syscall.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGABRT, unix.SIGTRAP,
	unix.SIGSYS, unix.SIGXCPU, unix.SIGXFSZ, unix.SIGPIPE}

// The exit statuses of a shell that could not run a command.
const (
	statusCannotRun = 126
	statusNotFound  = 127
)

// exitOf judges the end of a process that nobody had asked to end.
func exitOf(state *os.ProcessState, oom bool) (e Exit) {
	e.How = state.String()
	status, _ := state.Sys().(syscall.WaitStatus)
	switch {
	case oom:
		e.Reason, e.OfItsOwn = ReasonOOM, true
	case status.Signaled():
		e.Reason, e.OfItsOwn = ReasonSignal, slices.Contains(faults, status.Signal())
	default:
		e.Reason, e.OfItsOwn = ReasonExit, true
		e.noRun = status.ExitStatus() == statusCannotRun || status.ExitStatus() == statusNotFound
	}
	return e
}

// Ended returns how the last process with a number ended. It waits for the end until ctx
// does. Known is false if the process runs on, or is none of ours.
func (s *Supervisor) Ended(ctx context.Context, leader int) (e Exit, known bool) {
	p := s.lastOf(leader)
	if p == nil {
		p = s.runningByPID()[leader] // it may just be starting
	}
	if p == nil {
		p = s.lastOf(leader) // or it has ended meanwhile
	}
	if p == nil {
		return Exit{}, false
	}
	select {
	case <-p.ended:
		return p.exit, true
	case <-ctx.Done():
		return Exit{}, false
	}
}

// lastOf returns the last process with a number that was started and noted, or nil.
func (s *Supervisor) lastOf(leader int) *process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byPID[leader]
}

// mostEnded is how many processes that have ended are remembered.
const mostEnded = 256

// remember keeps a process that has ended, and forgets the oldest of those. The caller holds
// the lock.
func (s *Supervisor) remember(p *process) {
	s.ended = append(s.ended, p)
	if len(s.ended) <= mostEnded {
		return
	}
	oldest := s.ended[0]
	s.ended = slices.Delete(s.ended, 0, 1)
	if s.byPID[oldest.leader] == oldest {
		delete(s.byPID, oldest.leader)
	}
}
