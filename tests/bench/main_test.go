// Package bench measures whole exchanges between real processes: a client (this
// process), a server, and a worker. Every figure stands beside its limits,
// measured in the same run, in turns: a raw TCP sink, and the same handler served
// by net/http in the server's own process. Run it with
//
//	make bench
package bench_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"server": serverRole, "go": goRole, "c": cRole})
}

// handler says hello, sends the upload back, or touches a byte of every cache line
// of it, as the path ends.
var handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/hello"):
		_, _ = io.WriteString(w, "hello, world\n")
	case strings.HasSuffix(r.URL.Path, "/echo"):
		_ = http.NewResponseController(w).EnableFullDuplex()
		finish(io.Copy(w, r.Body))
	default:
		fmt.Fprintln(w, finish(io.Copy(&toucher{}, r.Body)))
	}
})

func finish(n int64, err error) int64 {
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	return n
}

// toucher reads a byte of every cache line.
type toucher struct{ sum byte }

func (t *toucher) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i += 64 {
		t.sum ^= p[i]
	}
	return len(p), nil
}

// limits are what the workers are measured against.
const (
	tcp       = "tcp"       // a raw TCP sink, or echo
	inProcess = "inprocess" // the handler in net/http
)

// candidate is one of the things that are measured in turns.
type candidate struct{ name, address, prefix string }

var announcement = regexp.MustCompile(`ready proxy=(\S+) in-process=(\S+) sink=(\S+) echo=(\S+)`)

// start starts the server and a worker process in each language, and returns them
// by their names with the limits beside them; raw says which of the raw servers
// that is, if any.
func start(b *testing.B, raw string) []candidate { return startAt(b, b.TempDir()+"/w.sock", raw) }

// startAt is start with a place for the socket.
func startAt(b *testing.B, socket, raw string) []candidate {
	variable := harness.SocketVariable + "=" + socket
	s := harness.StartProcess(b, "server", variable)
	var found []string
	harness.Eventually(b, "the server to be ready", func() bool {
		found = announcement.FindStringSubmatch(s.Output())
		return found != nil
	})
	proxy := found[1]
	list := []candidate{{inProcess, found[2], ""}}
	switch raw {
	case "sink":
		list = append(list, candidate{tcp, found[3], ""})
	case "echo":
		list = append(list, candidate{tcp, found[4], ""})
	}
	harness.StartProcess(b, "go", variable)
	list = append(list, candidate{"go", proxy, "/go"})
	if program := compile(b); program != "" {
		harness.StartProcess(b, "c", variable, "UPLOAD_RESPONSE_POOL=c", programVariable+"="+program)
		list = append(list, candidate{"c", proxy, "/c"})
	}
	for _, c := range list {
		if c.prefix != "" {
			awaitWorker(b, c)
		}
	}
	return list
}

func awaitWorker(b *testing.B, c candidate) {
	harness.Eventually(b, "the worker to be attached", func() bool {
		response, err := http.Get("http://" + c.address + c.prefix + "/hello")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// programVariable names the C program that cRole runs.
const programVariable = "BENCH_PROGRAM"

// compile builds the C worker, and returns its path, or "" without a compiler.
func compile(b *testing.B) string {
	cc, err := exec.LookPath("cc")
	if err != nil {
		b.Log("no C compiler, so no C worker")
		return ""
	}
	program := filepath.Join(b.TempDir(), "worker")
	out, err := exec.Command(cc, "-std=gnu11", "-O2", "-I", "../../sdk/c/include", "-o", program, "../../sdk/c/bench/worker.c", "-pthread").CombinedOutput()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}

// cRole turns this process into the C worker.
func cRole() {
	program := os.Getenv(programVariable)
	must(syscall.Exec(program, []string{program}, os.Environ()))
}

func serverRole() {
	config := server.DefaultConfig()
	config.Routes = append(pythonRoutes, server.Route{Prefix: "/go", Pool: "go"}, server.Route{Prefix: "/c", Pool: "c"})
	router, err := server.NewRouter(config)
	must(err)
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	must(err)
	go func() { must(router.ServeWorkers(workers)) }()
	proxy, limit, sink, back := listen(), listen(), listen(), listen()
	go func() { must(server.NewServer(router, nil).Serve(proxy)) }()
	go func() { must(http.Serve(limit, handler)) }()
	go accept(sink, swallow)
	go accept(back, giveBack)
	fmt.Printf("ready proxy=%s in-process=%s sink=%s echo=%s\n", proxy.Addr(), limit.Addr(), sink.Addr(), back.Addr())
	select {}
}

func goRole() {
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer stop()
	must(worker.Serve(ctx, os.Getenv(harness.SocketVariable), handler, worker.WithPool("go")))
}

func listen() net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	return l
}

// accept serves each connection, and closes it when it ends.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		must(err)
		go func() {
			defer conn.Close()
			serve(conn)
		}()
	}
}

// swallow reads and touches what comes in.
func swallow(conn net.Conn) {
	buffer, t := make([]byte, 64<<10), &toucher{}
	for {
		n, err := conn.Read(buffer)
		_, _ = t.Write(buffer[:n])
		if err != nil {
			return
		}
	}
}

// giveBack sends back what comes in, by way of a buffer: not by splice.
func giveBack(conn net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := conn.Read(buffer)
		if err != nil {
			return
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
