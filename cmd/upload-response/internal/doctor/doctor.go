// Package doctor looks at what a server trips over: the kernel, limits, memory, addresses,
// certificates, the worker socket, and the Python of applications.
package doctor

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/wavey-ai/upload-response/server/listen"
)

// Status says how a check went.
type Status string

// The statuses of a check.
const (
	OK   Status = "ok"
	Warn Status = "warn" // the server runs, but something will be missed
	Fail Status = "fail" // the server does not run like this
)

// Result is what one check found.
type Result struct {
	Check  string `json:"check"`
	Status Status `json:"status"`
	Found  string `json:"found"`
	Advice string `json:"advice,omitempty"` // what to do
}

func ok(check, format string, args ...any) Result {
	return Result{check, OK, fmt.Sprintf(format, args...), ""}
}

// Plan is the server that is to run.
type Plan struct {
	Memory      uint64 // shared memory, bytes
	Streams     int    // requests at once
	Links       int    // workers at once
	Addresses   []listen.Address
	SocketMode  os.FileMode // of the Unix sockets among them
	HTTP3       bool        // on the UDP ports of https://
	Cert, Key   string      // files; empty: none
	ClientCA    string      // file; empty: none
	Socket      string      // for workers
	WorkerUser  func() (warning string, err error)
	Sandboxed   bool   // an app has a sandbox
	Limited     bool   // an app has limits of memory or processor time
	Python      string // interpreter; empty: there is none
	PythonGiven bool   // the user has named it: applications in Python are to run
	SDK         string // folder of an SDK for a Python without one; empty: none
	Library     string // C library of that SDK
}

// Run makes all checks that concern the plan.
func Run(p *Plan) []Result {
	running, _ := listen.ServerProcess(p.Socket) // 0: there is none
	return slices.Concat(
		kernel(), []Result{OpenFiles(p.Streams, p.Links), memory(p), fileSize(p)},
		p.addresses(running), p.certificates(),
		[]Result{p.socket(running), p.sandbox(), p.cgroups(), p.python()})
}

// Failed counts the checks that failed.
func Failed(list []Result) (n int) {
	for _, r := range list {
		if r.Status == Fail {
			n++
		}
	}
	return n
}

// Write writes a line for each check, and below it what to do.
func Write(w io.Writer, list []Result) error {
	width := 0
	for _, r := range list {
		width = max(width, len(r.Check))
	}
	for _, r := range list {
		if _, err := fmt.Fprintf(w, "%-4s  %-*s  %s\n", r.Status, width, r.Check, r.Found); err != nil {
			return err
		}
		if r.Advice != "" {
			fmt.Fprintf(w, "%*s  %s\n", width+6, "", r.Advice)
		}
	}
	return nil
}
