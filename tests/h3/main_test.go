// Package h3_test holds the server to the rules of HTTP/3, QPACK and QUIC for what no
// proper client sends: the cases of h3spec, and more. The clients are our own, since
// those of a library keep the rules.
package h3_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"answer": runAnswer})
}

// runAnswer is the role of a worker that reads each request and says so.
func runAnswer() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	answer := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		fmt.Printf("%s %s: %d bytes, %v\n", r.Method, r.RequestURI, n, err)
		fmt.Fprintf(w, "%d bytes", n)
	})
	if err := worker.Serve(ctx, os.Getenv(harness.SocketVariable), answer); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
