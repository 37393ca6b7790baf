package http_test

import (
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// With many streams there are few slots for each: a request that may be served again is
// held back for that as long as it fits, and no longer.
func TestAnUploadMayComeInMorePiecesThanThereAreSlots(t *testing.T) {
	t.Parallel()
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.NumStreams = 20000 })
	e2etest.Together(t, []string{"POST", "PUT", "DELETE", "OPTIONS", "GET"}, func(t *testing.T, method string) {
		const pieces = 50
		c := rawclient.Dial(t, s.Addr)
		c.Begin(method, "/digest", "Transfer-Encoding: chunked")
		for range pieces {
			c.Chunk("hello")
			c.AwaitRead()
		}
		c.Finish()
		if got := e2etest.Decode[e2etest.Digested](t, c.Want(method, http.StatusOK)); got.Bytes != 5*pieces {
			t.Errorf("%d bytes came", got.Bytes)
		}
	})
	e2etest.WantCalm(t, s)
}
