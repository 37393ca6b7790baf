package supervise

import "time"

// How often the supervisor looks at the load, and at what processes take.
const (
	loadInterval = 250 * time.Millisecond
	usageEvery   = 4 // times that
)

// poll looks at the load and at the processes until Stop.
func (s *Supervisor) poll() {
	tick := time.NewTicker(loadInterval)
	defer tick.Stop()
	for n := 1; ; n++ {
		select {
		case <-tick.C:
		case <-s.stopping:
			return
		}
		for _, a := range s.all() {
			s.follow(a)
			if n%usageEvery == 0 {
				s.recycle(a)
			}
		}
	}
}

// all returns the apps.
func (s *Supervisor) all() []*app {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*app(nil), s.apps...)
}

// recycle has the first process of an app replaced that has grown too old, in one way or
// another, unless processes of the app are being replaced already.
func (s *Supervisor) recycle(a *app) {
	var served map[int]uint64
	s.mu.Lock()
	limits := a.spec.Recycle
	s.mu.Unlock()
	if limits.Requests > 0 && s.config.Served != nil {
		served = s.config.Served()
	}
	for _, p := range s.serving(a) {
		why := p.worn(served[p.leader])
		if why == "" {
			continue
		}
		select {
		case a.turn <- struct{}{}:
		default:
			return
		}
		s.running.Go(func() {
			defer func() { <-a.turn }()
			s.replaceOne(p, why)
		})
		return
	}
}

func (s *Supervisor) replaceOne(p *process, why Reason) {
	s.mu.Lock()
	spec, current := p.slot.app.spec, p.slot.current == p
	s.mu.Unlock()
	if !current {
		return
	}
	if err := p.slot.order(spec, why); err != nil {
		s.log.Error("a worker was not replaced", "worker", p.slot.name, "reason", why, "error", err)
	}
}

// serving returns the processes of an app that have attached.
func (s *Supervisor) serving(a *app) (list []*process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, slot := range a.slots {
		if p := slot.current; p != nil && p.isReady() {
			list = append(list, p)
		}
	}
	return list
}

// worn returns why a process that has served so many requests is to be replaced; empty: it is
// not.
func (p *process) worn(served uint64) Reason {
	limits := &p.spec.Recycle
	p.mu.Lock()
	age := time.Since(p.started)
	p.mu.Unlock()
	switch {
	case p.mostLife > 0 && age >= p.mostLife:
		return ReasonLifetime
	case p.mostRequests > 0 && served >= p.mostRequests:
		return ReasonRequests
	case limits.Memory > 0 && usageOf(p.leader).resident > limits.Memory:
		return ReasonMemory
	}
	return ""
}
