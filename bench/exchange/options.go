package exchange

import (
	"slices"

	"github.com/wavey-ai/upload-response/bench"
	"github.com/wavey-ai/upload-response/bench/load"
	"github.com/wavey-ai/upload-response/bench/peers"
	"github.com/wavey-ai/upload-response/bench/python"
)

// The workers that are not in Python, by name.
const (
	WorkerGo = "go"
	WorkerC  = "c"
)

// All that can be chosen from, by name.
var (
	AllProtocols = []string{load.H1, load.TLS, load.H2C, load.H2, load.H3}
	AllWorkers   = slices.Concat([]string{WorkerGo, WorkerC}, python.Workers)
	AllCases     = []string{load.CaseUpload, load.CaseDownload, load.CaseEcho, load.CaseRequests, load.CaseFirst}
)

// Options says what is measured, and how. Start from DefaultOptions; a zero field is not a
// default.
type Options struct {
	bench.Options

	Protocols   []string
	Workers     []string
	Cases       []string
	Connections []int
	Targets     []peers.Target // besides our own server
	Peers       []string       // programs that start such servers (peers/README.md)

	Server      string   // the program upload-response
	ServerFlags []string // besides those that the benchmark gives it
	Processes   int      // of each worker
	Syscalls    bool     // count system calls, with perf
	CWorker     string   // program; empty: it is built
	Python      string   // interpreter
}

// DefaultOptions returns what a whole run measures.
func DefaultOptions() Options {
	return Options{
		Options: bench.DefaultOptions(), Protocols: AllProtocols, Workers: AllWorkers, Cases: AllCases,
		Connections: []int{1, 16, 64, 256}, Processes: 1, Python: "python3",
	}
}
