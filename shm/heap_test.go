package shm

import (
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// sizes is what a test wants its memory to look like.
type sizes struct {
	slotSize, limit, rows, lanes    int
	requestBuffers, responseBuffers int
}

// fewSlots is a link so small that everything in it wraps soon.
var fewSlots = sizes{slotSize: 4096, limit: 5, rows: 3, lanes: 2, requestBuffers: 4, responseBuffers: 4}

// requestGeometry plans a request segment with exactly the buffers that s asks
// for, and descriptor rings no larger than the limit makes them.
func (s sizes) requestGeometry(tb testing.TB) RequestGeometry {
	tb.Helper()
	g, err := PlanRequest(RequestConfig{SlotSize: s.slotSize, SlotLimit: s.limit, Rows: s.rows, Links: 2,
		LinkLanes: s.lanes, Bytes: 1 << 32})
	if err != nil {
		tb.Fatal(err)
	}
	g.Buffers = uint32(s.requestBuffers)
	g.Len = g.BuffersAt + uint64(g.Buffers)*uint64(g.SlotSize)
	return g
}

func (s sizes) responseGeometry(tb testing.TB) ResponseGeometry {
	tb.Helper()
	g, err := PlanResponse(s.slotSize, s.limit, s.lanes, 1<<32)
	if err != nil {
		tb.Fatal(err)
	}
	g.Buffers = uint32(s.responseBuffers)
	g.Len = g.BuffersAt + uint64(g.Buffers)*uint64(g.SlotSize)
	return g
}

// heapLink is both ends of a link over ordinary memory, where the race detector
// sees every access to a slot's bytes.
type heapLink struct {
	request  *RequestSegment
	response *ResponseSegment
	server   *ServerEnd
	worker   *WorkerEnd
	lastID   uint64
}

// newHeapLink returns a link without bells: its worker has the futex word.
func newHeapLink(tb testing.TB, s sizes) *heapLink {
	tb.Helper()
	return newHeapLinkWithBells(tb, s, nil, nil)
}

func newHeapLinkWithBells(tb testing.TB, s sizes, serverBell, workerBell *Eventfd) *heapLink {
	tb.Helper()
	request, response := s.requestGeometry(tb), s.responseGeometry(tb)
	l := &heapLink{
		request:  newRequestSegment(request, alignedHeap(request.Len)),
		response: newResponseSegment(response, alignedHeap(response.Len)),
	}
	l.server = NewServerEnd(l.request, 0, 1, l.response, workerBell)
	l.worker = NewWorkerEnd(l.request, 0, 1, l.response, serverBell)
	return l
}

// testBell returns an eventfd that the test closes.
func testBell(tb testing.TB) *Eventfd {
	tb.Helper()
	bell, err := NewEventfd()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = bell.Close() })
	return bell
}

// testPeerBell returns both ends of a bell that another process waits for: the
// one that rings, and the one that waits.
func testPeerBell(tb testing.TB) (ringer, waiter *Eventfd) {
	tb.Helper()
	ringer, err := NewPeerEventfd()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = ringer.Close() })
	fd, err := unix.FcntlInt(uintptr(ringer.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if waiter, err = OpenEventfd(fd); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = waiter.Close() })
	return ringer, waiter
}

// testRand returns a generator whose seed is fixed, unless SHM_TEST_SEED sets
// it, and which is printed when the test fails.
func testRand(tb testing.TB) *rand.Rand {
	tb.Helper()
	return rand.New(rand.NewPCG(testSeed(tb), 0))
}

func testSeed(tb testing.TB) uint64 {
	tb.Helper()
	seed := uint64(1)
	if text := os.Getenv("SHM_TEST_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			tb.Fatalf("SHM_TEST_SEED: %v", err)
		}
		seed = n
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("seed %d (set SHM_TEST_SEED to change it)", seed)
		}
	})
	return seed
}

// wantViolation fails unless err is a Violation about what.
func wantViolation(tb testing.TB, err error, what string) {
	tb.Helper()
	var v *Violation
	if !errors.As(err, &v) {
		tb.Fatalf("got error %v, want a violation about %s", err, what)
	}
	if v.What != what {
		tb.Fatalf("got %v, want a violation about %s", err, what)
	}
}

// wantPanic fails unless f panics.
func wantPanic(tb testing.TB, f func()) {
	tb.Helper()
	defer func() {
		if recover() == nil {
			tb.Error("did not panic")
		}
	}()
	f()
}

// paddedCounter is a counter on a cache line of its own.
type paddedCounter struct {
	atomic.Uint64
	_ [56]byte
}

// lastWords returns the last n words of an error's text.
func lastWords(err error, n int) string {
	if err == nil {
		return ""
	}
	words := strings.Fields(err.Error())
	return strings.Join(words[max(0, len(words)-n):], " ")
}

var errLostWakeUp = errors.New("a wake-up was lost")
