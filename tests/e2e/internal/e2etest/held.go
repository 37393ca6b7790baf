package e2etest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// Held is a request that a worker has and that ends when the client ends its
// upload.
type Held struct {
	*rawclient.HTTP1
	response *http.Response
}

// StartHold sends a request to /hold and waits until a worker has it.
func StartHold(t testing.TB, s *harness.Server) *Held {
	t.Helper()
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/hold", "Transfer-Encoding: chunked")
	return &Held{c, c.Response("POST")}
}

// WantEnd reads the response to its end. Call finish first.
func (h *Held) WantEnd() {
	h.T.Helper()
	got := string(harness.ReadAll(h.T, h.response.Body))
	if !strings.HasPrefix(got, "held ") || !strings.HasSuffix(got, ", <nil>") {
		h.T.Fatalf("the held request ended with %q", got)
	}
}

// AwaitWaiting waits until so many requests are in the queue.
func AwaitWaiting(t *testing.T, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, fmt.Sprintf("%d requests to wait", n), func() bool { return s.Router.Stats().Waiting == n })
}
