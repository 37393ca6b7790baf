package e2e_test

import (
	"net/http"
	"testing"

	"github.com/wavey-ai/upload-response/server"
)

// With many streams there are few slots for each: a request that may be served again is
// held back for that as long as it fits, and no longer.
func TestAnUploadMayComeInMorePiecesThanThereAreSlots(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) { c.NumStreams = 20000 })
	together(t, []string{"POST", "PUT", "DELETE", "OPTIONS", "GET"}, func(t *testing.T, method string) {
		const pieces = 50
		c := dial(t, s.Addr)
		c.begin(method, "/digest", "Transfer-Encoding: chunked")
		for range pieces {
			c.chunk("hello")
			c.awaitRead()
		}
		c.finish()
		if got := decode[digested](t, c.want(method, http.StatusOK)); got.Bytes != 5*pieces {
			t.Errorf("%d bytes came", got.Bytes)
		}
	})
	wantCalm(t, s)
}
