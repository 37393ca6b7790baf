package dispatch

import (
	"context"
	"log/slog"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// The life of a link:
//
//	 newLink          welcome sent            drain on the control socket
//	--------> opening ------------> attached -----------------------------> draining
//	             |                     |                                       |
//	             | abandon             |  close: closed, peerGone,             |
//	             |                     |  peerLeft, evicted, removed           |
//	             v                     v                                       v
//	          released <----------- closed <-----------------------------------+
//	                     no users
//
// An attached link is given streams; a draining one finishes those that it has, and what
// lies in its inbox goes elsewhere. A closed link is in no pool. The streams that it still
// has find out, and its memory is released when the last of them and the watcher have left.

// closeReason is why a link is closed.
type closeReason int

const (
	closed   closeReason = iota // the server stops
	peerGone                    // the connection ended, or the bell failed
	peerLeft                    // the worker said goodbye
	evicted                     // the worker broke the protocol, is stuck, or keeps too many streams
	removed                     // no route leads to the pool any more
)

// close ends the link for a reason; only the first counts. No stream is assigned to it any
// more, those that it had find out, and its memory goes when the last of them has. An
// evicted worker, and one whose server stops, is told so before it finds the link closed.
func (l *link) close(reason closeReason, cause error) {
	if !l.markClosed(reason) {
		return
	}
	switch reason {
	case closed:
		l.send(&attach.Bye{Reason: "server stopped"})
	case removed:
		l.send(&attach.Bye{Reason: "no route leads to the pool any more"})
	case evicted:
		l.send(&attach.Refusal{Code: attach.CodeEvicted, Message: cause.Error()})
	}
	l.logHanging(l.endStreams())
	_ = l.conn.Close()
	_ = l.bell.Close() // ends the watcher
	go l.releaseUnused()
	l.report(reason, cause)
}

// markClosed takes the link out of its pool, and reports whether it was open.
func (l *link) markClosed(reason closeReason) bool {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if l.closed {
		return false
	}
	l.closed = true
	l.process.leave(reason == peerGone, l.requestsTaken())
	l.gone.Store(true)
	l.pool.remove(l)
	return true
}

// endStreams frees the lanes of exchanges that are over, and wakes the others. It returns
// those that were over because they had timed out, and were not named.
func (l *link) endStreams() (hung []StuckRequest) {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	hung = l.timedOut(shm.Now())
	l.end.SetState(shm.LinkClosed)
	for i := range l.assignments {
		a := &l.assignments[i]
		if s := a.stream; s != nil && s.awaitsLetGo() {
			l.retire(a)
		} else if s != nil {
			s.wake()
		}
	}
	return hung
}

// releaseUnused waits until nobody uses the link any more, and releases its memory.
func (l *link) releaseUnused() {
	l.users.Wait()
	if l.workerBell != nil {
		_ = l.workerBell.Close()
	}
	l.responses.release(l)
}

// report counts and logs why the link was closed.
func (l *link) report(reason closeReason, cause error) {
	log := l.logger()
	switch reason {
	case peerGone:
		l.pool.counters.Lost.Add(1)
		level := slog.LevelWarn
		if l.pool.losesMore(l.pid) {
			level = slog.LevelDebug // one line is enough for a process that ends
		}
		log.Log(context.Background(), level, "link lost", "cause", cause)
	case peerLeft:
		log.Info("link left")
	case removed:
		log.Info("link closed: no route leads to the pool any more")
	case evicted:
		l.pool.counters.Evicted.Add(1)
		log.Error("link evicted", "cause", cause)
	}
}

// loss is the end of a process, as its links show it.
type loss struct {
	pid int
	at  int64 // shm.Now
}

// losesMore notes that a process has lost a link, and reports whether it has lost another just before.
func (p *Pool) losesMore(pid int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := shm.Now()
	more := p.lost.pid == pid && now-p.lost.at < int64(sameDeath)
	p.lost = loss{pid, now}
	return more
}

// logger returns a log that names the link and its worker.
func (l *link) logger() *slog.Logger {
	return l.log.With("link", l.name, "pool", l.pool.name, "pid", l.pid, "worker", l.worker)
}

// setDraining notes that the worker wants no more streams; what lies in its inbox goes
// elsewhere, and it may leave when it has finished the rest.
func (l *link) setDraining() {
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if !l.closed && !l.draining {
		l.draining = true
		l.end.SetState(shm.LinkDraining)
	}
}

// abandon frees what newLink made for a link that was never used.
func (l *link) abandon() {
	l.closeBells()
	l.responses.release(l)
}

func (l *link) closeBells() {
	if l.bell != nil {
		_ = l.bell.Close()
	}
	if l.workerBell != nil {
		_ = l.workerBell.Close()
	}
}

// send sends the worker a message. A worker that does not read its control socket misses
// it.
func (l *link) send(m attach.Message) {
	packet, err := attach.Encode(m)
	if err != nil {
		l.log.Error("cannot encode a message", "type", m.Type(), "error", err)
		return
	}
	_ = l.conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = l.conn.Write(packet)
}
