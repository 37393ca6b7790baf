package supervise

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Stuck replaces the process of a worker whose requests make no progress. The process that
// attached is the one that is stuck: the leader, or a descendant. If other descendants have
// attached, too, only that one is ended, since the leader then replaces it; else the leader.
// The signal has the process print its stacks; 0: none does. It returns the name of the
// worker, empty if there is none.
func (s *Supervisor) Stuck(leader, pid, signal int) (worker string) {
	p := s.runningByPID()[leader]
	if p == nil {
		return ""
	}
	p.mu.Lock()
	p.peers[pid] = signal
	p.mu.Unlock()
	s.tell(EventStuck, p, "")
	if pid != leader && s.attachedOthers(p, pid) {
		go s.endDescendant(p, pid)
	} else {
		p.retire(ReasonStuck)
	}
	return p.slot.name
}

// attachedOthers reports whether other processes of a worker than one have attached, and
// run.
func (s *Supervisor) attachedOthers(p *process, pid int) bool {
	for _, peer := range p.attachedPeers() {
		if _, leader := s.StartedFor(peer.pid); peer.pid != pid && leader == p.leader && !hasExited(peer.pid) {
			return true
		}
	}
	return false
}

// hasExited reports whether a process has ended, even if its parent has not taken note.
func hasExited(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return true
	}
	defer unix.Close(fd)
	return endsWithin(fd, 0)
}

// endsWithin waits for the end of the process of a pidfd.
func endsWithin(fd int, timeout time.Duration) bool {
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for end := time.Now().Add(timeout); ; {
		left := min(max(time.Until(end), 0), time.Second)
		n, err := unix.Poll(poll, int(left.Milliseconds()))
		if n > 0 && err == nil {
			return true
		}
		if left <= time.Millisecond {
			return false
		}
	}
}

// peer is a process that attached.
type peer struct{ pid, signal int }

func (p *process) attachedPeers() (peers []peer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pid, signal := range p.peers {
		peers = append(peers, peer{pid, signal})
	}
	return peers
}

// printStacks has the processes of a worker that attached print their stacks, if they have
// said how, and waits for that, but not for long.
func (p *process) printStacks() {
	begin := time.Now()
	for _, peer := range p.attachedPeers() {
		if time.Since(begin) < stacksLimit {
			p.printStacksOf(peer)
		}
	}
}

// The longest wait for the stacks of a process, for more of them, and for those of all processes
// of a worker before the last one is asked.
const (
	stacksWait  = time.Second
	stacksPause = 100 * time.Millisecond
	stacksLimit = 3 * time.Second
)

func (p *process) printStacksOf(peer peer) {
	if peer.signal == 0 {
		return
	}
	before := p.output.printed.Load()
	if !p.supervisor.signalDescendant(p, peer.pid, syscall.Signal(peer.signal)) {
		return
	}
	last, since := before, time.Now()
	for begin := since; time.Since(begin) < stacksWait; time.Sleep(10 * time.Millisecond) {
		now := p.output.printed.Load()
		if now != last {
			last, since = now, time.Now()
		}
		if now != before && time.Since(since) > stacksPause || isClosed(p.ended) {
			return
		}
	}
}

// signalDescendant sends a signal to the leader or a descendant of it, and reports whether
// that was possible. It cannot hit another process that has the number now.
func (s *Supervisor) signalDescendant(p *process, pid int, signal syscall.Signal) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if _, leader := s.StartedFor(pid); leader != p.leader {
		return false
	}
	return unix.PidfdSendSignal(fd, signal, nil, 0) == nil
}

// endDescendant ends a process that attached, but not the leader of its worker, which
// replaces it.
func (s *Supervisor) endDescendant(p *process, pid int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	if _, leader := s.StartedFor(pid); leader != p.leader {
		return
	}
	if s.config.Drain != nil {
		s.config.Drain(pid)
	}
	s.mu.Lock()
	p.slot.app.exits[ReasonStuck]++
	s.mu.Unlock()
	if p.spec.Stuck.Stacks {
		p.mu.Lock()
		signal := p.peers[pid]
		p.mu.Unlock()
		p.printStacksOf(peer{pid, signal})
	}
	_ = unix.PidfdSendSignal(fd, unix.SIGTERM, nil, 0)
	killed := !endsWithin(fd, p.spec.Stop.Timeout)
	if killed {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
	s.log.Warn(MessageEnded, "pool", p.spec.PoolName(), "pid", pid, "killed", killed,
		"worker", p.slot.name, "reason", ReasonStuck)
}

// Stacks has the processes of a worker (APP/SLOT) that attached print their stacks, into the
// output of the worker. It returns how many have been asked to: those that cannot are not.
func (s *Supervisor) Stacks(worker string) (asked int, err error) {
	_, slots, err := s.find(worker)
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		s.mu.Lock()
		p := slot.current
		s.mu.Unlock()
		if p == nil {
			continue
		}
		for _, peer := range p.attachedPeers() {
			if peer.signal != 0 && s.signalDescendant(p, peer.pid, syscall.Signal(peer.signal)) {
				asked++
			}
		}
	}
	return asked, nil
}
