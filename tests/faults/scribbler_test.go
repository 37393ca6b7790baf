package faults_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/handworker"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// scribbler is a link whose worker keeps no rule. It takes streams as a good
// worker does, and then writes what it likes at the offsets of the layout table,
// through a mapping of its own.
type scribbler struct {
	handworker.Attachment
	requests  *shm.RequestSegment
	responses *shm.ResponseSegment
	end       *shm.WorkerEnd
	pool      *shm.Pool
	mine      []byte // the response segment, read-write
	theirs    []byte // the request segment, read-only
}

// scribblerLanes is how many lanes a scribbler requests.
const scribblerLanes = 4

// newScribbler attaches to a pool.
func newScribbler(socket, pool string) (*scribbler, error) {
	a, err := handworker.Attach(socket, pool, attach.BellFutex, scribblerLanes)
	if err != nil {
		return nil, err
	}
	s := &scribbler{
		Attachment: *a, mine: handworker.Map(a.Response, unix.PROT_READ|unix.PROT_WRITE),
		theirs: handworker.Map(a.Request, unix.PROT_READ),
	}
	s.requests, _, err = shm.OpenRequestSegment(a.Request)
	must(err)
	g, err := s.requests.OpenResponseGeometry(a.Welcome.Link, a.Welcome.LinkGeneration)
	must(err)
	s.responses, err = shm.OpenResponseSegment(g, a.Response)
	must(err)
	fd, err := unix.FcntlInt(a.Bell.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	must(err)
	bell, err := shm.OpenEventfd(fd)
	must(err)
	s.end = shm.NewWorkerEnd(s.requests, a.Welcome.Link, a.Welcome.LinkGeneration, s.responses, bell)
	s.pool = shm.NewPool(s.end.Buffers())
	return s, nil
}

// scribblerRole serves each request of the pool "bad" by the script that its path
// names, and attaches again whenever the server has thrown it out.
func scribblerRole() {
	for {
		s, err := newScribbler(os.Getenv(harness.SocketVariable), "bad")
		if errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.ENOENT) {
			return // the test is over
		}
		must(err)
		for t := s.take(); t != nil; t = s.take() {
			t.play()
		}
		_ = s.Conn.Close() // the memory stays mapped: what has been evicted may still scribble
	}
}

// open reports whether the server still has the link.
func (s *scribbler) open() bool { return s.end.State() == shm.LinkOpen }

// take accepts the next stream, or returns nil when the link is closed.
func (s *scribbler) take() *turn {
	for s.open() {
		if a, revoked, ok := s.end.Inbox.Take(); ok && revoked {
			s.end.Lane(a.Lane).LetGo(a.StreamID)
		} else if ok {
			return s.accept(a)
		}
		s.sleep(shm.AsleepStream)
	}
	return nil
}

// sleep waits until the server rings, for a moment at most.
func (s *scribbler) sleep(reasons shm.Asleep) {
	count := s.end.Bell()
	if s.end.Sleep(reasons, shm.LinkOpen, nil) {
		_ = s.end.WaitBell(count, 50*time.Millisecond)
	}
	s.end.Awake()
}

func (s *scribbler) accept(a shm.Assignment) *turn {
	t := &turn{scribbler: s, id: a.StreamID, lane: a.Lane, writer: s.end.NewWriter(a.Lane), reader: s.end.Reader(a)}
	if !t.writer.Open(s.pool, 1) {
		panic("no response buffer left")
	}
	t.writer.BindPosition(s.end.Position(a.Lane), a.StreamID)
	s.end.Lane(a.Lane).Accept(a.StreamID)
	slot, err := t.reader.Tail(1)
	must(err)
	_, err = t.request.Parse(slot.Bytes)
	must(err)
	return t
}

// until waits for a condition that the server brings about. It gives up when the
// link is closed, and panics when that takes too long.
func (s *scribbler) until(what string, condition func() bool) {
	for deadline := time.Now().Add(harness.Patience); !condition() && s.open(); time.Sleep(50 * time.Microsecond) {
		if time.Now().After(deadline) {
			panic("waited in vain for " + what)
		}
	}
}

// awaitEviction waits until the server has thrown the link out.
func (s *scribbler) awaitEviction() { s.until("eviction", func() bool { return false }) }

// ring rings the server's bell, whether the server sleeps or not.
func (s *scribbler) ring() {
	_, _ = unix.Write(int(s.Bell.Fd()), []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

// roundsOfWatcher waits until the server's watcher has looked at the notices, after
// everything that was written before the call.
func (s *scribbler) roundsOfWatcher() {
	g := s.requests.Geometry()
	asleep := handworker.Word64(s.theirs,
		g.MailboxesAt+uint64(s.Welcome.Link)*uint64(g.MailboxStride)+offset("mailbox", "watcher_asleep"))
	first := asleep.Load()
	s.until("the watcher's rounds", func() bool {
		s.ring()
		return asleep.Load() > first+2 // it counts its sleeps
	})
}

// word returns one of the link's own 64-bit words.
func (s *scribbler) word(field string) *atomic.Uint64 {
	return handworker.Word64(s.mine, offset("link", field))
}

// offset returns where a word stands in its structure.
func offset(structure, field string) uint64 {
	for _, f := range shm.LayoutTable() {
		if f.Struct == structure && f.Name == field {
			return uint64(f.Offset)
		}
	}
	panic("no word " + structure + "." + field)
}

// turn is one stream in the hands of a scribbler.
type turn struct {
	*scribbler
	id      uint64
	lane    uint32
	writer  *shm.Writer
	reader  shm.Reader
	request proto.Request
}

// play runs the script that the path names.
func (t *turn) play() {
	name := strings.TrimPrefix(t.request.Path, "/bad/")
	script := scripts[name]
	if script == nil {
		panic("no script " + name)
	}
	script(t)
}

// say tells the test how far the script has come.
func (t *turn) say(what string) { fmt.Printf("<%s>\n", what) }

// laneWord returns a 64-bit word of the stream's lane.
func (t *turn) laneWord(field string) *atomic.Uint64 {
	return handworker.Word64(t.mine, t.responses.Geometry().LanesAt+uint64(t.lane)*shm.LaneBytes+offset("lane", field))
}

func (t *turn) descriptorAt(n uint64, field string) uint64 {
	g := t.responses.Geometry()
	return g.DescriptorsAt + (uint64(t.lane)*uint64(g.Ring)+(n-1)%uint64(g.Ring))*shm.DescriptorBytes +
		offset("descriptor", field)
}

// number returns the number in the descriptor of slot n, and descriptor one of
// its 32-bit words.
func (t *turn) number(n uint64) *atomic.Uint64 {
	return handworker.Word64(t.mine, t.descriptorAt(n, "number"))
}

func (t *turn) descriptor(n uint64, field string) *atomic.Uint32 {
	return handworker.Word32(t.mine, t.descriptorAt(n, field))
}

// released returns how many response slots the server is done with: all of them
// when the lane's position is another stream's.
func (t *turn) released() uint64 {
	g := t.requests.Geometry()
	positions := shm.MailboxBytes + uint64(g.InboxEntries)*shm.InboxEntryBytes +
		(uint64(g.NoticeEntries)*shm.NoticeBytes+63)/64*64
	at := g.MailboxesAt + uint64(t.Welcome.Link)*uint64(g.MailboxStride) + positions + uint64(t.lane)*shm.PositionBytes
	released := handworker.Word64(t.theirs, at+offset("position", "released")).Load()
	if handworker.Word64(t.theirs, at+offset("position", "stream_id")).Load() != t.id {
		return shm.AllReleased
	}
	return released
}

// awaitReleased waits until the server is done with slot n.
func (t *turn) awaitReleased(n uint64) {
	t.until("the server to read", func() bool { return t.released() >= n })
}

// awaitRequest waits for slot n of the request.
func (t *turn) awaitRequest(n uint64) (slot shm.Slot) {
	t.until("a request slot", func() bool {
		var err error
		slot, err = t.reader.Tail(n)
		return err == nil
	})
	return slot
}

// put commits a slot, and does not publish it.
func (t *turn) put(kind shm.Kind, bytes []byte) {
	if len(bytes) == 0 {
		must(t.writer.CommitEmpty(kind))
		return
	}
	space, err := t.writer.Reserve(len(bytes))
	must(err)
	t.writer.Commit(copy(space, bytes), kind)
}

// head commits the headers slot of an answer.
func (t *turn) head(status uint16, fields ...proto.Field) {
	t.put(shm.KindHeaders, t.frame(status, fields...))
}

func (t *turn) frame(status uint16, fields ...proto.Field) []byte {
	frame, err := proto.AppendResponse(nil,
		&proto.Response{StreamID: t.id, Version: proto.HTTP11, Status: status, Fields: fields})
	must(err)
	return frame
}

func (t *turn) text(s string) { t.put(shm.KindBody, []byte(s)) }

// publish hands over what is committed.
func (t *turn) publish() {
	t.writer.Publish()
	t.end.Notify(t.lane)
}

// finish commits the end, hands everything over, and lets go of the stream.
func (t *turn) finish() {
	t.put(shm.KindEnd, nil)
	t.publish()
	t.letGo()
}

func (t *turn) letGo() {
	t.until("the server to read to the end", func() bool { return t.released() == shm.AllReleased })
	t.writer.Close()
	t.end.Lane(t.lane).LetGo(t.id)
	t.end.Notify(t.lane)
}
