package worker

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
)

// hangTime is how long anything may take before it counts as hung.
const hangTime = 10 * time.Second

// generation is the generation of a scriptedServer's only link.
const generation = 1

// scriptedServer is a server that a test drives step by step, so that the test decides what
// happens in between. It has one link.
type scriptedServer struct {
	testing.TB
	socket   string
	listener *net.UnixListener
	conn     *net.UnixConn
	requests *shm.RequestSegment
	response *shm.ResponseSegment
	end      *shm.ServerEnd
	pool     *shm.Pool
	rows     []*shm.Writer
	ids      []uint64 // of the streams on the rows
	scheme   string   // of the requests

	bell, workerBell *shm.Eventfd
}

// newScriptedServer returns a server without a worker.
func newScriptedServer(t testing.TB) *scriptedServer {
	t.Helper()
	g, err := shm.PlanRequest(shm.RequestConfig{
		SlotSize: shm.MinSlotSize, SlotLimit: 8, Rows: 4, Links: 2, LinkLanes: 4, Bytes: 1 << 20,
	})
	check(t, err)
	s := &scriptedServer{
		TB: t, socket: filepath.Join(t.TempDir(), "w"), pool: shm.NewPool(g.Buffers),
		rows: make([]*shm.Writer, g.Rows), ids: make([]uint64, g.Rows), scheme: "http",
	}
	s.requests, err = shm.CreateRequestSegment(g, shm.RequestIdentity{Layout: shm.LayoutMax, Hash: shm.LayoutHash()})
	check(t, err)
	s.listener, err = net.ListenUnix("unixpacket", &net.UnixAddr{Name: s.socket, Net: "unixpacket"})
	check(t, err)
	for i := range s.rows {
		s.rows[i] = s.requests.NewWriter(uint32(i))
	}
	t.Cleanup(func() {
		_ = s.listener.Close()
		if s.conn != nil {
			_ = s.conn.Close()
		}
	})
	return s
}

// welcome takes one worker, and gives it lanes.
func (s *scriptedServer) welcome(lanes int) {
	conn, err := s.listener.AcceptUnix()
	if err != nil {
		return // the test has ended
	}
	s.conn = conn
	_, _ = conn.Read(make([]byte, attach.MaxMessage))
	g, err := shm.PlanResponse(shm.MinSlotSize, 8, lanes, 1<<20)
	s.must(err)
	response, file, err := shm.CreateResponseSegment(g)
	s.must(err)
	defer file.Close()
	s.response = response
	s.bell, err = shm.NewEventfd()
	s.must(err)
	s.workerBell, err = shm.NewPeerEventfd()
	s.must(err)
	s.end = shm.NewServerEnd(s.requests, 0, generation, response, s.workerBell)
	packet, err := attach.Encode(&attach.Welcome{
		Layout: shm.LayoutMax, LayoutHash: shm.LayoutHash(),
		ServerPID: uint32(os.Getpid()), Server: "scripted", LinkGeneration: generation,
		Lanes: uint32(lanes), RequestBytes: s.requests.Geometry().Len, ResponseBytes: g.Len,
	})
	s.must(err)
	fds := unix.UnixRights(int(s.requests.File().Fd()), int(file.Fd()), s.bell.FD(), s.workerBell.FD())
	_, _, err = conn.WriteMsgUnix(packet, fds, nil)
	s.must(err)
}

// must is check, in any goroutine.
func (s *scriptedServer) must(err error) {
	if err != nil {
		panic(err)
	}
}

// startScripted returns a server with an attached worker, which the test ends.
func startScripted(t testing.TB, lanes int) (*scriptedServer, *Link) {
	t.Helper()
	s := newScriptedServer(t)
	welcomed := make(chan struct{})
	go func() {
		defer close(welcomed)
		s.welcome(lanes)
	}()
	l, err := Attach(context.Background(), s.socket, WithLanes(lanes))
	check(t, err)
	receive(t, "the server", welcomed)
	t.Cleanup(func() { _ = l.Close() })
	return s, l
}

// assign gives the worker a POST on a row and a lane.
func (s *scriptedServer) assign(id uint64, row, lane uint32) {
	s.Helper()
	s.open(id, row)
	s.end.Position(lane).Open(id)
	s.rows[row].BindLane(s.end.Lane(lane), id, nil)
	s.end.Inbox.Append(shm.Assignment{StreamID: id, Row: row, Lane: lane, Time: shm.Now()})
	s.end.Offered()
}

// open begins a stream on a row, in whose slots the last one's bytes still lie.
func (s *scriptedServer) open(id uint64, row uint32) {
	s.Helper()
	w := s.rows[row]
	if s.ids[row] != 0 {
		w.Close()
	}
	if !w.Open(s.pool, 1) {
		s.Fatal("no room for a row")
	}
	s.ids[row] = id
	s.requests.Row(row).Open(id)
	frame, err := proto.AppendRequest(nil, &proto.Request{
		StreamID: id, Version: proto.HTTP11, Method: "POST", Scheme: s.scheme, Authority: "a", Path: "/",
	})
	check(s, err)
	s.publish(row, frame, shm.KindHeaders)
}

// publish puts a slot into a row, and tells nobody.
func (s *scriptedServer) publish(row uint32, p []byte, kind shm.Kind) {
	s.Helper()
	w := s.rows[row]
	if len(p) == 0 {
		check(s, w.CommitEmpty(kind))
	} else {
		space, err := w.Reserve(len(p))
		check(s, err)
		w.Commit(copy(space, p), kind)
	}
	w.Publish()
}

// tell publishes, and tells the worker if it waits.
func (s *scriptedServer) tell(row, lane uint32, p []byte, kind shm.Kind) {
	s.Helper()
	s.publish(row, p, kind)
	if s.end.Lane(lane).WantsRequest() {
		s.end.Notify(lane)
	}
}

// evict ends the link as a server does before it gives rows and mailbox to others.
func (s *scriptedServer) evict() { s.end.SetState(shm.LinkClosed) }

// awaitLetGo waits until the worker has let go of a stream.
func (s *scriptedServer) awaitLetGo(id uint64, lane uint32) {
	s.Helper()
	eventually(s, "the worker to let go", func() bool { return s.end.Lane(lane).HasLetGo(id) })
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(hangTime); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(hangTime):
		t.Fatalf("waited in vain for %s", what)
	}
	return v
}

func next(t testing.TB, l *Link) *Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangTime)
	defer cancel()
	r, err := l.Next(ctx)
	check(t, err)
	return r
}

func wantError(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
