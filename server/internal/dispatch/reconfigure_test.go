package dispatch

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// reconfigure changes the configuration of d.
func (d *testDispatcher) reconfigure(change func(*Config)) {
	c := *d.config.Load()
	change(&c)
	d.Reconfigure(c)
}

func TestWhatIsSaidOfTimesAndQueuesHoldsFromTheChangeOn(t *testing.T) {
	d := newTestDispatcher(t)
	x, y := d.stream(true), d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	d.reconfigure(func(c *Config) { c.Supervised, c.QueueLength = []string{"default"}, 1 })
	if err := receive(t, "the answer", d.assigning(y)); !errors.Is(err, fault.ErrBusy) {
		t.Errorf("beyond the new queue length: %v", err)
	}
	d.reconfigure(func(c *Config) { c.QueueLength, c.QueueTime = 2, time.Millisecond })
	if err := receive(t, "the answer", d.assigning(y)); !errors.Is(err, fault.ErrQueueTimeout) {
		t.Errorf("after the new queue time: %v", err)
	}
	l, w := d.attach()
	if err := receive(t, "the lane", waiting); err != nil {
		t.Errorf("who waited before has %v", err)
	}
	a, _ := d.take(w, x.ID())
	w.Lane(a.Lane).Accept(a.StreamID)
	d.end(x)
	d.reconfigure(func(c *Config) { c.ResponseTimeout = 100 * time.Millisecond })
	if err := receive(t, "the timeout", d.await(x)); !errors.Is(err, fault.ErrWorkerTimeout) {
		t.Errorf("after the new response timeout: %v", err)
	}
	d.eventually("the eviction of a worker that hangs for longer", func() bool { return l.gone.Load() })
	y.Finish(fault.ErrQueueTimeout)
}

func TestAPoolThatIsNotSupervisedAnyMoreLetsNobodyWait(t *testing.T) {
	d := newTestDispatcher(t)
	x := d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	d.reconfigure(func(*Config) {})
	if err := receive(t, "the answer", waiting); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("it ends with %v", err)
	}
	x.Finish(fault.ErrNoWorker)
}

func TestTheBoundsOfLinksCanChange(t *testing.T) {
	d := newTestDispatcher(t)
	d.attach()
	d.reconfigure(func(c *Config) { c.LinksPerPool = 1 })
	if _, _, err := d.responses.acquire(holder{pool: "default"}, 4, 4); err == nil {
		t.Error("a second link of one")
	}
	d.reconfigure(func(c *Config) { c.LinksPerPool = 2 })
	d.attach()
}

func TestThePoolsCanChange(t *testing.T) {
	d := newTestDispatcher(t)
	l, w := d.attach()
	x := d.stream(true)
	d.assign(l, x)
	a, _ := d.take(w, x.ID())
	w.Lane(a.Lane).Accept(a.StreamID)
	old := d.pool

	d.reconfigure(func(c *Config) { c.Pools = []string{"next"} })
	if d.Pool("next") == nil || d.Pool("default") != old {
		t.Fatal("the new pool is not there, or the old one is gone")
	}
	d.RetirePools()
	if d.Pool("default") != nil || d.PoolLoad("default") != (PoolLoad{}) {
		t.Error("the old pool is still there")
	}
	y := d.stream(true)
	if err := y.Assign(context.Background(), old); !errors.Is(err, fault.ErrNoWorker) {
		t.Errorf("a request that comes too late ends with %v", err)
	}
	y.Finish(fault.ErrNoWorker)
	if l.gone.Load() {
		t.Error("the link is closed, and its request goes on")
	}
	x.Finish(nil)
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
	d.eventually("the link to close", func() bool { return l.gone.Load() })

	d.reconfigure(func(c *Config) { c.Pools = []string{"next", "default"} })
	if p := d.Pool("default"); p == old {
		t.Error("a pool that comes back is one that goes")
	}
	d.pool = d.Pool("default")
	d.attach()
	d.RetirePools()
	if set := d.pools.Load(); len(set.leaving) != 0 || len(set.named) != 2 {
		t.Errorf("the pools are %v, and %v go", set.named, set.leaving)
	}
}

func TestWhoWaitsForAPoolThatGoesIsServed(t *testing.T) {
	d := newTestDispatcher(t)
	l, w := d.attach()
	d.pool.mu.Lock()
	l.inflight = l.concurrency // it has no room
	d.pool.mu.Unlock()
	x := d.stream(true)
	waiting := d.assigning(x)
	d.waiting(1)
	d.reconfigure(func(c *Config) { c.Pools = []string{"next"} })
	d.RetirePools()
	d.pool.mu.Lock()
	l.inflight = 0
	d.pool.mu.Unlock()
	if err := receive(t, "the lane", waiting); err != nil {
		t.Fatal(err)
	}
	a, _ := d.take(w, x.ID())
	w.Lane(a.Lane).Accept(a.StreamID)
	if l.gone.Load() {
		t.Error("the link is closed, and its request goes on")
	}
	x.Finish(nil)
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
	d.eventually("the link to close", func() bool { return l.gone.Load() })
}

// A configuration that changes all the time, under requests.
func TestRequestsAreServedWhileTheConfigurationChanges(t *testing.T) {
	d := newTestDispatcher(t)
	_, w := d.attach()
	var changes atomic.Int64
	var stop atomic.Bool
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; !stop.Load(); n++ {
			d.reconfigure(func(c *Config) {
				c.QueueLength, c.Limits.StallTime = 10+n%2, time.Duration(n%2)*time.Second
				c.Supervised = []string{"default"}
				c.Pools = []string{"default", []string{"a", "b"}[n%2]}
			})
			d.RetirePools()
			changes.Add(1)
		}
	}()
	for i := 0; i < 200 || changes.Load() < 20; i++ {
		x := d.stream(true)
		if err := x.Assign(context.Background(), d.pool); err != nil {
			t.Fatal(err)
		}
		var a shm.Assignment
		d.eventually("the request", func() (ok bool) {
			a, _, ok = w.Inbox.Take()
			return ok
		})
		w.Lane(a.Lane).Accept(a.StreamID)
		w.Lane(a.Lane).LetGo(a.StreamID)
		w.Notify(a.Lane)
		x.Finish(nil)
	}
	stop.Store(true)
	<-stopped
}
