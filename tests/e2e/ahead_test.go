package e2e_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

// Requests are assigned ahead of need to a worker that is fast enough, which it
// is without the race detector. They must not make it serve more at once than it
// asked for.
func TestAWorkerServesNoMoreAtOnceThanItHasLanes(t *testing.T) {
	s, _ := startBoth(t, nil, lanesVariable+"=2")
	quickly(t, s, "/at-once", 16, 100)
	most, err := strconv.Atoi(wantStatus(t, get(t, s, "/at-once"), http.StatusOK))
	if err != nil || most > 2 {
		t.Errorf("a worker with 2 lanes served %d requests at once (%v)", most, err)
	}
}

// A worker that takes one request after the other may be given some ahead, which
// go elsewhere when the one before them takes long.
func TestARequestThatWasAssignedAheadDoesNotWaitBehindASlowOne(t *testing.T) {
	s := harness.Start(t, nil)
	for range 2 {
		go oneByOne(attach(t, s, worker.WithLanes(1)), t)
	}
	for range 3 {
		quickly(t, s, "/quick", 16, 50)
		slow := startHold(t, s)
		quickly(t, s, "/quick", 16, 10) // all of them, while the slow one holds its worker
		slow.finish()
		slow.wantEnd()
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
