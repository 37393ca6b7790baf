package dispatch

import (
	"os"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// isClosed reports whether a channel is closed.
func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestADrainedProcessGetsNoMoreRequestsAndItsLastIsNoticed(t *testing.T) {
	d := newTestDispatcher(t)
	old, w := d.attach()
	x := d.stream(false)
	d.assign(old, x)
	a, _ := d.take(w, x.id.Load())
	w.Lane(a.Lane).Accept(a.StreamID)

	if !isClosed(d.DrainWorker(os.Getpid() + 1)) {
		t.Error("a process without a link has requests")
	}
	idle := d.DrainWorker(os.Getpid())
	again := d.DrainWorker(os.Getpid())
	d.pool.mu.Lock()
	room, lanes := d.pool.hasRoom(), d.pool.lanes()
	d.pool.mu.Unlock()
	if room || lanes != 0 || isClosed(idle) || isClosed(again) {
		t.Errorf("room %v, %d lanes, idle %v", room, lanes, isClosed(idle))
	}
	next, _ := d.attach() // the replacement, in the same process
	y := d.stream(false)
	if err := y.Assign(t.Context(), d.pool); err != nil || y.served != next {
		t.Errorf("the next request is given to %v: %v", y.served, err)
	}
	old.finish(x, shm.ReasonFinished, false)
	if isClosed(idle) {
		t.Error("the worker has not let go, and is idle")
	}
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
	receive(t, "the end of the last request", idle)
	receive(t, "the same for who asked again", again)
	y.Finish(fault.ErrClientGone)
}

func TestWhatADrainedWorkerHasNotTakenGoesToOthers(t *testing.T) {
	d := newTestDispatcher(t)
	old, _ := d.attach()
	x := d.stream(false)
	d.assign(old, x)
	over := d.await(x)
	idle := d.DrainWorker(os.Getpid())
	d.attach()
	_ = receive(t, "the taking back", over)
	receive(t, "the end of the last request", idle)
}

func TestAnEvictedProcessLosesItsLinks(t *testing.T) {
	d := newTestDispatcher(t)
	one, _ := d.attach()
	other, _ := d.attach()
	if n := d.EvictWorker(os.Getpid(), "test"); n != 2 || !one.gone.Load() || !other.gone.Load() {
		t.Errorf("%d links evicted", n)
	}
	d.eventually("the links to be forgotten", func() bool { return d.EvictWorker(os.Getpid(), "test") == 0 })
}
