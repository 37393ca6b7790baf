package e2etest

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// The environment of the server role, besides the socket's.
const (
	configVariable = "E2E_CONFIG" // JSON of settings
	graceVariable  = "E2E_GRACE"  // how long it may take to shut down
)

// Settings is what a server process is told.
type Settings struct {
	Memory, LinkMemory uint64
	MaxLinks           int
	ResponseTimeout    time.Duration
}

// runServer is a server in a process of its own, which SIGTERM shuts down.
func runServer() {
	if err := serve(); err != nil {
		say("server: %v", err)
		os.Exit(1)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	grace, err := time.ParseDuration(os.Getenv(graceVariable))
	if err != nil {
		return err
	}
	router, err := server.NewRouter(configFromEnv())
	if err != nil {
		return err
	}
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	front := server.NewServer(router, nil)
	go func() { _ = router.ServeWorkers(workers) }()
	go func() { _ = front.Serve(listener) }()
	say("listening on %s", listener.Addr())
	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	say("shutdown: %v", front.Shutdown(limit))
	_ = workers.Close()
	return router.Close()
}

func configFromEnv() server.Config {
	c := server.DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	c.Routes = append(c.Routes, server.Route{Prefix: "/of-the-idle-pool", Pool: "idle"})
	var s Settings
	if err := json.Unmarshal([]byte(os.Getenv(configVariable)), &s); err == nil {
		c.Memory, c.LinkMemory, c.MaxLinks, c.ResponseTimeout = s.Memory, s.LinkMemory, s.MaxLinks, s.ResponseTimeout
	}
	return c
}

// ServerProcess is a server in another process.
type ServerProcess struct {
	*harness.Process
	Addr string
}

// StartServer starts one that workers reach at socket.
func StartServer(t testing.TB, socket string, s Settings, grace time.Duration) *ServerProcess {
	t.Helper()
	config, err := json.Marshal(s)
	harness.Check(t, err)
	p := &ServerProcess{Process: harness.StartProcess(t, "server", harness.SocketVariable+"="+socket,
		configVariable+"="+string(config), graceVariable+"="+grace.String())}
	harness.Eventually(t, "the server to listen", func() bool {
		_, rest, _ := strings.Cut(p.Output(), "listening on ")
		addr, _, whole := strings.Cut(rest, "\n")
		p.Addr = addr
		return whole
	})
	return p
}

// SmallServer is settings that suit a small machine.
func SmallServer() Settings {
	return Settings{Memory: 64 << 20, LinkMemory: 8 << 20, MaxLinks: 4, ResponseTimeout: harness.Patience}
}

// StartAppFor starts an app for a server process and waits until it is attached.
func StartAppFor(t testing.TB, p *ServerProcess, socket string, env ...string) *App {
	t.Helper()
	before := strings.Count(p.Output(), "link attached")
	a := &App{harness.StartProcess(t, "app", append(env, harness.SocketVariable+"="+socket)...)}
	harness.Eventually(t, "the app to attach", func() bool {
		return strings.Count(p.Output(), "link attached") > before
	})
	return a
}

// URL returns the address of a path.
func (p *ServerProcess) URL(path string) string { return fmt.Sprintf("http://%s%s", p.Addr, path) }

// WantRefused waits until nobody accepts connections any more.
func (p *ServerProcess) WantRefused(t *testing.T) {
	t.Helper()
	harness.Eventually(t, "new connections to be refused", func() bool {
		conn, err := net.Dial("tcp", p.Addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}
