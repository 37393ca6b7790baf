// Package harness starts real servers and real worker processes for tests.
//
// The router runs in the test's own process, where the race detector sees it;
// every worker is a process: the test binary executed again in another role.
package harness

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
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
		status := m.Run()
		for _, f := range atEnd.list {
			f()
		}
		os.Exit(status)
	}
	run := roles[role]
	if run == nil {
		fmt.Fprintf(os.Stderr, "no role %q\n", role)
		os.Exit(2)
	}
	run()
	os.Exit(0)
}

// atEnd is what to do when all tests have run.
var atEnd struct {
	sync.Mutex
	list []func()
}

// AtEnd has f called when all tests of the binary have run: for what is shared by
// several of them.
func AtEnd(f func()) {
	atEnd.Lock()
	defer atEnd.Unlock()
	atEnd.list = append(atEnd.list, f)
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

// Eventually waits until condition holds, and fails the test if it does not.
func Eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Receive receives from a channel, and fails the test if nothing comes.
func Receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(Patience):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
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
