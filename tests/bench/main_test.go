// Package bench measures whole exchanges between real processes: a client (this
// process), a server, and a worker. Every figure stands beside its limits,
// measured in the same run, in turns: a raw TCP sink, and the same handler served
// by net/http in the server's own process. Run it with
//
//	make bench-e2e
package bench_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"server": serverRole, "worker": workerRole})
}

// handler touches a byte of every cache line that it is sent.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/hello" {
		_, _ = io.WriteString(w, "hello, world\n")
		return
	}
	n, err := io.Copy(&toucher{}, r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	fmt.Fprintln(w, n)
})

// toucher reads a byte of every cache line.
type toucher struct{ sum byte }

func (t *toucher) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += 64 {
		t.sum ^= p[i]
	}
	return len(p), nil
}

// places are the addresses of the three things that are measured, and where
// workers attach.
type places struct{ proxy, inProcess, sink, socket string }

var announcement = regexp.MustCompile(`ready proxy=(\S+) in-process=(\S+) sink=(\S+)`)

// start starts the server and the worker.
func start(b *testing.B) places {
	socket := b.TempDir() + "/w.sock"
	variable := harness.SocketVariable + "=" + socket
	s := harness.StartProcess(b, "server", variable)
	var found []string
	harness.Eventually(b, "the server to be ready", func() bool {
		found = announcement.FindStringSubmatch(s.Output())
		return found != nil
	})
	harness.StartProcess(b, "worker", variable)
	at := places{proxy: found[1], inProcess: found[2], sink: found[3], socket: socket}
	awaitAnswer(b, at.proxy, "/hello")
	return at
}

// awaitAnswer waits until somebody answers a request well.
func awaitAnswer(b *testing.B, address, path string) {
	harness.Eventually(b, "an answer from "+path, func() bool {
		response, err := http.Get("http://" + address + path)
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

func serverRole() {
	config := server.DefaultConfig()
	config.Routes = append(config.Routes, pythonRoutes...)
	router, err := server.NewRouter(config)
	must(err)
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	must(err)
	go func() { must(router.ServeWorkers(workers)) }()
	proxy, inProcess, sink := listen(), listen(), listen()
	go func() { must(server.NewServer(router, nil).Serve(proxy)) }()
	go func() { must(http.Serve(inProcess, handler)) }()
	go swallow(sink)
	fmt.Printf("ready proxy=%s in-process=%s sink=%s\n", proxy.Addr(), inProcess.Addr(), sink.Addr())
	select {}
}

func workerRole() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	must(worker.Serve(ctx, os.Getenv(harness.SocketVariable), handler))
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	return l
}

// swallow reads and touches what comes in, and closes when it ends.
func swallow(l net.Listener) {
	for {
		conn, err := l.Accept()
		must(err)
		go func() {
			defer conn.Close()
			buffer, t := make([]byte, 64<<10), &toucher{}
			for {
				n, err := conn.Read(buffer)
				_, _ = t.Write(buffer[:n])
				if err != nil {
					return
				}
			}
		}()
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
