package bench

import (
	"io"
	"time"

	"github.com/wavey-ai/upload-response/bench/load"
)

// Options says what is measured, and how. Start from DefaultOptions; a zero field is
// not a default.
type Options struct {
	Self   []string // command line that runs this program
	Rounds int
	Size   int64         // bytes of a bulk transfer
	Period time.Duration // of a measurement of small requests

	Protocols   []string
	Workers     []string
	Cases       []string
	Connections []int
	Idle        []int // streams, for memory
	RingCases   []string
	Readers     []int    // processes, for the ring
	Targets     []Target // besides our own server

	Peers []string // programs that start such servers (peers/README.md)

	Processes  int      // of each worker
	Syscalls   bool     // count system calls, with perf
	CWorker    string   // program; empty: it is built
	Python     string   // interpreter
	ServeFlags []string // of the server, besides ours

	Progress io.Writer // nil: none
}

// The workers, by name.
const (
	WorkerGo   = "go"
	WorkerC    = "c"
	WorkerSlot = "py-slot" // Python, the SDK's own handler
	WorkerLoop = "py-loop" // the same in an event loop
	WorkerWSGI = "wsgi"
	WorkerASGI = "asgi"
)

// The cases of the ring, by name.
const (
	RingSlots   = "slot-sizes"
	RingStreams = "streams"
	RingReaders = "readers"
	RingTrips   = "round-trips"
)

// Names of all that can be chosen from.
var (
	AllProtocols = []string{load.H1, load.TLS, load.H2C, load.H2, load.H3}
	AllWorkers   = []string{WorkerGo, WorkerC, WorkerSlot, WorkerLoop, WorkerWSGI, WorkerASGI}
	AllRingCases = []string{RingSlots, RingStreams, RingReaders, RingTrips}
	AllCases     = []string{load.CaseUpload, load.CaseDownload, load.CaseEcho, load.CaseRequests, load.CaseFirst}
)

// DefaultOptions returns what a whole run measures.
func DefaultOptions() Options {
	return Options{
		Rounds: 7, Size: 1 << 30, Period: time.Second,
		Protocols: AllProtocols, Workers: AllWorkers, Cases: AllCases, Connections: []int{1, 16, 64, 256}, Idle: []int{0, 1000, 10000},
		RingCases: AllRingCases, Readers: []int{1, 10, 100},
		Processes: 1, Python: "python3",
	}
}

// Hurry lowers what takes long, for a first look.
func (o *Options) Hurry() {
	o.Rounds, o.Size, o.Period = 3, 128<<20, 300*time.Millisecond
}
