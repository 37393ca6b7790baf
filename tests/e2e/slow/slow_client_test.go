package slow_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

func TestAClientThatStopsSendingIs408(t *testing.T) {
	s, worker := e2etest.StartBoth(t, e2etest.Impatient)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=stops", "Content-Length: 1000")
	c.Send("12345")
	c.Want("POST", http.StatusRequestTimeout)
	c.WantClosed()
	worker.AwaitSaid(t, "upload stops: 5 bytes, worker: request cancelled: client too slow")

	c = rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo?id=begun", "Content-Length: 1000")
	c.Send("12345")
	response := c.Response("POST")
	c.Expect(response.Body, "12345")
	c.WantBroken(response)
	worker.AwaitSaid(t, "echo begun: 5 bytes, worker: request cancelled: client too slow")
}

func TestAClientThatStopsReadingIsCutOffAndHoldsUpNobody(t *testing.T) {
	s, worker := e2etest.StartBoth(t, func(c *server.Config) { c.ClientTimeout = 2 * time.Second })
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/flood?id=stalled")
	worker.AwaitSaid(t, ">> GET /flood?id=stalled")
	c.AwaitStalled()
	// The response to the stalled client waits in the worker's memory, and all others go on.
	body := strings.Repeat("x", 1<<20)
	for range 10 {
		if got := e2etest.WantStatus(t, e2etest.Post(t, s, "/copy", body), http.StatusOK); got != body {
			t.Fatalf("%d bytes came back", len(got))
		}
	}
	if got := s.Router.Stats().Failed; got != 0 {
		t.Fatalf("%d exchanges have failed already", got)
	}
	worker.AwaitSaid(t, "flood stalled: worker: request cancelled: client too slow")
	_, err := io.Copy(io.Discard, c.In)
	if rawclient.IsTimeout(err) {
		t.Error("the connection is still open")
	}
}

// A client that sends one byte after the other, each as soon as the last one
// came back, has at most the two buffers that every upload is guaranteed.
func TestAByteAtATimeBurnsNoBuffers(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo", "Transfer-Encoding: chunked")
	response := c.Response("POST")
	for i := range 2000 {
		c.Drip(response, byte(i))
		if st := s.Router.Stats(); st.TotalBuffers-st.FreeBuffers > 2 {
			t.Fatalf("after %d bytes the upload holds %d buffers", i+1, st.TotalBuffers-st.FreeBuffers)
		}
	}
	c.Finish()
	harness.ReadAll(t, response.Body)
}

// A client may take any time while bytes move.
func TestAClientIsSlowOnlyIfNothingMoves(t *testing.T) {
	s, _ := e2etest.StartBoth(t, e2etest.Impatient)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/echo", "Transfer-Encoding: chunked")
	response := c.Response("POST")
	for start := time.Now(); time.Since(start) < 5*200*time.Millisecond; {
		c.Drip(response, 'x')
	}
	c.Finish()
	harness.ReadAll(t, response.Body)
}
