package e2e_test

import (
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// awaitGone waits until so many clients are counted as gone.
func awaitGone(t *testing.T, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, "the client to be counted as gone", func() bool { return s.Router.Stats().ClientGone == n })
	s.AwaitRest(t)
}

func TestAWorkerHearsThatTheClientLeftInTheMiddleOfItsUpload(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/upload?id=mid", "Content-Length: 1000000")
	c.send(strings.Repeat("x", 300000))
	c.awaitRead()
	_ = c.conn.Close()
	worker.awaitSaid(t, "upload mid: 300000 bytes, worker: request cancelled: client gone")
	awaitGone(t, s, 1)
}

func TestAWorkerHearsThatTheClientLeftInTheMiddleOfItsDownload(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("GET", "/flood?id=mid")
	response := c.response("GET")
	c.expect(response.Body, strings.Repeat("\x00", 300000))
	_ = c.conn.Close()
	worker.awaitSaid(t, "flood mid: worker: request cancelled: client gone")
	awaitGone(t, s, 1)
	if got := s.Router.Stats(); got.Aborted != 1 || got.Failed != 1 {
		t.Errorf("%d aborted, %d failed, want one exchange that is both", got.Aborted, got.Failed)
	}
}

func TestAWorkerHearsThatTheClientLeftWhileNothingMoves(t *testing.T) {
	s, worker := startBoth(t, nil)
	for i, path := range []string{"/wait?id=get", "/wait?id=begun&flush"} {
		c := dial(t, s.Addr)
		c.begin("GET", path)
		worker.awaitSaid(t, "waiting "+strings.TrimSuffix(strings.TrimPrefix(path, "/wait?id="), "&flush"))
		_ = c.conn.Close()
		awaitGone(t, s, int64(i+1))
	}
	worker.awaitSaid(t, "wait get: context canceled")
	worker.awaitSaid(t, "wait begun: context canceled")
}

func TestAClientThatLeavesTheQueueLeavesNothingBehind(t *testing.T) {
	s, _ := startBoth(t, nil, lanesVariable+"=1")
	busy := startHold(t, s)
	queued := dial(t, s.Addr)
	queued.begin("GET", "/queued")
	harness.Eventually(t, "the request to wait", func() bool { return s.Router.Stats().Waiting == 1 })
	_ = queued.conn.Close()
	harness.Eventually(t, "it to wait no more", func() bool { return s.Router.Stats().Waiting == 0 })
	busy.finish()
	busy.wantEnd()
	awaitGone(t, s, 1)
}
