package supervise

import (
	"log/slog"
	"os"
	"time"
)

// PoolVariable is the environment variable that tells a worker its pool.
const PoolVariable = "UPLOAD_RESPONSE_POOL"

// Config says how a supervisor works, and connects it with the server. Functions may be
// nil; they are called from several goroutines, and must not block.
type Config struct {
	Log         *slog.Logger // nil: silence
	Environment []string     // of all processes
	Dumpable    bool         // whether the server is (prctl(2)): starting a process of another user changes it

	// Stdout and Stderr are where the processes write.
	Stdout, Stderr Output

	// Failed is called when no process of a pool comes up, with how the last one ended, and
	// Recovered when one has attached after that.
	Failed    func(pool, how string)
	Recovered func(pool string)
	// Drain is called before a process, or a descendant of one, is asked to end: it is to get no
	// new requests. The channel is closed when the last request of the process has ended; nil:
	// that is not known.
	Drain func(pid int) <-chan struct{}
	// Free returns how many more links can attach: a process has one or more. When there are
	// too few for a new process, the old one ends before that starts. Nil: any number.
	Free func() int
	// Load returns how busy the workers of a pool are, and Served how many requests each
	// process has served, with its descendants, by the number of the process.
	Load   func(pool string) Load
	Served func() map[int]uint64

	// OnEvent is called with what happens to workers. It must not call the supervisor.
	OnEvent func(Event)
}

// Output is where processes write their standard output, or error.
type Output struct {
	File *os.File // given to the processes as it is; nil: Write gets what they print
	// Write takes one or more lines of one worker that belong together, each with its end;
	// at most 64 KiB. It must not keep them.
	Write func(app, worker string, lines []byte)
}

// Load is how busy the workers of a pool are.
type Load struct {
	Lanes, Busy int           // requests that the workers can serve at once, and do serve
	Waiting     int           // requests that wait for a worker
	Oldest      time.Duration // how long the first of them has waited
}

// Event is something that happened to a worker.
type Event struct {
	Time   time.Time
	Kind   EventKind
	App    string
	Worker string // empty: the event is about the whole app
	PID    int    // 0: none
	Detail string // for people
}

// EventKind says what happened.
type EventKind string

// The kinds of events.
const (
	EventStarted   EventKind = "started"
	EventReady     EventKind = "ready"
	EventEnded     EventKind = "ended"
	EventStuck     EventKind = "stuck"
	EventReplaced  EventKind = "replaced"
	EventScaled    EventKind = "scaled"
	EventFailed    EventKind = "failed"
	EventRecovered EventKind = "recovered"
)
