package supervise

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Supervisor keeps the worker processes of apps running until it is told to stop them.
type Supervisor struct {
	config   Config
	log      *slog.Logger
	oom      *oomCounter
	cgroups  cgroups
	stopping chan struct{}
	running  sync.WaitGroup // goroutines of slots and processes

	mu    sync.Mutex // guards what follows, and what apps and slots say that it guards
	apps  []*app
	live  map[*process]struct{} // processes that have not ended
	byPID map[int]*process      // by leader: those, and some that have ended
	ended []*process            // the latter, oldest first
}

// app is an App that runs.
type app struct {
	supervisor *Supervisor
	turn       chan struct{} // full while processes of the app are being replaced
	removed    chan struct{} // closed when the app is gone

	// Guarded by the lock of the supervisor.
	spec       App
	slots      []*slot // by number
	exits      map[Reason]int64
	restarts   int64  // processes that were started in place of others
	failed     string // how the last process ended; empty: the app has not failed
	transcript transcript
	enough     time.Time       // since when one process less would do; zero: it would not
	warned     map[string]bool // limits that are not in force
	unwatch    func()          // ends the watch of files; nil: there is none
}

// New returns a supervisor without apps. Release: [Supervisor.Stop].
func New(c Config) *Supervisor {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Supervisor{config: c, log: c.Log, stopping: make(chan struct{}), live: map[*process]struct{}{},
		byPID: map[int]*process{}, oom: newOOMCounter()}
	s.running.Go(s.poll)
	return s
}

// Errors of orders.
var (
	// ErrStopped is returned once [Supervisor.Stop] was called.
	ErrStopped = errors.New("the server is about to end")
	// ErrUnknown is returned when there is no app or worker of a name.
	ErrUnknown = errors.New("no such app or worker")
)

// Apply makes the apps those that run: new ones start, those that are not in the list end,
// changed ones have their processes replaced, one after the other, and the others stay as they
// are. It does not wait for any of that.
func (s *Supervisor) Apply(apps []App) error {
	for i := range apps {
		if err := apps[i].check(); err != nil {
			return err
		}
		if slices.ContainsFunc(apps[:i], func(a App) bool { return a.Name == apps[i].Name }) {
			return fmt.Errorf("two apps are named %s", apps[i].Name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped() {
		return ErrStopped
	}
	s.removeAllBut(apps)
	for _, spec := range apps {
		if a := s.app(spec.Name); a != nil {
			s.change(a, spec)
		} else {
			s.add(spec)
		}
	}
	return nil
}

// removeAllBut ends the apps that are not in a list. The caller holds the lock.
func (s *Supervisor) removeAllBut(apps []App) {
	s.apps = slices.DeleteFunc(s.apps, func(a *app) bool {
		if slices.ContainsFunc(apps, func(spec App) bool { return spec.Name == a.spec.Name }) {
			return false
		}
		a.end()
		return true
	})
}

// end ends an app. The caller holds the lock of the supervisor, and calls it once.
func (a *app) end() {
	close(a.removed)
	if a.unwatch != nil {
		a.unwatch()
	}
	a.resize(0, ReasonStop)
}

// add starts an app. The caller holds the lock.
func (s *Supervisor) add(spec App) {
	a := &app{supervisor: s, spec: spec, turn: make(chan struct{}, 1), removed: make(chan struct{}),
		exits: map[Reason]int64{}, warned: map[string]bool{}}
	s.apps = append(s.apps, a)
	a.resize(spec.Processes, ReasonScale)
	s.watch(a)
}

// change gives an app other settings. The caller holds the lock.
func (s *Supervisor) change(a *app, spec App) {
	same := a.spec.sameProcess(&spec)
	if same && spec.Processes == a.spec.Processes {
		spec.Processes = max(len(a.slots), spec.Scale.Min) // as it was scaled
	}
	old := a.spec
	a.spec = spec
	if !slices.Equal(old.Watch, spec.Watch) || old.Directory != spec.Directory {
		s.watch(a)
	}
	old.Processes, old.Scale, old.Watch = spec.Processes, spec.Scale, spec.Watch
	slots := slices.Clone(a.slots)
	a.resize(spec.Processes, ReasonScale)
	if same {
		return
	}
	s.running.Go(func() {
		done, err := s.roll(a, slots, spec, ReasonReload)
		if err == nil {
			return
		}
		s.log.Error("workers of the app were not replaced", "app", spec.Name, "replaced", done, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		if done == 0 && a.spec.sameProcess(&spec) { // there was no other change since
			a.spec = old
		}
	})
}

// resize adds slots, or removes those with the highest numbers. The caller holds the lock of
// the supervisor.
func (a *app) resize(n int, why Reason) {
	for len(a.slots) > n {
		last := len(a.slots) - 1
		a.slots[last].remove(why)
		a.slots = a.slots[:last]
	}
	for len(a.slots) < n {
		slot := newSlot(a, len(a.slots))
		a.slots = append(a.slots, slot)
		a.supervisor.running.Go(slot.run)
	}
	a.enough = time.Time{}
}

// Restart replaces the processes of an app, or of one worker (APP/SLOT), one after the other,
// by new ones. It returns when that is done, or an error if a new one does not come up: the
// rest then stays as it is. A worker that waits to be started again is started at once.
func (s *Supervisor) Restart(name string) error { return s.restart(name, ReasonReload) }

func (s *Supervisor) restart(name string, why Reason) error {
	a, slots, err := s.find(name)
	if err != nil {
		return err
	}
	s.mu.Lock()
	spec := a.spec
	s.mu.Unlock()
	_, err = s.roll(a, slots, spec, why)
	return err
}

// roll replaces the processes of slots one after the other, until one is not. It returns how
// many are.
func (s *Supervisor) roll(a *app, slots []*slot, spec App, why Reason) (done int, err error) {
	select {
	case a.turn <- struct{}{}:
		defer func() { <-a.turn }()
	case <-a.removed:
		return 0, errRemoved
	case <-s.stopping:
		return 0, ErrStopped
	}
	for _, slot := range slots {
		if err := slot.order(spec, why); err != nil && !errors.Is(err, errRemoved) {
			return done, fmt.Errorf("worker %s: %w", slot.name, err)
		}
		done++
	}
	return done, nil
}

// order has the slot replace its process, and waits until that is done.
func (s *slot) order(spec App, why Reason) error {
	o := order{spec: spec, reason: why, done: make(chan error, 1)}
	select {
	case s.orders <- o:
		return <-o.done
	case <-s.removed:
		return errRemoved
	}
}

// find returns the slots of an app, or the one of a worker.
func (s *Supervisor) find(name string) (*app, []*slot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped() {
		return nil, nil, ErrStopped
	}
	if a := s.app(name); a != nil {
		return a, slices.Clone(a.slots), nil
	}
	of, number, _ := strings.Cut(name, "/")
	n, err := strconv.Atoi(number)
	if a := s.app(of); a != nil && err == nil && n >= 0 && n < len(a.slots) {
		return a, a.slots[n : n+1 : n+1], nil
	}
	return nil, nil, fmt.Errorf("%w: %s", ErrUnknown, name)
}

// app returns an app, or nil. The caller holds the lock.
func (s *Supervisor) app(name string) *app {
	if i := slices.IndexFunc(s.apps, func(a *app) bool { return a.spec.Name == name }); i >= 0 {
		return s.apps[i]
	}
	return nil
}

// stopTimeout is how long processes may take to end after SIGKILL.
const stopTimeout = time.Second

// Stop asks all processes to end, and kills those that have not ended after the timeout of
// their app. It returns when they have ended. Only the first call counts.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	if s.stopped() {
		s.mu.Unlock()
		return
	}
	close(s.stopping)
	for _, a := range s.apps {
		a.end()
	}
	longest := stopTimeout
	for p := range s.live {
		p.retire(ReasonStop)
		longest = max(longest, p.spec.Stop.Timeout+stopTimeout)
	}
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		s.running.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(longest):
		s.log.Error("worker processes did not end")
	}
}

// stopped reports whether Stop was called.
func (s *Supervisor) stopped() bool { return isClosed(s.stopping) }

// hasRoomBeside reports whether a process like this one can attach, too, once those that are starting have. The
// caller does not hold the lock.
func (s *Supervisor) hasRoomBeside(p *process) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hasRoomLocked(p)
}

// hasRoomLocked is hasRoomBeside for a caller that holds the lock.
func (s *Supervisor) hasRoomLocked(p *process) bool {
	if s.config.Free == nil {
		return true
	}
	free := s.config.Free()
	for q := range s.live {
		if q != p && !isClosed(q.ready) && !isClosed(q.ended) {
			free -= q.needs(p)
		}
	}
	return free >= p.needs(p)
}

// needs returns how many links a process takes: as many as it has, or as another process of its app.
func (p *process) needs(other *process) int {
	if p != other && p.slot.app == other.slot.app {
		p = other
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(1, p.links)
}
