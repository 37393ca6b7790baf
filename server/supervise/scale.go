package supervise

import (
	"fmt"
	"time"
)

// Scale sets the number of processes of an app. Those that are too many end: the ones with
// the highest numbers. If the number follows the load it has to be within its bounds.
func (s *Supervisor) Scale(name string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.app(name)
	switch {
	case s.stopped():
		return ErrStopped
	case a == nil:
		return fmt.Errorf("%w: %s", ErrUnknown, name)
	case n < 1:
		return fmt.Errorf("%d processes: want at least 1", n)
	case a.spec.Scale.Max > 0 && (n < a.spec.Scale.Min || n > a.spec.Scale.Max):
		return fmt.Errorf("%d processes: want %d to %d", n, a.spec.Scale.Min, a.spec.Scale.Max)
	case s.config.Free != nil && n-len(a.slots) > s.config.Free():
		return fmt.Errorf("%d processes: there is memory for %d", n, len(a.slots)+s.config.Free())
	}
	s.resize(a, n, "by hand")
	return nil
}

// resize gives an app another number of processes. The caller holds the lock.
func (s *Supervisor) resize(a *app, n int, why string) {
	if n == len(a.slots) {
		return
	}
	s.log.Info("app scaled", "app", a.spec.Name, "from", len(a.slots), "to", n, "why", why)
	if s.config.OnEvent != nil {
		s.config.OnEvent(Event{Time: time.Now(), Kind: EventScaled, App: a.spec.Name,
			Detail: fmt.Sprintf("%d to %d: %s", len(a.slots), n, why)})
	}
	a.spec.Processes = n
	a.resize(n, ReasonScale)
}

// follow adds a process to an app, or removes one, as the load says. It adds none while one
// is starting.
func (s *Supervisor) follow(a *app) {
	if s.config.Load == nil {
		return
	}
	s.mu.Lock()
	pool, follows := a.spec.PoolName(), a.spec.Scale.Max > 0
	s.mu.Unlock()
	if !follows {
		return
	}
	load := s.config.Load(pool)
	s.mu.Lock()
	defer s.mu.Unlock()
	n, scale := len(a.slots), &a.spec.Scale
	switch {
	case s.stopped() || isClosed(a.removed):
	case load.Waiting > 0 && load.Oldest >= scale.QueueWait:
		a.enough = time.Time{}
		if n < scale.Max && a.allReady() && s.hasRoomLocked(a.slots[0].current) {
			s.resize(a, n+1, fmt.Sprintf("%d requests wait, the first for %v", load.Waiting,
				load.Oldest.Round(time.Millisecond)))
		}
	case n <= scale.Min || load.Waiting > 0 || load.Busy >= load.Lanes/n*(n-1):
		a.enough = time.Time{}
	case a.enough.IsZero():
		a.enough = time.Now()
	case time.Since(a.enough) >= scale.Idle:
		s.resize(a, n-1, fmt.Sprintf("%d of %d lanes are busy", load.Busy, load.Lanes))
	}
}

// allReady reports whether the process of every slot has attached. The caller holds the
// lock.
func (a *app) allReady() bool {
	for _, slot := range a.slots {
		if slot.current == nil || !slot.current.isReady() {
			return false
		}
	}
	return true
}
