package harness

import (
	"context"
	"log/slog"
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/worker"
)

// ServeHere serves a pool by a handler in the test's own process, until the test ends: for tests
// that are not about workers.
func (s *Server) ServeHere(t testing.TB, pool string, handler http.Handler) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		quiet := worker.WithLog(slog.New(slog.DiscardHandler))
		ended <- worker.Serve(ctx, s.Socket, handler, worker.WithPool(pool), quiet)
	}()
	t.Cleanup(func() {
		cancel()
		Check(t, <-ended)
	})
	Eventually(t, "a worker of pool "+pool, func() bool {
		for _, l := range s.Router.Status().Links {
			if l.Pool == pool {
				return true
			}
		}
		return false
	})
}

// SmallServer changes a configuration to that of a server for a few requests, with a pool "web".
func SmallServer(c *server.Config) {
	c.NumStreams, c.Memory, c.LinkMemory = 8, 32<<20, 4<<20
	c.Supervised = []string{"web"}
}
