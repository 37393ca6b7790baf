package supervise

import (
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// slot is a place for a process that serves: web/0. Its goroutine starts a process, and
// another whenever that ends.
type slot struct {
	app     *app
	number  int
	name    string // of the worker: APP/NUMBER
	orders  chan order
	removed chan struct{} // closed when the slot is to have no process any more
	why     Reason        // it was removed; once that is closed

	// Guarded by the lock of the supervisor.
	current *process // that serves, or is to; nil: none
	next    *process // that replaces it; nil: none
	deaths  int      // in a row, of processes that had not attached
	gaveUp  bool     // they were too many
	nextTry time.Time

	// Of the goroutine.
	spec   App // of the next process
	pauses pauses
}

// order asks a slot for a new process, which replaces the old one once it has attached.
type order struct {
	spec   App
	reason Reason     // for the end of the old one
	done   chan error // gets one error, nil when the new one serves
}

// Errors of a replacement.
var (
	errRemoved  = errors.New("the worker is gone")
	errStarting = errors.New("it did not attach in time")
)

func newSlot(a *app, number int) *slot {
	return &slot{app: a, number: number, name: fmt.Sprintf("%s/%d", a.spec.Name, number), spec: a.spec,
		orders: make(chan order), removed: make(chan struct{}), pauses: newPauses()}
}

// run keeps a process in the slot until the slot is removed.
func (s *slot) run() {
	p := s.begin(s.launch(s.spec))
	for p != nil {
		select {
		case <-p.ended:
			p = s.again(p)
		case <-p.leaving: // stuck, or too late: the next one does not wait for its end
			p = s.succeed(p)
		case <-p.late:
			p.retireLate()
		case o := <-s.orders:
			p = s.replace(p, o)
		case <-s.removed:
			p.retire(s.why)
			p = nil
		}
	}
}

// begin notes which process serves, or is to serve.
func (s *slot) begin(p *process) *process {
	m := &s.app.supervisor.mu
	m.Lock()
	defer m.Unlock()
	s.current, s.nextTry = p, time.Time{}
	return p
}

// succeed starts the process after one that is to end, at once if there is room for both.
func (s *slot) succeed(p *process) *process {
	if p.asked == ReasonStart || !s.app.supervisor.hasRoomBeside(p) {
		select {
		case <-p.ended:
		case <-s.removed:
			return nil
		}
		if p.asked == ReasonStart {
			return s.again(p)
		}
	}
	return s.begin(s.launch(s.spec))
}

// again starts the process after one that has ended, after a pause. It returns nil when the
// slot is removed.
func (s *slot) again(p *process) *process {
	pause := s.app.supervisor.noteDeath(s, p)
	s.begin(nil)
	select {
	case <-time.After(pause):
		return s.begin(s.launch(s.spec))
	case o := <-s.orders:
		return s.replace(nil, o)
	case <-s.removed:
		return nil
	}
}

// replace starts a new process, waits until it has attached, and has the old one end. If the
// new one does not come up, the old one stays. It returns the process that then serves.
func (s *slot) replace(old *process, o order) *process {
	if old == nil {
		return s.startNow(o)
	}
	if !s.app.supervisor.hasRoomBeside(old) {
		return s.exchange(old, o)
	}
	p := s.launch(o.spec)
	s.setNext(p)
	defer s.setNext(nil)
	select {
	case <-p.ready:
		return s.handOver(old, p, o)
	case <-p.ended:
		s.app.supervisor.logEnd(p)
		o.done <- fmt.Errorf("the new process ended before it attached: %s", p.exit.How)
		return old
	case <-p.late:
		if !p.retireLate() {
			return s.handOver(old, p, o)
		}
		o.done <- errStarting
		return old
	case <-old.ended: // the new one is the only one now
		s.spec = o.spec
		s.app.supervisor.noteDeath(s, old)
		o.done <- nil
		return s.begin(p)
	case <-old.leaving:
		s.spec = o.spec
		o.done <- nil
		return s.begin(p)
	case <-s.removed:
		o.done <- errRemoved
		p.retire(s.why)
		old.retire(s.why)
		return nil
	}
}

// handOver has the new process, which has attached, serve in place of the old one.
func (s *slot) handOver(old, p *process, o order) *process {
	s.spec = o.spec
	s.begin(p)
	old.retire(o.reason)
	o.done <- nil
	return p
}

// exchange is replace without room for both: the old process ends first.
func (s *slot) exchange(old *process, o order) *process {
	old.retire(o.reason)
	select {
	case <-old.ended:
	case <-s.removed:
		o.done <- errRemoved
		return nil
	}
	return s.startNow(o)
}

// startNow is replace without an old process.
func (s *slot) startNow(o order) *process {
	s.spec = o.spec
	p := s.begin(s.launch(s.spec))
	select {
	case <-p.ready:
		o.done <- nil
	case <-p.ended:
		o.done <- fmt.Errorf("the new process ended before it attached: %s", p.exit.How)
	case <-p.late:
		if p.retireLate() {
			o.done <- errStarting
		} else {
			o.done <- nil
		}
	case <-s.removed:
		o.done <- errRemoved
	}
	return p
}

func (s *slot) setNext(p *process) {
	m := &s.app.supervisor.mu
	m.Lock()
	defer m.Unlock()
	s.next = p
}

// remove has the slot end its process, and start no more. The caller holds the lock of the
// supervisor, and calls it once.
func (s *slot) remove(why Reason) {
	s.why = why
	close(s.removed)
}

// The pauses before a process is started again: short at first, so that a crash
// costs little, and longer the more often it ends soon after its start. All but the first
// are spread at random, so that many processes do not start at once.
const (
	firstPause  = 100 * time.Millisecond
	maxPause    = 5 * time.Second
	servedPause = time.Second / 2  // after a process that had attached: its pool is to serve again soon
	failedPause = 30 * time.Second // once the process has failed
	longRun     = 10 * time.Second // after a run of this length the pauses begin again
	pauseSpread = 0.2
)

// pauses are those of a slot. Processes that attach, and end soon, are one series, those that do
// not attach are another: what had brought the ones to their end does not make it longer until an
// app that does not come up is tried again.
type pauses struct{ served, unserved series }

// series is pauses that double.
type series struct {
	exponential *backoff.ExponentialBackOff
	runs        int // that were short, in a row
}

func newPauses() pauses { return pauses{newSeries(servedPause), newSeries(maxPause)} }

func newSeries(longest time.Duration) series {
	b := &backoff.ExponentialBackOff{InitialInterval: firstPause, Multiplier: 2, RandomizationFactor: pauseSpread,
		MaxInterval: longest}
	b.Reset()
	return series{exponential: b}
}

// next returns the pause after a run. served: the process had attached. failed: it has failed
// for good, as far as can be known.
func (p *pauses) next(ran time.Duration, served, failed bool) time.Duration {
	if ran >= longRun {
		p.served.reset()
	}
	if ran >= longRun || served {
		p.unserved.reset()
	}
	if served {
		return min(p.served.next(), servedPause)
	}
	p.unserved.exponential.MaxInterval = maxPause
	if failed {
		p.unserved.exponential.MaxInterval = failedPause
	}
	return p.unserved.next()
}

func (s *series) reset() {
	s.exponential.Reset()
	s.runs = 0
}

func (s *series) next() time.Duration {
	pause := s.exponential.NextBackOff()
	if s.runs++; s.runs == 1 {
		return firstPause
	}
	return pause.Round(time.Millisecond)
}
