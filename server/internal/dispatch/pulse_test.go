package dispatch

import (
	"testing"
	"time"
)

// A lock that is stuck, of a pool or of the streams, is seen as no pulse.
func TestThereIsNoPulseWhileALockIsStuck(t *testing.T) {
	d := newTestDispatcher(t)
	for name, lock := range map[string]interface {
		Lock()
		Unlock()
	}{"dispatcher": &d.mu, "streams": &d.requests.mu, "pool": &d.Pool("default").mu} {
		lock.Lock()
		pulse := make(chan uint64)
		go func() { pulse <- d.Pulse() }()
		select {
		case <-pulse:
			t.Errorf("the lock of the %s is held, and there is a pulse", name)
			lock.Unlock()
			continue
		case <-time.After(30 * time.Millisecond):
		}
		lock.Unlock()
		select {
		case <-pulse:
		case <-time.After(10 * time.Second):
			t.Errorf("the lock of the %s is free again, and there is no pulse", name)
		}
	}
}
