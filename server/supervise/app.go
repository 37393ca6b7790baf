// Package supervise keeps the worker processes of apps running: it starts them, replaces
// those that end, are stuck, or have grown too old, and ends them.
package supervise

import "time"

// App is the worker processes of one pool.
//
// Workers are named APP/SLOT: web/0, web/1. The name of a worker stays when its process is
// replaced.
type App struct {
	Name        string   // of the app, and of its pool
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
	Watch       []string // glob patterns; the workers are replaced when such a file changes
}

// Scale says how many processes an app has.
type Scale struct {
	Min, Max  int           // the number follows the load between the two; Max 0: it is fixed
	QueueWait time.Duration // a process is added when requests wait for a worker this long
	Idle      time.Duration // a process is removed when that many have been too many for this long
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
	Memory   uint64        // resident bytes of the process and its descendants
}

// Stuck says what becomes of a process whose requests make no progress.
type Stuck struct {
	After  time.Duration // without progress; 0: the process is left alone
	Stacks bool          // ask the process for its stacks before it is replaced
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
