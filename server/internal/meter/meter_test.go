package meter

import (
	"math"
	"sync"
	"testing"
	"time"
)

func TestAnObservationIsInTheBucketsFromItsBoundUp(t *testing.T) {
	var h Histogram
	for _, d := range []time.Duration{-time.Second, 0, 100 * time.Microsecond, 3 * time.Millisecond, time.Hour} {
		h.Observe(d)
	}
	got := h.Read()
	for bound, want := range map[float64]uint64{0.0001: 3, 0.0025: 3, 0.005: 4, 300: 4} {
		if got.Buckets[bound] != want {
			t.Errorf("%v s: %d observations, want %d", bound, got.Buckets[bound], want)
		}
	}
	if got.Count != 5 || math.Abs(got.Sum-3600.0031) > 1e-6 {
		t.Errorf("%d observations, %v s", got.Count, got.Sum)
	}
}

func TestNothingThatAClientSendsBecomesALabel(t *testing.T) {
	r := New(nil).Route("web", "/")
	for _, method := range []string{"GET", "get", "BREW", ""} {
		for _, status := range []int{-1, 0, 99, 200, 599, 600, 1 << 30} {
			r.Begin()
			r.End(&Request{Method: method, Status: status, Reason: 7})
		}
	}
	seen := map[string]uint64{}
	r.EachCount(func(method, code string, _ Protocol, n uint64) { seen[method+" "+code] = n })
	want := map[string]uint64{
		"GET 200": 1, "GET 599": 1, "GET other": 5, "other 200": 3, "other 599": 3, "other other": 15,
	}
	if len(seen) != len(want) {
		t.Errorf("%v", seen)
	}
	for label, n := range want {
		if seen[label] != n {
			t.Errorf("%s: %d, want %d", label, seen[label], n)
		}
	}
}

func TestEveryPartOfARequestIsCountedOnce(t *testing.T) {
	m := New([]string{"queue_full", "worker_lost"})
	r := m.Route("web", "/")
	r.Begin()
	r.Begin()
	r.End(&Request{
		Method: "PUT", Protocol: HTTP3, Status: 502, Reason: 1, Received: 10, Sent: 20, Duration: time.Second,
		FirstByte: time.Millisecond, QueueWait: Unknown,
	})
	a := m.App("web")
	if a != r.App || m.Route("web", "/") != r {
		t.Fatal("what was counted is gone when the labels are asked for again")
	}
	for name, got := range map[string]uint64{
		"in flight": uint64(r.InFlight()), "errors": a.Errors[1].Load(), "durations": r.Duration.Read().Count,
		"first bytes": r.FirstByte.Read().Count, "received": a.Received.Load() / 10, "sent": a.Sent.Load() / 20,
	} {
		if got != 1 {
			t.Errorf("%s: %d", name, got)
		}
	}
	if n := a.QueueWait.Read().Count; n != 0 || a.Errors[0].Load() != 0 {
		t.Errorf("%d waits, %d errors that were none", n, a.Errors[0].Load())
	}
}

func TestManyCountAtOnceAndNothingIsLost(t *testing.T) {
	const goroutines, each = 8, 1000
	r := New(nil).Route("web", "/")
	var running sync.WaitGroup
	for range goroutines {
		running.Go(func() {
			for range each {
				r.Begin()
				r.End(&Request{Method: "GET", Status: 200, Protocol: HTTP11, Reason: -1, Duration: time.Millisecond})
			}
		})
	}
	running.Wait()
	if n := r.Duration.Read().Count; n != goroutines*each || r.InFlight() != 0 {
		t.Errorf("%d of %d, %d in flight", n, goroutines*each, r.InFlight())
	}
	r.EachCount(func(method, code string, _ Protocol, n uint64) {
		if n != goroutines*each {
			t.Errorf("%s %s: %d", method, code, n)
		}
	})
}

// smallRequest is what a request of some tens of microseconds has to be counted.
func smallRequest(r *Route) {
	r.Begin()
	r.End(&Request{
		Method: "GET", Protocol: HTTP11, Status: 200, Reason: -1, Sent: 12, Duration: 40 * time.Microsecond,
		FirstByte: 30 * time.Microsecond, QueueWait: time.Microsecond,
	})
}

func TestToMeasureARequestAllocatesNothing(t *testing.T) {
	r := New(nil).Route("web", "/")
	if n := testing.AllocsPerRun(1000, func() { smallRequest(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkOneAddition(b *testing.B) {
	var c Counter
	for b.Loop() {
		c.Add(1)
	}
}

func BenchmarkRequest(b *testing.B) {
	r := New(nil).Route("web", "/")
	b.ReportAllocs()
	for b.Loop() {
		smallRequest(r)
	}
}

func BenchmarkRequestsOfManyAtOnce(b *testing.B) {
	r := New(nil).Route("web", "/")
	b.ReportAllocs()
	b.RunParallel(func(each *testing.PB) {
		for each.Next() {
			smallRequest(r)
		}
	})
}

func TestAShortWayToAWorkerIsNoWait(t *testing.T) {
	r := New(nil).Route("web", "/")
	for _, wait := range []time.Duration{0, 50 * time.Microsecond, time.Second} {
		r.Begin()
		r.End(&Request{Reason: -1, FirstByte: Unknown, QueueWait: wait})
	}
	if got := r.App.QueueWait.Read(); got.Count != 3 || got.Sum != 1 || got.Buckets[0.0001] != 2 {
		t.Errorf("%+v", got)
	}
}
