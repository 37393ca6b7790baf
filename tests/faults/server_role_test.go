package faults_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// memoryVariable names the environment variable with the server's memory budget
// in bytes.
const memoryVariable = "FAULTS_MEMORY"

// serverRole is a server process. It says where it listens, or why it does not.
func serverRole() {
	c := server.DefaultConfig()
	small(&c)
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	c.Routes = append(c.Routes, server.Route{Prefix: "/slots", Pool: "slots"})
	c.Supervised = []string{"default", "slots"} // requests wait for the workers to come back
	if bytes := os.Getenv(memoryVariable); bytes != "" {
		c.Memory, _ = strconv.ParseUint(bytes, 10, 64)
	}
	if err := serve(c); err != nil {
		fmt.Printf("<failed>\n%v\n", err)
		os.Exit(1)
	}
}

func serve(c server.Config) error {
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	if err != nil {
		return err
	}
	router, err := server.NewRouter(c)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	served := make(chan error, 2)
	go func() { served <- router.ServeWorkers(workers) }()
	go func() { served <- server.NewServer(router, c.Log).Serve(listener) }()
	fmt.Printf("<serving>\n%s\n", listener.Addr())
	return errors.Join(<-served, <-served)
}

// startServer starts a server process on a worker socket and waits until it
// listens.
func startServer(t testing.TB, socket string, env ...string) (*harness.Process, *harness.Server) {
	t.Helper()
	p := harness.StartProcess(t, "server", append(env, harness.SocketVariable+"="+socket)...)
	awaitSaid(t, p, "serving", 1)
	var addr string
	harness.Eventually(t, "the server to say where", func() bool {
		_, rest, _ := strings.Cut(p.Output(), "<serving>\n")
		line, _, ok := strings.Cut(rest, "\n")
		addr = line
		return ok
	})
	return p, &harness.Server{Addr: addr, URL: "http://" + addr, Socket: socket}
}

func socketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "faults") // t.TempDir may be too long for a socket
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "w.sock")
}
