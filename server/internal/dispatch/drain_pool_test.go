package dispatch

import (
	"errors"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// What a worker has when its pool is drained goes on; what waits fails, and what comes.
func TestADrainedPoolGetsNoMoreRequestsUntilItIsResumed(t *testing.T) {
	d := newTestDispatcher(t) // with a supervised pool
	if d.DrainPool("other") || d.ResumePool("other") {
		t.Error("a pool that is not there can be drained")
	}
	waits := d.stream(true)
	waiting := d.assigning(waits)
	d.waiting(1)
	if !d.DrainPool("default") {
		t.Fatal("there is no pool")
	}
	if err := receive(t, "the failure", waiting); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("a request that waited ends with %v", err)
	}
	d.attach()
	if err := receive(t, "the failure", d.assigning(waits)); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("with a worker, the next request ends with %v", err)
	}
	if p := d.Survey().Pools[0]; !p.Drained || p.Links != 1 {
		t.Errorf("the pool is %+v", p)
	}
	d.ResumePool("default")
	if err := receive(t, "the lane", d.assigning(waits)); err != nil {
		t.Errorf("afterwards the request ends with %v", err)
	}
	d.DrainPool("default")
	if err := waits.progress.UploadFailure(); err != nil {
		t.Errorf("a request that runs is ended with %v", err)
	}
	waits.Finish(fault.ErrClientGone)
	if p := d.Survey().Pools[0]; !p.Drained {
		t.Errorf("the pool is %+v", p)
	}
}
