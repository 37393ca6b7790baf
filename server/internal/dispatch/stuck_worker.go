package dispatch

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

// StuckWorker is a worker that makes no progress with requests.
type StuckWorker struct {
	Pool, Link string // names
	Worker     string // APP/SLOT if the server has started it, else the name of the link
	PID        int    // of the process that attached, as the kernel says
	Leader     int    // of the process that the server's owner started, which PID is or descends from; 0: none
	Stacks     int    // signal that has it print its stacks; 0: there is none
	Why        string // it is said to be stuck, for a person
	Requests   []StuckRequest
}

// StuckRequest is a request with which a worker makes no progress.
type StuckRequest struct {
	ID        uint64 // of the stream
	RequestID string
	Method    string
	Target    string        // path without the query, printable ASCII, cut if it is long
	Age       time.Duration // since the request came
	Idle      time.Duration // since the worker has last made progress, or it was last not its turn
	Where     string        // it hangs, for a person
}

// describeStuck describes the worker of a link, with the requests that hang and were not
// named before. The caller holds the pool's lock, and is the deadline loop.
func (l *link) describeStuck(t *standstill, why string) *StuckWorker {
	w := &StuckWorker{Pool: l.pool.name, Link: l.name, Worker: l.worker, PID: l.pid, Leader: l.leader,
		Stacks: l.stacks, Why: why}
	l.each(func(a *assignment) {
		waits := !l.end.Inbox.Took(a.entry) && t.reached(a.progressAt())
		if !a.named && (waits || a.hangs(t)) {
			w.Requests = append(w.Requests, a.describe(t.now, a.progressAt()))
		}
	})
	return w
}

// describe describes the request of a lane, and notes that it was named. The caller holds
// the pool's lock.
func (a *assignment) describe(now, since int64) StuckRequest {
	a.named = true
	s := a.stream
	return StuckRequest{
		ID: s.id.Load(), RequestID: s.info.RequestID, Method: forLog(s.info.Method), Target: s.target(),
		Age: time.Since(s.info.Start), Idle: time.Duration(now - since), Where: a.where(),
	}
}

// timedOut describes the requests that have timed out, were not named, and whose worker
// keeps them until now, when the link is closed. The caller holds the pool's lock.
func (l *link) timedOut(now int64) (list []StuckRequest) {
	l.each(func(a *assignment) {
		s := a.stream
		if s.awaitsLetGo() && s.overFor == shm.ReasonDeadline && !a.named && !a.hasLetGo(s.id.Load()) {
			list = append(list, a.describe(now, s.overSince))
		}
	})
	return list
}

// where says how far the worker has come with a request that hangs. The caller holds the pool's lock.
func (a *assignment) where() string {
	s := a.stream
	switch {
	case !a.link.end.Inbox.Took(a.entry):
		return "in the inbox"
	case a.isKept():
		return "ended, not let go"
	case s.overFor != shm.ReasonDeadline:
		return "client gone, not let go"
	case s.progress.Started():
		return "response begun"
	}
	return "taken, no response"
}

// target returns the path of the request for a log. The query is left out: it may have
// secrets. Preconditions: the stream has a lane, whose pool's lock the caller holds; or the
// caller serves the exchange.
func (s *Stream) target() string {
	path, _, _ := strings.Cut(s.info.Target, "?")
	return forLog(path)
}

// mostLogText is how many bytes of what a client has said stand in a log.
const mostLogText = 256

// forLog returns a text of a client's as printable ASCII, and cut if it is long.
func forLog(text string) string {
	cut, dots := text, ""
	if len(text) > mostLogText {
		cut, dots = text[:mostLogText], "..."
	}
	quoted := strconv.QuoteToASCII(cut)
	return quoted[1:len(quoted)-1] + dots
}

// mostLogged is how many requests that hang have a line in the log at once.
const mostLogged = 64

// reportStuck logs what hangs, and has the worker replaced by its supervisor; one without a
// supervisor is evicted, and may attach again.
func (d *Dispatcher) reportStuck(l *link, w *StuckWorker) {
	if w.Why == "" { // reported before
		l.logHanging(w.Requests)
		return
	}
	d.counters.Stuck.Add(1)
	l.logger().Error("worker stuck", "why", w.Why, "requests", len(w.Requests))
	l.logHanging(w.Requests)
	if onStuck := d.config.Load().OnStuck; onStuck != nil && w.Leader != 0 {
		onStuck(*w)
		return
	}
	l.close(evicted, fmt.Errorf("stuck: %s", w.Why))
}

// logHanging names requests that hang.
func (l *link) logHanging(list []StuckRequest) {
	for _, r := range list[:min(len(list), mostLogged)] {
		l.logger().Error("request hangs", "method", r.Method, "path", r.Target,
			"id", r.RequestID, "stream", r.ID, "age_s", seconds(r.Age), "idle_s", seconds(r.Idle),
			"where", r.Where)
	}
}

// seconds returns a duration for the log, to the millisecond.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1e3 }
