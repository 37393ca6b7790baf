package dispatch

import (
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

func TestTheLoadOfAPoolIsItsLanesItsRequestsAndItsQueue(t *testing.T) {
	d := newTestDispatcher(t)
	if load := d.PoolLoad("nobody"); load != (PoolLoad{}) {
		t.Errorf("a pool that is not there has %+v", load)
	}
	x := d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	began := shm.Now()
	d.eventually("it to have waited", func() bool { return d.PoolLoad("default").Oldest > 20*time.Millisecond })
	if load := d.PoolLoad("default"); load.Lanes != 0 || load.Busy != 0 || load.Waiting != 1 ||
		load.Oldest > time.Duration(shm.Now()-began)+time.Second {
		t.Errorf("without a worker it is %+v", load)
	}
	l, _ := d.attach()
	if err := receive(t, "the lane", waiting); err != nil {
		t.Fatal(err)
	}
	if load := d.PoolLoad("default"); load != (PoolLoad{Lanes: l.concurrency, Busy: 1}) {
		t.Errorf("with one it is %+v", load)
	}
	x.Finish(fault.ErrClientGone)
}
