package dispatch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// testStuckAfter is how long workers of these tests may hang.
const testStuckAfter = 300 * time.Millisecond

// logBuffer is a log that a test reads.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// stuckTest is a dispatcher that says which workers are stuck.
type stuckTest struct {
	*testDispatcher
	stuck chan StuckWorker
	log   logBuffer
}

func newStuckTest(t *testing.T, after time.Duration) *stuckTest {
	t.Helper()
	d := &stuckTest{stuck: make(chan StuckWorker, 8)}
	d.testDispatcher = newTestDispatcherWith(t, func(c *Config) {
		c.ResponseTimeout, c.StuckAfter = 10*time.Second, after
		c.OnStuck = func(w StuckWorker) { d.stuck <- w }
		c.Log = slog.New(slog.NewTextHandler(&d.log, nil))
	})
	return d
}

// attachStarted is attach of a worker that the server's owner has started.
func (d *stuckTest) attachStarted() (*link, *shm.WorkerEnd) {
	l, w := d.attach()
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	l.leader, l.stacks = 4711, 12
	return l, w
}

// serve gives a request to a link, and takes it as the worker does. What comes of the
// exchange comes through the channel.
func (d *stuckTest) serve(l *link, w *shm.WorkerEnd) (*Stream, shm.Assignment, <-chan error) {
	d.t.Helper()
	s := d.stream(true)
	d.requests.mu.Lock()
	s.info = RequestInfo{Method: "GET", Target: "/slow\x7f?token=secret", RequestID: "id-1", Start: time.Now()}
	d.requests.mu.Unlock()
	d.end(s)
	d.assign(l, s)
	a, _ := d.take(w, s.id.Load())
	w.Lane(a.Lane).Accept(a.StreamID)
	return s, a, d.await(s)
}

// end publishes the end of a request.
func (d *testDispatcher) end(s *Stream) {
	d.t.Helper()
	if err := s.request.CommitEmpty(shm.KindEnd); err != nil {
		d.t.Fatal(err)
	}
	s.progress.EndUpload()
	s.request.Publish()
}

// await waits for the end of an exchange whose worker says nothing, and ends it.
func (d *testDispatcher) await(s *Stream) <-chan error {
	over := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Await(); err != nil {
				s.Finish(err)
				over <- err
				return
			}
			s.ReleaseSlot()
		}
	}()
	return over
}

func receive[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not come", what)
	}
	return v
}

// quiet fails the test if a worker is said to be stuck before a time is over that would do.
func (d *stuckTest) quiet() {
	d.t.Helper()
	select {
	case w := <-d.stuck:
		d.t.Fatalf("a worker is said to be stuck: %+v", w)
	case <-time.After(2*testStuckAfter + cancelTime):
	}
}

func TestAWorkerThatHangsIsReportedOnceAndGetsNoMoreRequests(t *testing.T) {
	t.Parallel()
	d := newStuckTest(t, testStuckAfter)
	l, w := d.attachStarted()
	s, a, over := d.serve(l, w)
	id := s.ID()
	if err := receive(t, "the end of the request", over); !errors.Is(err, fault.ErrWorkerTimeout) || s.mayRetry(err) {
		t.Errorf("the request ends with %v", err)
	}
	got := receive(t, "the report", d.stuck)
	if got.Leader != 4711 || got.Stacks != 12 || got.PID == 0 || got.Pool != "default" || got.Link != "raw" ||
		len(got.Requests) != 1 {
		t.Fatalf("reported %+v", got)
	}
	r := got.Requests[0]
	if r.ID != id || r.RequestID != "id-1" || r.Method != "GET" || r.Target != `/slow\x7f` ||
		r.Where != "taken, no response" || r.Idle < testStuckAfter || r.Age < r.Idle {
		t.Errorf("the request is %+v", r)
	}
	if log := d.log.String(); !strings.Contains(log, "worker stuck") || !strings.Contains(log, "id=id-1") ||
		strings.Contains(log, "secret") {
		t.Errorf("the log is %s", log)
	}
	d.pool.mu.Lock()
	room, lanes := d.pool.hasRoom(), d.pool.lanes()
	d.pool.mu.Unlock()
	if room || lanes != 0 || l.gone.Load() {
		t.Errorf("the pool has room: %v, %d lanes; the link is gone: %v", room, lanes, l.gone.Load())
	}
	d.quiet()
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
}

func TestAStuckWorkerThatNobodyReplacesIsEvicted(t *testing.T) {
	t.Parallel()
	d := newStuckTest(t, testStuckAfter)
	l, w := d.attach() // not started by the server
	_, _, over := d.serve(l, w)
	_ = receive(t, "the end of the request", over)
	d.eventually("the eviction", func() bool { return l.gone.Load() })
	d.eventually("the log", func() bool { return strings.Contains(d.log.String(), "link evicted") })
	if log := d.log.String(); !strings.Contains(log, "request hangs") || !strings.Contains(log, "its requests hang") {
		t.Errorf("the log is %s", log)
	}
}

func (d *testDispatcher) eventually(what string, condition func() bool) {
	d.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s does not come", what)
		}
	}
}

// A supervisor ends the process soon after the first report.
func TestEachRequestThatHangsIsNamedOnce(t *testing.T) {
	t.Parallel()
	d := newStuckTest(t, testStuckAfter)
	l, w := d.attachStarted()
	named := func(id uint64) int {
		n := 0
		for line := range strings.Lines(d.log.String()) {
			if strings.Contains(line, "request hangs") && strings.Contains(line, fmt.Sprintf(" stream=%d ", id)) {
				n++
			}
		}
		return n
	}
	first, _, over1 := d.serve(l, w)
	second, _, over2 := d.serve(l, w)
	ids := []uint64{first.ID(), second.ID()}
	_ = receive(t, "the end", over1)
	_ = receive(t, "the end", over2)
	if got := receive(t, "the report", d.stuck); len(got.Requests) == 0 {
		t.Errorf("reported %+v", got)
	}
	third, _, over3 := d.serve(l, w) // as if it had come a little earlier
	ids = append(ids, third.ID())
	_ = receive(t, "the end", over3)
	d.eventually("the third to be named", func() bool { return named(ids[2]) == 1 })
	last, _, over4 := d.serve(l, w)
	ids = append(ids, last.ID())
	_ = receive(t, "the end", over4)
	l.close(peerGone, errors.New("test")) // before it is seen to hang
	for i, id := range ids {
		if n := named(id); n != 1 {
			t.Errorf("request %d is named %d times:\n%s", i, n, d.log.String())
		}
	}
}

func TestAWorkerThatLetsGoWhenItIsToldThatTheTimeIsUpIsNotStuck(t *testing.T) {
	t.Parallel()
	d := newStuckTest(t, testStuckAfter)
	l, w := d.attachStarted()
	s, a, over := d.serve(l, w)
	_ = receive(t, "the end of the request", over)
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
	d.quiet()
	if s.ID() != 0 {
		t.Error("the row is not free")
	}
}

func TestAWorkerThatIsSlowButMovesIsNotStuck(t *testing.T) {
	t.Parallel()
	for name, mover := range map[string]func(*testing.T, *shm.WorkerEnd, shm.Assignment) func(n uint64){
		"it writes": writes, "it releases": releases,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newStuckTest(t, time.Second)
			l, w := d.attachStarted()
			s := d.stream(true)
			for range 8 {
				d.put(s, shm.KindBody, "body")
			}
			d.end(s)
			d.assign(l, s)
			a, _ := d.take(w, s.id.Load())
			w.Lane(a.Lane).Accept(a.StreamID)
			over := d.await(s)
			tick := time.NewTicker(200 * time.Millisecond)
			defer tick.Stop()
			move := mover(t, w, a)
			for n := range uint64(9) {
				<-tick.C
				move(n + 1)
			}
			select {
			case err := <-over:
				t.Fatalf("the exchange ends: %v", err)
			case got := <-d.stuck:
				t.Fatalf("said to be stuck: %+v", got)
			default:
			}
			s.StopWaiting()
			_ = receive(t, "the end", over)
			w.Lane(a.Lane).LetGo(a.StreamID)
			w.Notify(a.Lane)
		})
	}
}

func TestARequestThatWaitsForItsClientAndAnOpenWebSocketDoNotHang(t *testing.T) {
	t.Parallel()
	for _, websocket := range []bool{false, true} {
		d := newStuckTest(t, testStuckAfter)
		l, w := d.attachStarted()
		s := d.stream(true) // without an end: more of the body is to come
		d.assign(l, s)
		a, _ := d.take(w, s.id.Load())
		w.Lane(a.Lane).Accept(a.StreamID)
		if websocket {
			s.websocket.Store(true)
			d.OpenWebSocket(s, func() {})
		} else {
			reader := w.Reader(a)
			if _, err := reader.Tail(1); err != nil {
				t.Fatal(err)
			}
			reader.Release(1)
			s.KeepNoMore()
			s.reclaim()
		}
		over := d.await(s)
		d.quiet()
		s.StopWaiting()
		_ = receive(t, "the end", over)
		w.Lane(a.Lane).LetGo(a.StreamID)
		w.Notify(a.Lane)
	}
}

func TestAWorkerThatTakesNothingIsStuckUnlessItIsBusy(t *testing.T) {
	t.Parallel()
	for _, busy := range []bool{false, true} {
		d := newStuckTest(t, testStuckAfter)
		l, w := d.attachStarted()
		var open []*Stream
		var taken []shm.Assignment
		var overs []<-chan error
		if busy { // with as many WebSockets as it serves requests at once
			for range l.concurrency {
				s := d.stream(true)
				s.websocket.Store(true)
				d.assign(l, s)
				a, _ := d.take(w, s.id.Load())
				w.Lane(a.Lane).Accept(a.StreamID)
				d.OpenWebSocket(s, func() {})
				open, taken, overs = append(open, s), append(taken, a), append(overs, d.await(s))
			}
		}
		waiting := d.stream(true)
		waiting.attempts = mostAttempts // it stays in the inbox
		d.assign(l, waiting)
		over := d.await(waiting)
		if busy {
			d.quiet()
			waiting.StopWaiting()
		} else if got := receive(t, "the report", d.stuck); got.Why != "it takes no requests" {
			t.Errorf("reported %+v", got)
		}
		_ = receive(t, "the end", over)
		for i, s := range open {
			s.StopWaiting()
			_ = receive(t, "the end", overs[i])
			w.Lane(taken[i].Lane).LetGo(taken[i].StreamID)
			w.Notify(taken[i].Lane)
		}
	}
}

// writes returns what publishes slot n of a response.
func writes(t *testing.T, w *shm.WorkerEnd, a shm.Assignment) func(n uint64) {
	writer := w.NewWriter(a.Lane)
	if !writer.Open(shm.NewPool(w.Buffers()), 1) {
		t.Fatal("no buffer")
	}
	writer.BindPosition(w.Position(a.Lane), a.StreamID)
	return func(n uint64) {
		kind := shm.KindBody
		if n == 1 {
			kind = shm.KindHeaders
		}
		space, err := writer.Reserve(4)
		if err != nil {
			t.Fatal(err)
		}
		writer.Commit(copy(space, "slot"), kind)
		writer.Publish()
		w.Notify(a.Lane)
	}
}

// releases returns what releases slot n of a request.
func releases(t *testing.T, w *shm.WorkerEnd, a shm.Assignment) func(n uint64) {
	reader := w.Reader(a)
	return func(n uint64) {
		if _, err := reader.Tail(n); err != nil {
			t.Fatal(err)
		}
		reader.Release(n)
	}
}

func TestWhatAWorkerDoesAfterAResponseHangsOnlyWhenOthersWait(t *testing.T) {
	t.Parallel()
	d := newStuckTest(t, testStuckAfter)
	l, w := d.attachStarted()
	var kept []shm.Assignment
	for range l.concurrency {
		s := d.stream(true)
		d.end(s)
		d.assign(l, s)
		a, _ := d.take(w, s.id.Load())
		w.Lane(a.Lane).Accept(a.StreamID)
		s.Finish(nil)
		kept = append(kept, a)
	}
	d.quiet()
	d.pool.mu.Lock()
	l.inflight = 100 // nobody has room
	d.pool.mu.Unlock()
	waiting := d.stream(true)
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() { over <- waiting.Assign(ctx, d.pool) }()
	got := receive(t, "the report", d.stuck)
	if len(got.Requests) != l.concurrency || got.Requests[0].Where != "ended, not let go" {
		t.Errorf("reported %+v", got)
	}
	cancel()
	waiting.Finish(receive(t, "the end of the waiting", over))
	for _, a := range kept {
		w.Lane(a.Lane).LetGo(a.StreamID)
		w.Notify(a.Lane)
	}
}

func TestTheTimeInWhichTheServerItselfStoodStillDoesNotCount(t *testing.T) {
	var f stuckSearch
	second := int64(time.Second)
	for _, now := range []int64{1, second / 2, second, 100 * second} {
		f.noteRound(now)
	}
	if s := (standstill{now: 101 * second, after: 2 * second, resumed: f.resumed}); s.reached(second) {
		t.Error("what stood still with the server is stuck")
	}
	if s := (standstill{now: 103 * second, after: 2 * second, resumed: f.resumed}); !s.reached(second) {
		t.Error("what stands still since then is not")
	}
}

func TestATextOfAClientIsBoundedAndPrintableInTheLog(t *testing.T) {
	for text, want := range map[string]string{
		"/a/b":                   "/a/b",
		"/\u202e\n\x1b[31m":      `/\u202e\n\x1b[31m`,
		`/"`:                     `/\"`,
		strings.Repeat("x", 300): strings.Repeat("x", mostLogText) + "...",
		strings.Repeat("ż", 200): strings.Repeat(`\u017c`, mostLogText/2) + "...",
	} {
		if got := forLog(text); got != want {
			t.Errorf("%q becomes %q", text, got)
		}
	}
}
