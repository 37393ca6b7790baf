package dispatch

import (
	"errors"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// assigning assigns s in a goroutine: what becomes of it comes through the channel.
func (d *testDispatcher) assigning(s *Stream) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Assign(d.t.Context(), d.pool) }()
	return done
}

func (d *testDispatcher) waiting(n int) {
	d.t.Helper()
	d.eventually("requests to wait", func() bool { return d.Holdings().Waiting == n })
}

func TestTheRequestsOfAFailedPoolFailAtOnceUntilAWorkerAttaches(t *testing.T) {
	d := newTestDispatcher(t) // with a supervised pool
	first, _ := d.attach()
	d.MarkFailed("default", "exit status 1")
	x := d.stream(true)
	if err := receive(t, "the lane", d.assigning(x)); err != nil {
		t.Fatalf("a link is attached: %v", err)
	}
	first.close(peerLeft, nil)
	x.Finish(fault.ErrClientGone)

	d.MarkRecovered("default")
	x = d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	d.MarkFailed("default", "exit status 2")
	err := receive(t, "the failure", waiting)
	if !errors.Is(err, fault.ErrNoWorker) || !strings.Contains(err.Error(), "status 2") {
		t.Errorf("a request that waited ends with %v", err)
	}
	if err := receive(t, "the failure", d.assigning(x)); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("the next request ends with %v", err)
	}
	d.attach()
	if err := receive(t, "the lane", d.assigning(x)); err != nil {
		t.Errorf("with a worker the request ends with %v", err)
	}
	x.Finish(fault.ErrClientGone)
	if p := d.Survey().Pools[0]; p.Hopeless || p.Failed != "" {
		t.Errorf("the pool is %+v", p)
	}
}

func TestWhatWaitsForAFailedPoolFailsWhenItsLastLinkGoes(t *testing.T) {
	d := newTestDispatcher(t)
	l, _ := d.attach()
	d.pool.mu.Lock()
	l.inflight = 100 // it has no room
	d.pool.mu.Unlock()
	x := d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	d.MarkFailed("default", "no memory")
	if p := d.Survey().Pools[0]; !p.Hopeless || p.Failed != "no memory" || p.Queue != 1 {
		t.Errorf("the pool is %+v", p)
	}
	l.close(peerLeft, nil)
	if err := receive(t, "the failure", waiting); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("it ends with %v", err)
	}
	x.Finish(fault.ErrNoWorker)
}
