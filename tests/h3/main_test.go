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
	"sync"
	"syscall"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"answer": runAnswer})
}

// mostConnections is how many connections a test has at once. Quic-go answers
// CONNECTION_REFUSED when 32 wait to be accepted.
const mostConnections = 24

// concurrently calls f for 0 to n-1, for as many at once as there may be connections, and
// returns when all have returned.
func concurrently(n int, f func(i int)) {
	var all sync.WaitGroup
	room := make(chan struct{}, mostConnections)
	for i := range n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			f(i)
		})
	}
	all.Wait()
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
