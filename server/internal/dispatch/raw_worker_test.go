package dispatch

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/shm"
)

// testConfig returns a configuration with one pool, "default".
func testConfig() Config {
	return Config{
		ServerName: "test", NumStreams: 100, SlotSize: 64 << 10, SlotsPerStream: 16384,
		Memory: 256 << 20, LinkMemory: 8 << 20, MaxLinks: 64,
		ResponseTimeout: 30 * time.Second, QueueLength: 1000, QueueTime: 10 * time.Second,
		Limits: progress.Limits{ClientTimeout: 30 * time.Second, StallTime: 2 * time.Second, MinBodyRate: 100},
		Pools:  []string{"default"}, Log: slog.New(slog.DiscardHandler),
	}
}

// testDispatcher is a dispatcher without clients, whose streams the test assigns itself, to
// workers that do in shared memory what the test says.
type testDispatcher struct {
	*Dispatcher
	t      *testing.T
	pool   *Pool
	socket string
}

func newTestDispatcher(t *testing.T) *testDispatcher {
	t.Helper()
	return newTestDispatcherWith(t, func(*Config) {})
}

func newTestDispatcherWith(t *testing.T, change func(*Config)) *testDispatcher {
	t.Helper()
	c := testConfig()
	c.NumStreams, c.Memory, c.LinkMemory = 8, 32<<20, 2<<20
	change(&c)
	inner, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	d := &testDispatcher{Dispatcher: inner, t: t, pool: inner.Pool("default"), socket: t.TempDir() + "/workers"}
	d.pool.supervised = true
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: d.socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.ServeWorkers(listener) }() // ends when the listener is closed
	t.Cleanup(func() {
		_ = listener.Close()
		if !t.Failed() { // else there may be streams that nobody ends
			_ = d.Close()
		}
	})
	return d
}

// attach returns a new link, and its worker's end.
func (d *testDispatcher) attach() (*link, *shm.WorkerEnd) {
	d.t.Helper()
	before := d.links()
	worker := attachRaw(d.t, d.socket)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if links := d.links(); len(links) > len(before) {
			return links[len(links)-1], worker
		}
		if time.Now().After(deadline) {
			d.t.Fatal("the link does not come")
		}
	}
}

func (d *testDispatcher) links() []*link {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return append([]*link(nil), d.pool.links...)
}

// stream returns a stream with a head in its request lane, of a request that is idempotent
// or not.
func (d *testDispatcher) stream(idempotent bool) *Stream {
	d.t.Helper()
	s, err := d.Acquire(context.Background(), Request{Idempotent: idempotent})
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(s, shm.KindHeaders, "head")
	return s
}

func (d *testDispatcher) put(s *Stream, kind shm.Kind, text string) {
	d.t.Helper()
	space, err := s.request.Reserve(len(text))
	if err != nil {
		d.t.Fatal(err)
	}
	s.request.Commit(copy(space, text), kind)
	s.request.Publish()
}

// assign gives s to a link.
func (d *testDispatcher) assign(l *link, s *Stream) *assignment {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	l.assign(s)
	s.served = l
	return s.assignment
}

// revoke takes s back as the deadline loop does when another link has room, and reports
// whether the worker had not taken it.
func (d *testDispatcher) revoke(s *Stream) (untouched bool) {
	d.t.Helper()
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	untouched, err := s.assignment.link.end.Inbox.Revoke(s.assignment.entry)
	if err != nil {
		d.t.Fatal(err)
	}
	s.revoked.Store(untouched)
	s.assignment.tooLate.Store(!untouched)
	return untouched
}

// take takes the next entry of a worker's inbox, which has to be that of a stream.
func (d *testDispatcher) take(w *shm.WorkerEnd, id uint64) (a shm.Assignment, revoked bool) {
	d.t.Helper()
	a, revoked, ok := w.Inbox.Take()
	if !ok || a.StreamID != id {
		d.t.Fatalf("the worker takes %+v (%v), want stream %d", a, ok, id)
	}
	return a, revoked
}

// passOver takes the next entry, which has to be revoked, and lets go.
func (d *testDispatcher) passOver(w *shm.WorkerEnd, id uint64) {
	d.t.Helper()
	a, revoked := d.take(w, id)
	if !revoked {
		d.t.Fatal("the entry was not revoked")
	}
	w.Lane(a.Lane).LetGo(a.StreamID)
	w.Notify(a.Lane)
}

func attachRaw(t *testing.T, path string) *shm.WorkerEnd {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	c, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	check(err)
	t.Cleanup(func() { _ = c.Close() })
	hello, err := attach.Encode(&attach.Hello{
		LayoutMin: 1, LayoutMax: 1, Pool: "default", Name: "raw", SDK: "x", SDKVersion: "1",
		Lanes: 4, Bell: attach.BellFutex,
	})
	check(err)
	_, err = c.Write(hello)
	check(err)
	packet, oob := make([]byte, attach.MaxMessage+1), make([]byte, 256)
	n, on, _, _, err := c.ReadMsgUnix(packet, oob)
	check(err)
	m, err := attach.Decode(packet[:n])
	check(err)
	welcome, ok := m.(*attach.Welcome)
	if !ok {
		t.Fatalf("the answer is %+v", m)
	}
	controls, err := unix.ParseSocketControlMessage(oob[:on])
	check(err)
	fds, err := unix.ParseUnixRights(&controls[0])
	check(err)
	request, _, err := shm.OpenRequestSegment(os.NewFile(uintptr(fds[0]), "request"))
	check(err)
	g, err := request.OpenResponseGeometry(welcome.Link, welcome.LinkGeneration)
	check(err)
	response, err := shm.OpenResponseSegment(g, os.NewFile(uintptr(fds[1]), "response"))
	check(err)
	return shm.NewWorkerEnd(request, welcome.Link, welcome.LinkGeneration, response, shm.OpenPeerEventfd(fds[2]))
}

func (d *testDispatcher) inflight(l *link) int {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return l.inflight
}
