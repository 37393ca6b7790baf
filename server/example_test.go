package server_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/worker"
)

// exampleConfig is a configuration for a small machine. Requests wait for a worker of the pool
// "default" even if none has attached yet.
func exampleConfig() server.Config {
	c := server.DefaultConfig()
	c.NumStreams, c.Memory, c.LinkMemory = 8, 32<<20, 4<<20
	c.Supervised = []string{"default"}
	return c
}

// exampleWorker attaches a worker to a socket until stop is called. Usually it is another
// process.
func exampleWorker(socket, pool string) (stop func()) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "pool %s serves %s", pool, r.URL.Path)
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	quiet := worker.WithLog(slog.New(slog.DiscardHandler))
	go func() { ended <- worker.Serve(ctx, socket, handler, worker.WithPool(pool), quiet) }()
	return func() {
		cancel()
		must(<-ended)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func socketFolder() (socket string, remove func()) {
	folder, err := os.MkdirTemp("", "example")
	must(err)
	return filepath.Join(folder, "workers.sock"), func() { must(os.RemoveAll(folder)) }
}

func get(url string) string {
	response, err := http.Get(url)
	must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(err)
	return string(body)
}

// A router is an http.Handler. Mount it in your own server, beside other handlers.
func ExampleNewRouter() {
	socket, remove := socketFolder()
	defer remove()

	router, err := server.NewRouter(exampleConfig())
	must(err)
	defer router.Close()
	workers, err := server.ListenWorkers(socket, false)
	must(err)
	defer workers.Close()
	go func() { _ = router.ServeWorkers(workers) }()

	mux := http.NewServeMux()
	mux.Handle("/upload/", router)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "fine") })
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() { _ = web.Serve(listener) }()

	defer exampleWorker(socket, "default")()
	fmt.Println(get("http://" + listener.Addr().String() + "/upload/file"))
	fmt.Println(get("http://" + listener.Addr().String() + "/health"))

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	must(router.Drain(ctx)) // first: it refuses new requests, and lets those in progress finish
	must(web.Shutdown(ctx))
	// Output:
	// pool default serves /upload/file
	// fine
}

// A supervisor replaces a worker, and no request fails: the old one gets no more of them, and ends
// when the last that it has is over.
func ExampleUploadResponseRouter_DrainWorker() {
	socket, remove := socketFolder()
	defer remove()
	router, err := server.NewRouter(exampleConfig())
	must(err)
	defer router.Close()
	workers, err := server.ListenWorkers(socket, false)
	must(err)
	defer workers.Close()
	go func() { _ = router.ServeWorkers(workers) }()
	web := httptest.NewServer(router)
	defer web.Close()

	stop := exampleWorker(socket, "default")
	fmt.Println(get(web.URL + "/old"))
	<-router.DrainWorker(os.Getpid()) // here, the worker is in our own process
	defer exampleWorker(socket, "default")()
	stop()
	fmt.Println(get(web.URL + "/new"))
	// Output:
	// pool default serves /old
	// pool default serves /new
}

// ServeWorkers lets workers attach until the listener is closed. Routes choose the pool that
// serves a request.
func ExampleUploadResponseRouter_ServeWorkers() {
	socket, remove := socketFolder()
	defer remove()

	c := exampleConfig()
	c.Routes = []server.Route{{Prefix: "/", Pool: "web"}, {Prefix: "/files", Pool: "files"}}
	c.Supervised = []string{"web", "files"}
	router, err := server.NewRouter(c)
	must(err)
	defer router.Close()
	workers, err := server.ListenWorkers(socket, false)
	must(err)
	ended := make(chan error)
	go func() { ended <- router.ServeWorkers(workers) }()

	web := &http.Server{Handler: router, ReadHeaderTimeout: 10 * time.Second}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() { _ = web.Serve(listener) }()
	defer web.Close()

	defer exampleWorker(socket, "web")()
	defer exampleWorker(socket, "files")()
	fmt.Println(get("http://" + listener.Addr().String() + "/index"))
	fmt.Println(get("http://" + listener.Addr().String() + "/files/1"))

	must(workers.Close())
	fmt.Println("ended:", <-ended)
	// Output:
	// pool web serves /index
	// pool files serves /files/1
	// ended: <nil>
}

// A Server is the front door of the program: HTTP/1.1 and 2, over TLS with ServeTLS, and
// HTTP/3 with ServeQUIC, with limits on what one client takes.
func ExampleNewLimitedServer() {
	socket, remove := socketFolder()
	defer remove()

	router, err := server.NewRouter(exampleConfig())
	must(err)
	defer router.Close()
	workers, err := server.ListenWorkers(socket, false)
	must(err)
	defer workers.Close()
	go func() { _ = router.ServeWorkers(workers) }()

	limits := server.DefaultLimits()
	limits.ConnsPerAddress = 100
	front := server.NewLimitedServer(router, limits, slog.New(slog.DiscardHandler))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	ended := make(chan error)
	go func() { ended <- front.Serve(listener) }()

	defer exampleWorker(socket, "default")()
	fmt.Println(get("http://" + listener.Addr().String() + "/"))

	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	fmt.Println("shutdown:", errors.Join(front.Shutdown(ctx), <-ended))
	// Output:
	// pool default serves /
	// shutdown: <nil>
}
