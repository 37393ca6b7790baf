package dispatch

import (
	"context"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// AttachedWorker is a worker that was started, and has attached with a link.
type AttachedWorker struct {
	Pool, Link string // names
	Worker     string // as Config.WorkerName calls it, else the name of the link
	PID        int    // of the process that attached, as the kernel says
	Leader     int    // of the process that was started: PID itself, or an ancestor
	Stacks     int    // signal that has PID print its stacks; 0: there is none
}

// WorkerEnd is how the process of a worker that was started has ended.
type WorkerEnd struct {
	Known    bool   // it has ended, and how is known
	OfItsOwn bool   // it exited, crashed, or ran out of memory: nobody asked it to end, or killed it
	How      string // for a person, such as "exit status 3"
}

// endTime is how long a request may wait to hear how its worker has ended. The kernel
// closes the connection of a process a moment before it tells the parent.
const endTime = time.Second

// sameDeath is how long after one another the links of a process are closed when it ends.
const sameDeath = time.Second

// workerProcess is a process that was started, for all links that it has.
type workerProcess struct {
	leader int
	ended  func(context.Context, int) WorkerEnd

	mu     sync.Mutex
	links  int           // open ones
	quiet  chan struct{} // closed when there is none
	served int           // requests that the worker had when links were lost, if that was at once
	lostAt int64         // when the last of them was, shm.Now
}

// enterProcess returns the process of a leader, and counts a link in; nil: nobody knows how
// it will end. Release: leave, then forgetProcess.
func (d *Dispatcher) enterProcess(leader int) *workerProcess {
	if leader == 0 || d.config.Load().Ended == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.processes[leader]
	if p == nil {
		p = &workerProcess{leader: leader, ended: d.config.Load().Ended}
		d.processes[leader] = p
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links++; p.links == 1 {
		p.quiet = make(chan struct{})
	}
	return p
}

// leave counts out a link that is closed. Lost says whether its worker went away without a
// word, and with how many requests.
func (p *workerProcess) leave(lost bool, requests int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := shm.Now(); lost {
		if now-p.lostAt > int64(sameDeath) {
			p.served = 0
		}
		p.served += requests
		p.lostAt = now
	}
	if p.links--; p.links == 0 {
		close(p.quiet)
	}
}

// forgetProcess forgets a process without links: the next one may have its number.
func (d *Dispatcher) forgetProcess(p *workerProcess) {
	if p == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links == 0 && d.processes[p.leader] == p {
		delete(d.processes, p.leader)
	}
}

// death returns how the process has ended, and how many requests it had then. It waits for
// that, but not for long.
func (p *workerProcess) death() (end WorkerEnd, requests int) {
	if p == nil {
		return WorkerEnd{}, 0
	}
	ctx, cancel := context.WithTimeout(context.Background(), endTime)
	defer cancel()
	if end = p.ended(ctx, p.leader); !end.Known {
		return end, 0
	}
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	select {
	case <-quiet: // what all its links had is counted
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return end, p.served
}

// endedAlone reports whether the process of a link has ended by itself when it had one
// request, and how.
func (l *link) endedAlone() (how string, alone bool) {
	end, requests := l.process.death()
	return end.How, end.Known && end.OfItsOwn && requests == 1
}

// requestsTaken returns how many requests the worker has. The caller holds the pool's lock.
func (l *link) requestsTaken() (n int) {
	l.each(func(a *assignment) {
		if l.end.Inbox.Took(a.entry) && !a.hasLetGo(a.stream.id.Load()) {
			n++
		}
	})
	return n
}
