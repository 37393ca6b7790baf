package shm

import (
	"sync/atomic"
	"testing"
)

// testLane is both ends of one lane, and the peer's words to scribble on.
type testLane struct {
	link      *heapLink
	streamID  uint64
	pool      *Pool
	writer    *Writer
	reader    Reader
	published *atomic.Uint64 // what the reader is told
	released  *atomic.Uint64 // what the writer is told
}

// openRequestLane opens row 0 for a new stream that lane 0 has accepted.
func (l *heapLink) openRequestLane(tb testing.TB, guarantee int) *testLane {
	tb.Helper()
	l.lastID++
	row, lane := l.request.Row(0), l.worker.Lane(0)
	t := &testLane{
		link: l, streamID: l.lastID, pool: NewPool(l.request.Geometry().Buffers), writer: l.request.NewWriter(0),
		published: row.published, released: lane.released,
	}
	if !t.writer.Open(t.pool, guarantee) {
		tb.Fatal("the pool cannot promise the guarantee")
	}
	row.Open(t.streamID)
	t.writer.BindLane(lane, t.streamID, nil)
	t.reader = l.worker.Reader(Assignment{StreamID: t.streamID})
	lane.Accept(t.streamID)
	return t
}

// openResponseLane opens lane 0 for the response to a new stream.
func (l *heapLink) openResponseLane(tb testing.TB, guarantee int) *testLane {
	tb.Helper()
	l.lastID++
	lane, position := l.worker.Lane(0), l.server.Position(0)
	t := &testLane{
		link: l, streamID: l.lastID, pool: NewPool(l.worker.Buffers()), writer: l.worker.NewWriter(0),
		published: lane.published, released: position.released,
	}
	position.Open(t.streamID)
	t.reader = l.server.Reader(0, t.streamID)
	if !t.writer.Open(t.pool, guarantee) {
		tb.Fatal("the pool cannot promise the guarantee")
	}
	t.writer.BindPosition(l.worker.Position(0), t.streamID)
	lane.Accept(t.streamID)
	return t
}

// bothDirections runs a test on a request lane and on a response lane: what
// holds for one holds for the other.
func bothDirections(t *testing.T, s sizes, guarantee int, test func(*testing.T, *testLane)) {
	t.Helper()
	t.Run("request", func(t *testing.T) { test(t, newHeapLink(t, s).openRequestLane(t, guarantee)) })
	t.Run("response", func(t *testing.T) { test(t, newHeapLink(t, s).openResponseLane(t, guarantee)) })
}

// put commits a slot with these bytes and publishes it.
func (l *testLane) put(tb testing.TB, kind Kind, body []byte) {
	tb.Helper()
	if err := l.tryPut(kind, body); err != nil {
		tb.Fatalf("slot %d: %v", l.writer.Committed()+1, err)
	}
}

func (l *testLane) tryPut(kind Kind, body []byte) error {
	space, err := l.writer.Reserve(len(body))
	if err != nil {
		return err
	}
	copy(space, body)
	l.writer.Commit(len(body), kind)
	l.writer.Publish()
	return nil
}

// putHeaders commits and publishes slot 1.
func (l *testLane) putHeaders(tb testing.TB) {
	tb.Helper()
	l.put(tb, KindHeaders, []byte("headers"))
}

// tail returns slot n, which must be there.
func (l *testLane) tail(tb testing.TB, n uint64) Slot {
	tb.Helper()
	slot, err := l.reader.Tail(n)
	if err != nil {
		tb.Fatalf("slot %d: %v", n, err)
	}
	return slot
}
