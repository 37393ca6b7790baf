package e2e_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// impatient is a configuration whose deadlines pass while a test waits.
func impatient(c *server.Config) { c.ClientTimeout = 200 * time.Millisecond }

func TestAClientThatStopsSendingIs408(t *testing.T) {
	s, worker := startBoth(t, impatient)
	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=stops", "Content-Length: 1000")
	c.send("12345")
	c.want("POST", http.StatusRequestTimeout)
	c.wantClosed()
	worker.awaitSaid(t, "upload stops: 5 bytes, worker: request cancelled: client too slow")

	c = dial(t, s.Addr)
	c.begin("POST", "/echo?id=begun", "Content-Length: 1000")
	c.send("12345")
	response := c.response("POST")
	c.expect(response.Body, "12345")
	c.wantBroken(response)
	worker.awaitSaid(t, "echo begun: 5 bytes, worker: request cancelled: client too slow")
}

func TestAClientThatStopsReadingIsCutOffAndHoldsUpNobody(t *testing.T) {
	s, worker := startBoth(t, func(c *server.Config) { c.ClientTimeout = 2 * time.Second })
	c := dial(t, s.Addr)
	c.begin("GET", "/flood?id=stalled")
	worker.awaitSaid(t, ">> GET /flood?id=stalled")
	c.awaitStalled()
	// Its response waits in the worker's memory, and all others go on.
	body := strings.Repeat("x", 1<<20)
	for range 10 {
		if got := wantStatus(t, post(t, s, "/copy", body), http.StatusOK); got != body {
			t.Fatalf("%d bytes came back", len(got))
		}
	}
	if got := s.Router.Stats().Failed; got != 0 {
		t.Fatalf("%d exchanges have failed already", got)
	}
	worker.awaitSaid(t, "flood stalled: worker: request cancelled: client too slow")
	_, err := io.Copy(io.Discard, c.r)
	if isTimeout(err) {
		t.Error("the connection is still open")
	}
}

// awaitStalled waits until no more of what the server sends reaches us.
func (c *raw) awaitStalled() {
	c.t.Helper()
	own, server, before := socketKey(c.conn.LocalAddr()), socketKey(c.conn.RemoteAddr()), ""
	harness.Eventually(c.t, "the server to fill the connection", func() bool {
		now := queued(c.t, server, own, 0) + queued(c.t, own, server, 1)
		stalled := now == before && now != "" && !strings.HasPrefix(now, "00000000")
		before = now
		return stalled
	})
}

// A client that sends one byte after the other, each as soon as the last one
// came back, has at most the two buffers that every upload is guaranteed.
func TestAByteAtATimeBurnsNoBuffers(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/echo", "Transfer-Encoding: chunked")
	response := c.response("POST")
	for i := range 2000 {
		c.drip(response, byte(i))
		if st := s.Router.Stats(); st.TotalBuffers-st.FreeBuffers > 2 {
			t.Fatalf("after %d bytes the upload holds %d buffers", i+1, st.TotalBuffers-st.FreeBuffers)
		}
	}
	c.finish()
	harness.ReadAll(t, response.Body)
}

// drip sends one byte and waits until it has come back.
func (c *raw) drip(response *http.Response, b byte) {
	c.t.Helper()
	c.chunk(string([]byte{b}))
	c.expect(response.Body, string([]byte{b}))
}

// As long as bytes move a client may take as long as it likes.
func TestAClientIsSlowOnlyIfNothingMoves(t *testing.T) {
	s, _ := startBoth(t, impatient)
	c := dial(t, s.Addr)
	c.begin("POST", "/echo", "Transfer-Encoding: chunked")
	response := c.response("POST")
	for start := time.Now(); time.Since(start) < 5*200*time.Millisecond; {
		c.drip(response, 'x')
	}
	c.finish()
	harness.ReadAll(t, response.Body)
}
