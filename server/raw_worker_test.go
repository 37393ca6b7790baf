package server

import (
	"context"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// dispatch is a router without clients, whose streams the test assigns itself, to
// workers that do in shared memory what the test says.
type dispatch struct {
	*UploadResponseRouter
	t      *testing.T
	pool   *pool
	socket string
}

func newDispatch(t *testing.T) *dispatch {
	t.Helper()
	c := DefaultConfig()
	c.NumStreams, c.Memory, c.LinkMemory = 8, 32<<20, 2<<20
	r, err := NewRouter(c)
	if err != nil {
		t.Fatal(err)
	}
	d := &dispatch{UploadResponseRouter: r, t: t, pool: r.pools["default"], socket: t.TempDir() + "/workers"}
	d.pool.supervised = true
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: d.socket, Net: "unixpacket"})
	if err != nil {
		t.Fatal(err)
	}
	go r.ServeWorkers(listener)
	t.Cleanup(func() {
		_ = listener.Close()
		if !t.Failed() { // else there may be streams that nobody ends
			_ = r.Close()
		}
	})
	return d
}

// attach returns a new link, and its worker's end.
func (d *dispatch) attach() (*link, *shm.WorkerEnd) {
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

func (d *dispatch) links() []*link {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return append([]*link(nil), d.pool.links...)
}

// stream returns a stream with a head in its request lane.
func (d *dispatch) stream() *stream {
	d.t.Helper()
	s, err := d.requests.acquire(context.Background(), &d.queue, client{}, 1)
	if err != nil {
		d.t.Fatal(err)
	}
	d.put(s, shm.KindHeaders, "head")
	return s
}

func (d *dispatch) put(s *stream, kind shm.Kind, text string) {
	d.t.Helper()
	space, err := s.request.Reserve(len(text))
	if err != nil {
		d.t.Fatal(err)
	}
	s.request.Commit(copy(space, text), kind)
	s.request.Publish()
}

// assign gives s to a link.
func (d *dispatch) assign(l *link, s *stream) *place {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	l.take(s)
	return s.place
}

// revoke takes s back as the clock does when another link has room, and reports
// whether the worker had not taken it.
func (d *dispatch) revoke(s *stream) (untouched bool) {
	d.t.Helper()
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	untouched, err := s.place.link.end.Inbox.Revoke(s.place.entry)
	if err != nil {
		d.t.Fatal(err)
	}
	s.revoked.Store(untouched)
	s.place.tooLate.Store(!untouched)
	return untouched
}

// take takes the next entry of a worker's inbox, which has to be that of a stream.
func (d *dispatch) take(w *shm.WorkerEnd, id uint64) (a shm.Assignment, revoked bool) {
	d.t.Helper()
	a, revoked, ok := w.Inbox.Take()
	if !ok || a.StreamID != id {
		d.t.Fatalf("the worker takes %+v (%v), want stream %d", a, ok, id)
	}
	return a, revoked
}

// passOver takes the next entry, which has to be revoked, and lets go.
func (d *dispatch) passOver(w *shm.WorkerEnd, id uint64) {
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
	hello, err := attach.Encode(&attach.Hello{LayoutMin: 1, LayoutMax: 1, Pool: "default", Name: "raw", SDK: "x", SDKVersion: "1", Lanes: 4, Bell: attach.BellFutex})
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

func (d *dispatch) inflight(l *link) int {
	d.pool.mu.Lock()
	defer d.pool.mu.Unlock()
	return l.inflight
}
