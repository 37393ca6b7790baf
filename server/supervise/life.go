package supervise

import (
	"fmt"
	"os"
	"time"
)

// This file follows a process through its life: what is counted, logged, and told to others.

// environ returns the environment of a process.
func (s *Supervisor) environ(spec *App) []string {
	list := s.config.Environment
	if list == nil {
		list = os.Environ()
	}
	list = append(list[:len(list):len(list)], spec.User.env()...)
	list = append(list, spec.Environment...)
	return append(list, PoolVariable+"="+spec.PoolName())
}

// noteLaunch counts a process that is about to start.
func (s *Supervisor) noteLaunch(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[p] = struct{}{}
	p.output.expect(p.slot.app.transcript)
}

// noteStart makes a process that has started known.
func (s *Supervisor) noteStart(p *process) {
	s.mu.Lock()
	s.byPID[p.leader] = p
	s.mu.Unlock()
	s.log.Debug("worker process started", "pool", p.spec.PoolName(), "pid", p.leader, "worker", p.slot.name)
	s.tell(EventStarted, p, "")
}

// Attached notes that a process of a worker, the leader or a descendant, has attached: the
// worker is ready. The process prints its stacks on a signal; 0: on none.
func (s *Supervisor) Attached(leader, pid, stacks int) {
	if p := s.runningByPID()[leader]; p != nil && p.attach(pid, stacks) {
		s.noteReady(p)
	}
}

// mostPeers is how many processes of a worker are remembered that have attached.
const mostPeers = 256

// attach notes that a process of the worker has attached. It reports whether that is the
// first.
func (p *process) attach(pid, stacks int) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.peers) >= mostPeers {
		clear(p.peers)
	}
	p.peers[pid] = stacks
	p.links++
	if p.attached.IsZero() && p.pid != 0 && p.asked == "" { // else it is too late
		p.attached = time.Now()
		close(p.ready)
		return true
	}
	return false
}

// noteReady notes that a process serves.
func (s *Supervisor) noteReady(p *process) {
	s.mu.Lock()
	a, took := p.slot.app, p.attached.Sub(p.started)
	p.slot.deaths, p.slot.gaveUp = 0, false
	recovered := s.recover(p.spec.PoolName())
	a.transcript = transcript{}
	s.mu.Unlock()
	p.output.flush()
	s.log.Debug("worker process ready", "pool", p.spec.PoolName(), "pid", p.leader, "worker", p.slot.name, "took", took)
	s.tell(EventReady, p, fmt.Sprintf("after %v", took.Round(time.Millisecond)))
	if !recovered {
		return
	}
	s.log.Info("a worker of the pool has come up", "pool", p.spec.PoolName(), "worker", p.slot.name)
	s.tell(EventRecovered, p, "")
	if s.config.Recovered != nil {
		s.config.Recovered(p.spec.PoolName())
	}
}

// recover notes that the apps of a pool have not failed, and reports whether one had. The
// caller holds the lock.
func (s *Supervisor) recover(pool string) (had bool) {
	for _, a := range s.apps {
		if a.spec.PoolName() == pool {
			had = had || a.failed != ""
			a.failed = ""
		}
	}
	return had
}

// noteExit counts a process that has ended, and logs the end if the supervisor asked for it.
func (s *Supervisor) noteExit(p *process) {
	lines, same := p.output.finish()
	s.mu.Lock()
	a := p.slot.app
	delete(s.live, p)
	a.exits[p.exit.Reason]++
	if p.leader != 0 {
		s.remember(p)
	}
	switch {
	case !p.exit.Ready.IsZero() || p.exit.asked:
	case same:
		a.transcript.repeats++
	default:
		a.transcript = transcript{lines: lines}
	}
	s.mu.Unlock()
	s.tell(EventEnded, p, fmt.Sprintf("%s: %s", p.exit.Reason, p.exit.How))
	if p.exit.asked && p.leader != 0 {
		s.logEnd(p)
	}
}

// MessageEnded is what the log says when a process of a worker has ended.
const MessageEnded = "worker process ended"

// logEnd logs the end of a process, once.
func (s *Supervisor) logEnd(p *process, more ...any) {
	if p.logged.Swap(true) {
		return
	}
	attrs := append([]any{"pool", p.spec.PoolName(), "pid", p.leader, "how", p.exit.How}, more...)
	attrs = append(attrs, "worker", p.slot.name, "reason", p.exit.Reason)
	switch p.exit.Reason {
	case ReasonExit, ReasonSignal, ReasonOOM, ReasonStart, ReasonStuck:
		s.log.Warn(MessageEnded, attrs...)
	default:
		s.log.Info(MessageEnded, attrs...)
	}
}

// noteDeath notes that the process of a slot has ended, or could not be started, and returns
// when to start the next.
func (s *Supervisor) noteDeath(slot *slot, p *process) (pause time.Duration) {
	s.mu.Lock()
	slot.deaths++
	if !p.exit.Ready.IsZero() {
		slot.deaths = 0
	}
	limit := p.spec.Start.GiveUpAfter
	slot.gaveUp = p.exit.Ready.IsZero() && (p.exit.noRun || limit > 0 && slot.deaths >= limit)
	ran := time.Duration(0)
	if !p.exit.Started.IsZero() {
		ran = p.exit.Ended.Sub(p.exit.Started)
	}
	pause = slot.pauses.next(ran, !p.exit.Ready.IsZero(), slot.gaveUp)
	slot.nextTry = time.Now().Add(pause)
	slot.app.restarts++
	failed, deaths := s.fail(slot.app, p.exit.How), slot.deaths
	repeats := slot.app.transcript.repeats
	s.mu.Unlock()
	attrs := []any{"restart_in", pause}
	if repeats > 0 && p.exit.Ready.IsZero() {
		attrs = append(attrs, "output", fmt.Sprintf("as before, %d times", repeats))
	}
	s.logEnd(p, attrs...)
	if failed {
		s.noteFailed(p, deaths)
	}
	return pause
}

// fail notes that the apps of a pool have failed if all their slots have given up. It reports
// whether that is news. The caller holds the lock.
func (s *Supervisor) fail(a *app, how string) (news bool) {
	pool := a.spec.PoolName()
	for _, other := range s.apps {
		for _, slot := range other.slots {
			if other.spec.PoolName() == pool && !slot.gaveUp {
				return false
			}
		}
	}
	news = a.failed == ""
	for _, other := range s.apps {
		if other.spec.PoolName() == pool {
			other.failed = how
		}
	}
	return news
}

func (s *Supervisor) noteFailed(p *process, deaths int) {
	pool := p.spec.PoolName()
	s.log.Error("no worker of the pool comes up, its requests fail", "pool", pool, "how", p.exit.How,
		"worker", p.slot.name, "deaths", deaths)
	s.tell(EventFailed, p, p.exit.How)
	if s.config.Failed != nil {
		s.config.Failed(pool, p.exit.How)
	}
}

// drain takes new requests from a process. The channel is closed when the last request has
// ended; nil: that is not known.
func (s *Supervisor) drain(p *process) <-chan struct{} {
	if s.config.Drain == nil || !p.runs() {
		return nil
	}
	return s.config.Drain(p.leader)
}

// tell passes an event on.
func (s *Supervisor) tell(kind EventKind, p *process, detail string) {
	if s.config.OnEvent == nil {
		return
	}
	s.config.OnEvent(Event{Time: time.Now(), Kind: kind, App: p.spec.Name, Worker: p.slot.name, PID: p.leader,
		Detail: detail})
}
