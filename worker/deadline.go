package worker

import (
	"sync"
	"time"
)

// deadlines are the deadlines of one request.
type deadlines struct{ read, write deadline }

// deadline is a time at which waiting ends.
type deadline struct {
	mu     sync.Mutex
	timer  *time.Timer   // nil: none, or it has fired
	passed chan struct{} // closed when the time has come
}

// set changes the time; the zero time means no deadline.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fired := d.timer != nil && !d.timer.Stop()
	if fired {
		<-d.passed
	}
	d.timer = nil
	select {
	case <-d.passed:
		d.passed = make(chan struct{})
	default:
	}
	if t.IsZero() {
		return
	}
	passed := d.passed
	if left := time.Until(t); left > 0 {
		d.timer = time.AfterFunc(left, func() { close(passed) })
	} else {
		close(passed)
	}
}

// wait returns a channel that is closed when the time has come. A later set may replace
// the channel.
func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.passed
}

// withDeadlines returns the request's deadlines, and makes them at the first call.
func (r *Request) withDeadlines() *deadlines {
	if d := r.deadlines.Load(); d != nil {
		return d
	}
	d := &deadlines{read: deadline{passed: make(chan struct{})}, write: deadline{passed: make(chan struct{})}}
	if !r.deadlines.CompareAndSwap(nil, d) {
		return r.deadlines.Load()
	}
	return d
}

// setReadDeadline bounds the wait for slots, setWriteDeadline the wait for room. Goroutines
// that wait already look again, since their channel may have been replaced.
func (r *Request) setReadDeadline(t time.Time) {
	r.withDeadlines().read.set(t)
	signal(r.more)
}

func (r *Request) setWriteDeadline(t time.Time) {
	r.withDeadlines().write.set(t)
	signal(r.lane.room)
}

// readDeadline and writeDeadline return nil if there is no deadline.
func (r *Request) readDeadline() <-chan struct{} {
	if d := r.deadlines.Load(); d != nil {
		return d.read.wait()
	}
	return nil
}

func (r *Request) writeDeadline() <-chan struct{} {
	if d := r.deadlines.Load(); d != nil {
		return d.write.wait()
	}
	return nil
}

func (r *Request) stopDeadlines() {
	if d := r.deadlines.Load(); d != nil {
		d.read.set(time.Time{})
		d.write.set(time.Time{})
	}
}
