// Mount puts the router into an HTTP server of one's own: workers of the pool
// "default" serve what is under /upload/, this process serves the rest.
//
//	go build -o build/ ./examples/go/mount && build/mount /tmp/mount.sock
//	upload-response worker digest --socket /tmp/mount.sock --pool default
//	curl -T big.file http://127.0.0.1:8080/upload/
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/wavey-ai/upload-response/server"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: mount SOCKET")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, socket string) error {
	router, err := server.NewRouter(server.DefaultConfig())
	if err != nil {
		return err
	}
	defer router.Close()
	workers, err := server.ListenWorkers(socket, false)
	if err != nil {
		return err
	}
	defer workers.Close()

	mux := http.NewServeMux()
	mux.Handle("/upload/", router)
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, router.Stats().Links, "workers")
	})
	web := &http.Server{Addr: "127.0.0.1:8080", Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	failed := make(chan error, 2)
	go func() { failed <- router.ServeWorkers(workers) }()
	go func() { failed <- web.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = router.Drain(patience) // first: it refuses what is new, and ends what runs in time
	return web.Shutdown(patience)
}
