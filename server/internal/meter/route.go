package meter

import (
	"sync/atomic"
	"time"
)

// Route is what is measured of the requests of one route.
type Route struct {
	App  *App
	Name string

	begun     Counter // requests; those that are over are in counts
	Duration  Histogram
	FirstByte Histogram

	// A table is made when the first request of its kind ends: most routes see few methods.
	counts [methods][protocols]atomic.Pointer[codeTable]
}

// codeTable counts responses by status.
type codeTable [codes + 1]Counter

// Request is what is known of a request when it is over.
type Request struct {
	Method    string
	Protocol  Protocol
	Status    int
	Reason    int // index in the Reasons of the [Meters]; negative: it did not fail
	Received  int64
	Sent      int64
	Duration  time.Duration
	FirstByte time.Duration // from the start to the begin of the response; Unknown: it did not begin
	QueueWait time.Duration // Unknown: it waited for no worker
}

// handover is how long a request takes to reach an idle worker, and more: it has not waited for one.
const handover = 100 * time.Microsecond

// Begin counts a request in. Release: End.
func (r *Route) Begin() { r.begun.Add(1) }

// End counts a request out, and measures it.
func (r *Route) End(q *Request) {
	r.table(methodOf(q.Method), q.Protocol)[codeOf(q.Status)].Add(1)
	r.Duration.Observe(q.Duration)
	if q.FirstByte != Unknown {
		r.FirstByte.Observe(q.FirstByte)
	}
	a := r.App
	switch {
	case q.QueueWait == Unknown:
	case q.QueueWait < handover:
		a.QueueWait.Observe(0)
	default:
		a.QueueWait.Observe(q.QueueWait)
	}
	if q.Received > 0 {
		a.Received.Add(uint64(q.Received))
	}
	if q.Sent > 0 {
		a.Sent.Add(uint64(q.Sent))
	}
	if q.Reason >= 0 && q.Reason < len(a.Errors) {
		a.Errors[q.Reason].Add(1)
	}
}

// table returns the table of a method and a protocol.
func (r *Route) table(method int, p Protocol) *codeTable {
	at := &r.counts[method][p]
	if t := at.Load(); t != nil {
		return t
	}
	at.CompareAndSwap(nil, new(codeTable))
	return at.Load()
}

// InFlight returns how many requests have begun, and are not over.
func (r *Route) InFlight() int64 {
	var over uint64 // counted first: a request is begun before it is over
	r.EachCount(func(_, _ string, _ Protocol, n uint64) { over += n })
	return int64(r.begun.Load() - over)
}

// EachCount calls f for each kind of request that has ended.
func (r *Route) EachCount(f func(method, code string, p Protocol, n uint64)) {
	for method := range r.counts {
		for p := range r.counts[method] {
			t := r.counts[method][p].Load()
			if t == nil {
				continue
			}
			for i := range t {
				if n := t[i].Load(); n > 0 {
					f(methodNames[method], codeName(i), Protocol(p), n)
				}
			}
		}
	}
}
