package role

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Server is a running `upload-response serve`.
type Server struct {
	*Process
	Addresses
	Socket      string // for workers
	Allocations *AllocationCounter
	attached    chan struct{} // gets a value for each worker that attaches
}

// StartServer starts the program upload-response with a route and a pool for each name.
// Release: Stop.
func StartServer(program, dir string, pools, flags []string) (*Server, error) {
	s := &Server{Socket: filepath.Join(dir, "w.sock"), attached: make(chan struct{}, 4096)}
	argv := []string{program, "serve", "--listen", "127.0.0.1:0", "--listen", "https://127.0.0.1:0",
		"--tls-self-signed", "--socket", s.Socket, "--log-format", "json"}
	for _, pool := range pools {
		argv = append(argv, "--route", "/"+pool+"="+pool)
	}
	process, err := Start("server", append(argv, flags...))
	if err != nil {
		return nil, err
	}
	s.Process, s.Allocations = process, newAllocationCounter(process)
	return s, s.awaitReady()
}

// awaitReady waits until the log says that the server is ready, and then follows it.
func (s *Server) awaitReady() error {
	ready := make(chan Addresses, 1)
	s.errors.follow(func(line string) {
		if a, ok := parseReady(line); ok {
			ready <- a
		}
		if strings.Contains(line, `"msg":"link attached"`) {
			s.attached <- struct{}{}
		}
		s.Allocations.parse(line)
	})
	select {
	case s.Addresses = <-ready:
		return nil
	case <-time.After(Timeout):
		s.Stop()
		return s.failure(fmt.Errorf("not ready within %v", Timeout))
	}
}

// AwaitWorkers waits until that many workers are attached.
func (s *Server) AwaitWorkers(n int) error {
	timer := time.NewTimer(Timeout)
	defer timer.Stop()
	for range n {
		select {
		case <-s.attached:
		case <-timer.C:
			return s.failure(fmt.Errorf("fewer than %d workers are attached after %v", n, Timeout))
		}
	}
	return nil
}

// parseReady reads from a line of the server's log where it listens.
func parseReady(line string) (a Addresses, ok bool) {
	var entry struct{ Msg, Listen string }
	if json.Unmarshal([]byte(line), &entry) != nil || entry.Msg != "ready" {
		return a, false
	}
	for _, address := range strings.Fields(entry.Listen) {
		if secure, found := strings.CutPrefix(address, "https://"); found {
			a.Secure = secure
		} else {
			a.Clear = address
		}
	}
	return a, a.Clear != "" && a.Secure != ""
}

// TempDir makes a folder for the files of a run, with a path short enough for a socket.
// Release: os.RemoveAll.
func TempDir() (string, error) { return os.MkdirTemp("", "ur-bench") }
