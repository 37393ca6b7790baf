package http_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
	"github.com/wavey-ai/upload-response/worker"
)

// awaitGone waits until so many clients are counted as gone.
func awaitGone(t *testing.T, s *harness.Server, n int64) {
	t.Helper()
	harness.Eventually(t, "the client to be counted as gone", func() bool { return s.Router.Stats().ClientGone == n })
	s.AwaitRest(t)
}

func TestAWorkerHearsThatTheClientLeftInTheMiddleOfItsUpload(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
	t.Parallel()
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

// bottomless takes everything that is written to it, but only after the worker has published
// more slots: the server never waits for the worker.
type bottomless struct {
	http.ResponseWriter
	test     context.Context
	taken    int64         // bytes
	produced atomic.Int64  // bytes, by the worker
	more     chan struct{} // produced has grown
	told     chan struct{} // closed when the worker has been told to end
}

const bottomlessPiece = 64 << 10

func (b *bottomless) Write(p []byte) (int, error) {
	b.taken += int64(len(p))
	for b.produced.Load() < b.taken+8*bottomlessPiece {
		select {
		case <-b.more:
		case <-b.told:
			return len(p), nil
		case <-b.test.Done():
			return 0, b.test.Err()
		}
	}
	return len(p), nil
}

// fill is a handler of the worker. It writes until it is told to end.
func (b *bottomless) fill(w http.ResponseWriter, _ *http.Request) {
	piece := make([]byte, bottomlessPiece)
	for err := error(nil); err == nil; {
		_, err = w.Write(piece)
		b.produced.Add(bottomlessPiece)
		select {
		case b.more <- struct{}{}:
		default:
		}
	}
	close(b.told)
}

// A writer that compresses takes megabytes before it fails.
func TestAClientThatLeavesIsNoticedThoughTheWorkerIsAheadAndNoWriteFails(t *testing.T) {
	t.Parallel()
	s := harness.Start(t, nil)
	b := &bottomless{
		ResponseWriter: httptest.NewRecorder(), test: t.Context(),
		more: make(chan struct{}, 1), told: make(chan struct{}),
	}
	serving, served := t.Context(), make(chan error, 1)
	quiet := worker.WithLog(slog.New(slog.DiscardHandler))
	go func() { served <- worker.Serve(serving, s.Socket, http.HandlerFunc(b.fill), quiet) }()
	t.Cleanup(func() { harness.Check(t, <-served) })
	harness.Eventually(t, "the worker to attach", func() bool { return s.Router.Stats().Attached == 1 })

	client, leave := context.WithCancel(t.Context())
	ended := make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		s.Router.ServeHTTP(b, httptest.NewRequestWithContext(client, "GET", "/", nil))
	}()
	harness.Eventually(t, "the response to flow", func() bool { return b.produced.Load() > 1<<20 })
	leave()
	if how := harness.Receive(t, "the exchange to end", ended); how != http.ErrAbortHandler {
		t.Errorf("the exchange ended with %v", how)
	}
	harness.Receive(t, "the worker to be told", b.told)
	awaitGone(t, s, 1)
}

func TestAClientThatLeavesTheQueueLeavesNothingBehind(t *testing.T) {
	t.Parallel()
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
