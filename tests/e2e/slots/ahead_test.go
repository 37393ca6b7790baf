package slots_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// Requests are assigned ahead of need to a worker that is fast enough, which it is
// without the race detector. They must not make it serve more at once than it requested.
func TestAWorkerServesNoMoreAtOnceThanItHasLanes(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil, e2etest.LanesVariable+"=2")
	e2etest.Quickly(t, s, "/at-once", 16, 100)
	most, err := strconv.Atoi(e2etest.WantStatus(t, e2etest.Get(t, s, "/at-once"), http.StatusOK))
	if err != nil || most > 2 {
		t.Errorf("a worker with 2 lanes served %d requests at once (%v)", most, err)
	}
}

// A worker that takes one request after the other may be given some ahead, which
// go elsewhere when the one before them takes long.
func TestARequestThatWasAssignedAheadDoesNotWaitBehindASlowOne(t *testing.T) {
	s := harness.Start(t, e2etest.KeepSlowClients)
	for range 2 {
		go oneByOne(attach(t, s, worker.WithLanes(1)), t)
	}
	for range 3 {
		e2etest.Quickly(t, s, "/quick", 16, 50)
		slow := e2etest.StartHold(t, s)
		e2etest.Quickly(t, s, "/quick", 16, 10) // all of them, while the slow one holds its worker
		slow.Finish()
		slow.WantEnd()
	}
}

// oneByOne answers requests one after the other: at once, or with /hold when the
// upload has ended.
func oneByOne(l *worker.Link, t *testing.T) {
	for ctx := t.Context(); ; {
		r, err := l.Next(ctx)
		if err != nil {
			return
		}
		_ = r.Respond(ctx, http.StatusOK, nil)
		_ = r.Flush()
		for n := uint64(2); ; n++ {
			if slot, err := r.Tail(ctx, n); err != nil || slot.Kind == worker.End {
				break
			}
		}
		_, _ = r.Write([]byte("held 0, <nil>"))
		_ = r.End(ctx)
		r.Abort()
	}
}
