// Package harness starts real servers and real worker processes for tests.
//
// The router runs in the test's own process, where the race detector sees it;
// every worker is a process: the test binary executed again in another role.
package harness

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

// Patience is how long anything in a test may take before it counts as hung. It
// bounds waits; nothing sleeps for it.
const Patience = 20 * time.Second

// roleVariable names the environment variable that says in which role the test
// binary runs.
const roleVariable = "UPLOAD_RESPONSE_TEST_ROLE"

// SocketVariable names the environment variable with the worker socket's path.
const SocketVariable = "UPLOAD_RESPONSE_SOCKET"

// Main runs the tests, or the role that this process was started in. Call it
// from TestMain.
func Main(m *testing.M, roles map[string]func()) {
	role := os.Getenv(roleVariable)
	if role == "" {
		os.Exit(m.Run())
	}
	run := roles[role]
	if run == nil {
		fmt.Fprintf(os.Stderr, "no role %q\n", role)
		os.Exit(2)
	}
	run()
	os.Exit(0)
}

// Server is a router with its listeners.
type Server struct {
	Router *server.UploadResponseRouter
	URL    string // http://127.0.0.1:PORT
	Addr   string
	Socket string
	Client *http.Client
	Log    *Log

	HTTP    *server.Server
	entries sync.WaitGroup // serving, besides the first
}

// Start starts a server with the default configuration, changed by change. When
// the test ends it is shut down, and the test fails if a stream or a buffer did
// not come back.
func Start(t testing.TB, change func(*server.Config)) *Server {
	t.Helper()
	return StartLimited(t, server.DefaultLimits(), change)
}

// StartLimited is Start with other limits.
func StartLimited(t testing.TB, limits server.Limits, change func(*server.Config)) *Server {
	t.Helper()
	s := &Server{Socket: filepath.Join(socketFolder(t), "w.sock"), Log: &Log{}}
	c := server.DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(s.Log, nil))
	if change != nil {
		change(&c)
	}
	router, err := server.NewRouter(c)
	Check(t, err)
	workers, err := server.ListenWorkers(s.Socket, false)
	Check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	Check(t, err)
	s.Router, s.Addr, s.URL = router, listener.Addr().String(), "http://"+listener.Addr().String()
	s.HTTP = server.NewLimitedServer(router, limits, c.Log)
	s.Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}, Timeout: 3 * Patience}
	served := make(chan error, 2)
	go func() { served <- router.ServeWorkers(workers) }()
	go func() { served <- s.HTTP.Serve(listener) }()
	t.Cleanup(func() {
		s.Client.CloseIdleConnections()
		s.stop(t)
		Check(t, workers.Close())
		Check(t, <-served)
		Check(t, <-served)
		s.entries.Wait()
		if t.Failed() {
			t.Logf("server log:\n%s", s.Log)
		}
	})
	return s
}

// socketFolder returns a folder with a path short enough for a socket.
func socketFolder(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ur")
	Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// stop checks that everything came back and ends the server.
func (s *Server) stop(t testing.TB) {
	s.AwaitRest(t)
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := s.HTTP.Shutdown(ctx); err != nil {
		t.Errorf("shutdown: %v", err)
	}
	Check(t, s.Router.Close())
}

// AwaitRest waits until no stream and no buffer is in use. Streams that a stopped
// or stuck worker still holds keep it waiting: end such workers first.
func (s *Server) AwaitRest(t testing.TB) {
	t.Helper()
	Eventually(t, "all streams and buffers to come back", func() bool {
		st := s.Router.Stats()
		return st.ActiveStreams == 0 && st.FreeBuffers == st.TotalBuffers
	})
}

// Process is a worker process.
type Process struct {
	t      testing.TB
	cmd    *exec.Cmd
	output *Log
	ended  chan struct{}
}

// StartWorker starts a worker process in a role and waits until it is attached.
// It is killed when the test ends.
func (s *Server) StartWorker(t testing.TB, role string, env ...string) *Process {
	t.Helper()
	before := s.Router.Stats().Attached
	p := StartProcess(t, role, append(env, SocketVariable+"="+s.Socket)...)
	Eventually(t, "the worker to attach", func() bool { return s.Router.Stats().Attached > before })
	return p
}

// StartProcess starts this test binary in a role. It is killed when the test
// ends.
func StartProcess(t testing.TB, role string, env ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(os.Args[0]), output: &Log{}, ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.output, p.output
	Check(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("output of %s:\n%s", role, p.output)
		}
	})
	return p
}

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns what the process has printed so far.
func (p *Process) Output() string { return p.output.String() }

// Signal sends a signal.
func (p *Process) Signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// Kill kills the process and waits for its end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// Stop stops the process (SIGSTOP) and waits until the kernel says so.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGSTOP)
	Eventually(p.t, "the process to stop", func() bool {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		return err == nil && len(fields) > 0 && string(fields[0]) == "T"
	})
}

// Continue lets a stopped process go on.
func (p *Process) Continue() { p.Signal(syscall.SIGCONT) }

// Wait waits for the end of the process and returns its exit status.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(Patience):
		p.t.Fatalf("process %d does not end", p.PID())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Eventually waits until condition holds, and fails the test if it does not.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Check fails the test on an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ReadAll reads a body to its end and closes it.
func ReadAll(t testing.TB, body io.ReadCloser) []byte {
	t.Helper()
	defer body.Close()
	b, err := io.ReadAll(body)
	Check(t, err)
	return b
}

// Log collects what is written to it.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write adds p.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
