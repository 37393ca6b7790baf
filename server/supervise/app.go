package supervise

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// App is the worker processes of one pool.
//
// Workers are named APP/SLOT: web/0, web/1. The name of a worker stays when its process is
// replaced.
type App struct {
	Name        string   // of the app
	Pool        string   // that the workers serve; empty: the name of the app
	Command     []string // the program and its arguments; no shell
	Directory   string   // working directory; empty: the server's
	Environment []string // NAME=value, besides the server's environment
	User        *User    // nil: the server's
	Processes   int      // to start with; at least 1
	Scale       Scale
	Start       Start
	Recycle     Recycle
	Stuck       Stuck
	Stop        Stop
	Limits      Limits
	Sandbox     *Sandbox // nil: none
	Watch       []string // glob patterns; the workers are replaced when such a file changes
}

// Scale says how many processes an app has.
type Scale struct {
	Min, Max  int           // the number follows the load between the two; Max 0: it is fixed
	QueueWait time.Duration // a process is added when a request has waited for a worker this long
	Idle      time.Duration // a process is removed when one less has been enough for this long
}

// Start says when a process that was started has failed.
type Start struct {
	Timeout     time.Duration // a process that has not attached after this long is killed; 0: never
	GiveUpAfter int           // deaths in a row, before the process attached, that make the app failed; 0: none do
}

// Recycle says when a process that works well is replaced by a new one. The new one
// attaches first. A limit of 0 is none.
type Recycle struct {
	Requests int           // served by the process
	Jitter   float64       // part of Requests, and of Lifetime, that is added at random, 0 to 1
	Lifetime time.Duration // since the process was started
	Memory   uint64        // resident bytes of the process and its descendants, shared memory apart
}

// Stuck says what becomes of a process whose requests make no progress.
type Stuck struct {
	After  time.Duration // without progress; 0: the process is left alone
	Stacks bool          // ask the process for its stacks before it is ended
}

// Stop says how a process is ended: by SIGTERM, and after the timeout by SIGKILL.
type Stop struct {
	Timeout time.Duration
}

// Limits are those of each process. A limit of 0 is the server's.
type Limits struct {
	OpenFiles uint64  // descriptors (RLIMIT_NOFILE)
	Memory    uint64  // bytes (memory.max of a cgroup)
	CPU       float64 // processors, such as 0.5 (cpu.max of a cgroup)
}

// NewApp returns an app of one process, with the defaults of the rest.
func NewApp(name string, command []string) App {
	return App{
		Name: name, Command: command, Processes: 1,
		Scale:   Scale{QueueWait: 50 * time.Millisecond, Idle: 30 * time.Second},
		Start:   Start{Timeout: time.Minute, GiveUpAfter: 6},
		Recycle: Recycle{Jitter: 0.1},
		Stuck:   Stuck{Stacks: true},
		Stop:    Stop{Timeout: 30 * time.Second},
	}
}

// PoolName returns the name of the pool that the workers serve.
func (a *App) PoolName() string {
	if a.Pool != "" {
		return a.Pool
	}
	return a.Name
}

// Most returns the largest number of processes that the app has by itself.
func (a *App) Most() int { return max(a.Processes, a.Scale.Max) }

// sameProcess reports whether processes of the two are started and kept in the same way, so
// that those which run need not be replaced.
func (a *App) sameProcess(b *App) bool {
	return reflect.DeepEqual(a.ofOneProcess(), b.ofOneProcess())
}

// ofOneProcess returns the app without what is about their number, or about files.
func (a *App) ofOneProcess() App {
	b := *a
	b.Pool, b.Processes, b.Scale, b.Watch = a.PoolName(), 0, Scale{}, nil
	return b
}

// check returns an error if processes of the app cannot be started at all.
func (a *App) check() error {
	switch {
	case a.Name == "":
		return errors.New("an app needs a name")
	case len(a.Command) == 0:
		return fmt.Errorf("app %s has no command", a.Name)
	case a.Processes < 1:
		return fmt.Errorf("app %s: %d processes", a.Name, a.Processes)
	case a.Scale.Max > 0 && (a.Processes < a.Scale.Min || a.Processes > a.Scale.Max):
		return fmt.Errorf("app %s: %d processes, but from %d to %d", a.Name, a.Processes, a.Scale.Min, a.Scale.Max)
	}
	return nil
}
