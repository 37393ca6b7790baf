package http_test

import (
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// awaitGone waits until so many clients are counted as gone.
func awaitGone(t *testing.T, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, "the client to be counted as gone", func() bool { return s.Router.Stats().ClientGone == n })
	s.AwaitRest(t)
}

func TestAWorkerHearsThatTheClientLeftInTheMiddleOfItsUpload(t *testing.T) {
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("POST", "/upload?id=mid", "Content-Length: 1000000")
	c.Send(strings.Repeat("x", 300000))
	c.AwaitRead()
	worker.AwaitSaid(t, ">> POST /upload?id=mid") // or it would never hear of the request
	_ = c.Conn.Close()
	worker.AwaitSaid(t, "upload mid: 300000 bytes, worker: request cancelled: client gone")
	awaitGone(t, s, 1)
}

func TestAWorkerHearsThatTheClientLeftInTheMiddleOfItsDownload(t *testing.T) {
	s, worker := e2etest.StartBoth(t, nil)
	c := rawclient.Dial(t, s.Addr)
	c.Begin("GET", "/flood?id=mid")
	response := c.Response("GET")
	c.Expect(response.Body, strings.Repeat("\x00", 300000))
	_ = c.Conn.Close()
	worker.AwaitSaid(t, "flood mid: worker: request cancelled: client gone")
	awaitGone(t, s, 1)
	if got := s.Router.Stats(); got.Aborted != 1 || got.Failed != 1 {
		t.Errorf("%d aborted, %d failed, want one exchange that is both", got.Aborted, got.Failed)
	}
}

func TestAWorkerHearsThatTheClientLeftWhileNothingMoves(t *testing.T) {
	s, worker := e2etest.StartBoth(t, nil)
	for i, path := range []string{"/wait?id=get", "/wait?id=begun&flush"} {
		c := rawclient.Dial(t, s.Addr)
		c.Begin("GET", path)
		worker.AwaitSaid(t, "waiting "+strings.TrimSuffix(strings.TrimPrefix(path, "/wait?id="), "&flush"))
		_ = c.Conn.Close()
		awaitGone(t, s, int64(i+1))
	}
	worker.AwaitSaid(t, "wait get: context canceled")
	worker.AwaitSaid(t, "wait begun: context canceled")
}

func TestAClientThatLeavesTheQueueLeavesNothingBehind(t *testing.T) {
	s, _ := e2etest.StartBoth(t, e2etest.KeepSlowClients, e2etest.LanesVariable+"=1")
	busy := e2etest.StartHold(t, s)
	queued := rawclient.Dial(t, s.Addr)
	queued.Begin("GET", "/queued")
	harness.Eventually(t, "the request to wait", func() bool { return s.Router.Stats().Waiting == 1 })
	_ = queued.Conn.Close()
	harness.Eventually(t, "it to wait no more", func() bool { return s.Router.Stats().Waiting == 0 })
	busy.Finish()
	busy.WantEnd()
	awaitGone(t, s, 1)
}
