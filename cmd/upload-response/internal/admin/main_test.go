package admin

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) { harness.Main(m, map[string]func(){"app": runApp}) }

// runApp is a worker that reads what it gets, and says how much it was; under /wait it waits
// until the client is gone.
func runApp() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "done")
	})
	mux.HandleFunc("/wait", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), mux); err != nil {
		os.Exit(1)
	}
}

// site is a server with workers of its own, and its admin listener.
type site struct {
	*harness.Server
	*Client
	admin *Server
	at    Address
}

// open starts a server whose admin listener is at an address: a Unix socket if it is empty.
func open(t *testing.T, where string, change func(*Config)) *site {
	t.Helper()
	s := &site{Server: harness.Start(t, nil)}
	s.at = Address{"unix", filepath.Join(filepath.Dir(s.Socket), "admin")}
	if where != "" {
		s.at = Address{"tcp", where}
	}
	listener, err := s.at.Listen()
	harness.Check(t, err)
	if where != "" {
		s.at.Where = listener.Addr().String()
	}
	c := Config{Router: s.Router, Events: NewEvents(), Address: s.at, Log: slog.New(slog.NewTextHandler(s.Log, nil))}
	if change != nil {
		change(&c)
	}
	s.admin = New(c)
	ended := make(chan error, 1)
	go func() { ended <- s.admin.Serve(listener) }()
	s.Client = NewClient(s.at, c.Token)
	t.Cleanup(func() {
		s.Client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		defer cancel()
		s.admin.Shutdown(ctx)
		harness.Check(t, <-ended)
	})
	return s
}

// get asks for a path with header fields, and returns the status and the body.
func (s *site) get(t *testing.T, method, path string, fields ...string) (status int, body string, header http.Header) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Client.host()+path, nil)
	harness.Check(t, err)
	for i := 0; i < len(fields); i += 2 {
		if fields[i] == "Host" {
			request.Host = fields[i+1]
		} else {
			request.Header.Set(fields[i], fields[i+1])
		}
	}
	response, err := s.http.Do(request)
	harness.Check(t, err)
	return response.StatusCode, string(harness.ReadAll(t, response.Body)), response.Header
}

// hold has a request running, which waits at the worker, until the test ends.
func (s *site) hold(t *testing.T, path string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	harness.Check(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if response, err := s.Server.Client.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	harness.Eventually(t, "the request to run", func() bool {
		list := s.Router.Streams("", server.MaxStatusStreams)
		return len(list) > 0 && list[len(list)-1].State == "running"
	})
}

// dialUnix connects to the admin socket.
func (s *site) dialUnix(t *testing.T) net.Conn {
	t.Helper()
	c, err := net.Dial("unix", s.at.Where)
	harness.Check(t, err)
	return c
}
