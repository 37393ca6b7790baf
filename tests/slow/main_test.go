//go:build slow

// Package slow_test measures what a thousand slow clients cost the others. They are
// those of slowhttptest; "make test-slow" runs it.
package slow_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"server": runServer, "worker": runWorker})
}

// streamsVariable names the environment variable with how many requests a server may
// have at once; without it, it is the default.
const streamsVariable = "SLOW_STREAMS"

// runServer is the role of the server, which says where it listens.
func runServer() {
	c := server.DefaultConfig()
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if n, err := strconv.Atoi(os.Getenv(streamsVariable)); err == nil {
		c.NumStreams, c.Memory, c.LinkMemory = n, 1<<30, 256<<20
	}
	router, err := server.NewRouter(c)
	exitOn(err)
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	exitOn(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	exitOn(err)
	go func() { exitOn(router.ServeWorkers(workers)) }()
	fmt.Printf("%s%s\n", listening, listener.Addr())
	exitOn(server.NewServer(router, c.Log).Serve(listener))
}

// listening is what the server says before its address.
const listening = "listening on "

// bigResponse is the length of the response that slow clients read.
const bigResponse = 8 << 20

// runWorker is the role of the worker: it reads what it gets, and answers a little, or
// much.
func runWorker() {
	big := make([]byte, bigResponse)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%d bytes", n)
	})
	mux.HandleFunc("/big", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(big) })
	var options []worker.Option
	if n, err := strconv.Atoi(os.Getenv(streamsVariable)); err == nil {
		options = append(options, worker.WithLanes(n))
	}
	exitOn(worker.Serve(context.Background(), os.Getenv(harness.SocketVariable), mux, options...))
}

func exitOn(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
