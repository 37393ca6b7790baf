package supervise

import (
	"maps"
	"slices"
	"time"
)

// State is that of a worker.
type State string

// The states of workers.
const (
	StateStarting   State = "starting"    // the process has not attached yet
	StateRunning    State = "running"     // it has
	StateStopping   State = "stopping"    // it is on its way out
	StateBackingOff State = "backing off" // there is none, until the pause is over
	StateFailed     State = "failed"      // the same, and none is likely to come up
)

// Worker is what a worker, or a process of it that is on its way out, does.
type Worker struct {
	App       string        `json:"app"`
	Pool      string        `json:"pool"`
	Name      string        `json:"name"` // APP/SLOT
	PID       int           `json:"pid"`  // 0: there is no process
	State     State         `json:"state"`
	Reason    Reason        `json:"reason,omitempty"` // why it stops
	Started   time.Time     `json:"started,omitzero"`
	StartTook time.Duration `json:"start_took,omitzero"` // until it attached
	NextTry   time.Time     `json:"next_try,omitzero"`
	Resident  uint64        `json:"resident"` // bytes, with descendants and without shared memory
	CPU       time.Duration `json:"cpu"`      // processor time, with descendants
}

// AppStatus is what an app does.
type AppStatus struct {
	Name      string           `json:"name"`
	Pool      string           `json:"pool"`
	Processes int              `json:"processes"`        // that it is to have
	Ready     int              `json:"ready"`            // that have attached
	Failed    string           `json:"failed,omitempty"` // how the last process ended; empty: the app has not failed
	Restarts  int64            `json:"restarts"`         // after processes that ended by themselves
	Exits     map[Reason]int64 `json:"exits"`            // since the start of the server
}

// Apps returns what the apps do, in their order.
func (s *Supervisor) Apps() (list []AppStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		status := AppStatus{Name: a.spec.Name, Pool: a.spec.PoolName(), Processes: len(a.slots), Failed: a.failed,
			Restarts: a.restarts, Exits: maps.Clone(a.exits)}
		for _, slot := range a.slots {
			if slot.current != nil && slot.current.isReady() {
				status.Ready++
			}
		}
		list = append(list, status)
	}
	return list
}

// Workers returns what the workers do: of each app those that have a place, by number, and
// after them the processes that are on their way in or out, by age. Reading what they take costs a few
// system calls for each.
func (s *Supervisor) Workers() []Worker {
	list := s.workers()
	for i := range list {
		if list[i].PID != 0 {
			u := usageOf(list[i].PID)
			list[i].Resident, list[i].CPU = u.resident, u.cpu
		}
	}
	return list
}

func (s *Supervisor) workers() (list []Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shown := map[*process]bool{}
	for _, a := range s.apps {
		for _, slot := range a.slots {
			list = append(list, slot.status())
			shown[slot.current] = true
		}
		var others []Worker
		for p := range s.live {
			if p.slot.app == a && !shown[p] {
				others = append(others, p.status())
			}
		}
		slices.SortFunc(others, func(a, b Worker) int { return a.Started.Compare(b.Started) })
		list = append(list, others...)
	}
	return list
}

// status returns what a worker does. The caller holds the lock of the supervisor.
func (s *slot) status() Worker {
	if s.current != nil {
		return s.current.status()
	}
	w := Worker{App: s.app.spec.Name, Pool: s.app.spec.PoolName(), Name: s.name, State: StateBackingOff,
		NextTry: s.nextTry}
	if s.gaveUp {
		w.State = StateFailed
	}
	return w
}

func (p *process) status() Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := Worker{App: p.spec.Name, Pool: p.spec.PoolName(), Name: p.slot.name, PID: p.pid, State: StateStarting,
		Reason: p.asked, Started: p.started}
	if !p.attached.IsZero() {
		w.State, w.StartTook = StateRunning, p.attached.Sub(p.started)
	}
	if p.asked != "" {
		w.State = StateStopping
	}
	return w
}
