package shm

import (
	"errors"
	"testing"
)

// acceptOn makes the worker accept the stream on a lane, from its beginning.
func (l *testLane) acceptOn(lane uint32) Reader {
	r := l.link.worker.Reader(Assignment{StreamID: l.streamID, Lane: lane})
	l.link.worker.Lane(lane).Accept(l.streamID)
	return r
}

func TestALaneThatIsKeptCanBeReadAgainByAnotherWorker(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.writer.Keep(true)
	l.putHeaders(t)
	l.put(t, KindBody, make([]byte, 4096))
	pattern(7).fill(l.tail(t, 2).Bytes, 0)
	l.reader.Release(2)
	if err := l.writer.Reclaim(); err != nil {
		t.Fatal(err)
	}
	if !l.writer.Whole() {
		t.Fatal("a slot was taken back although the lane is kept")
	}

	l.writer.Unbind() // the first worker is dead
	l.writer.BindLane(l.link.server.Lane(1), l.streamID, nil)
	l.reader = l.acceptOn(1)
	l.tail(t, 1)
	if err := pattern(7).check(l.tail(t, 2).Bytes, 0); err != nil {
		t.Fatal(err)
	}

	l.writer.Keep(false)
	if err := l.writer.Reclaim(); err != nil || !l.writer.Whole() {
		t.Fatalf("what the dead worker released counts for the living one (%v)", err)
	}
	l.reader.Release(2)
	if err := l.writer.Reclaim(); err != nil {
		t.Fatal(err)
	}
	if l.writer.Whole() || l.writer.Outstanding() != 0 {
		t.Error("the lane stays whole although nobody keeps it")
	}
}

func TestAKeptLaneIsFullAtItsLimit(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.writer.Keep(true)
	l.putHeaders(t)
	for range fewSlots.limit - 1 {
		l.put(t, KindBody, []byte("x"))
	}
	l.tail(t, uint64(fewSlots.limit))
	l.reader.Release(uint64(fewSlots.limit))
	if err := l.tryPut(KindBody, []byte("x")); err != ErrNoRoom {
		t.Errorf("a slot of a whole lane was overwritten: %v", err)
	}
	l.writer.Keep(false)
	l.put(t, KindBody, []byte("x"))
}

func TestWhatAnUnboundReaderReleasesDoesNotCount(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.putHeaders(t)
	l.writer.Unbind()
	for _, scribble := range []uint64{1, 99, AllReleased} {
		l.released.Store(scribble)
		if err := l.writer.Reclaim(); err != nil {
			t.Errorf("released %d: %v", scribble, err)
		}
	}
	if !l.writer.Whole() {
		t.Error("a slot was taken back")
	}
}

func TestTheCountersOfALanesLastStreamDoNotCountForTheNext(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	l := link.openRequestLane(t, 1)
	l.putHeaders(t)
	l.tail(t, 1)
	l.reader.Release(1)
	l.writer.Close()

	// The next stream is assigned to the lane; its worker has not accepted it.
	next := link.request.NewWriter(1)
	next.Open(l.pool, 1)
	next.BindLane(link.server.Lane(0), l.streamID+1, nil)
	if err := next.Reclaim(); err != nil || !next.Whole() {
		t.Errorf("a slot of the last stream counted for the next: %v", err)
	}
	response := link.server.Reader(0, l.streamID+1)
	link.worker.Lane(0).published.Store(3) // of the last stream
	if n, err := response.Published(); n != 0 || err != nil {
		t.Errorf("%d slots of the last response (%v) counted for the next", n, err)
	}
}

func TestALaneIsDetachedOnlyWhileItIsWhole(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.putHeaders(t)
	l.tail(t, 1)
	l.reader.Release(1)
	if !l.writer.Detach() {
		t.Fatal("nothing was taken back, and the lane cannot be detached")
	}
	if l.put(t, KindBody, []byte("x")); !l.writer.Whole() {
		t.Fatal("a slot was taken back although the reader was detached")
	}

	l.writer.BindLane(l.link.server.Lane(1), l.streamID, nil)
	l.reader = l.acceptOn(1)
	l.tail(t, 1)
	l.reader.Release(1)
	if err := l.writer.Reclaim(); err != nil {
		t.Fatal(err)
	}
	l.link.worker.Lane(1).Accept(0) // it takes back its acceptance
	if l.writer.Detach() {
		t.Error("a slot was taken back, and the lane counts as whole")
	}
}

func TestAWrongCountIsThatOfTheReaderThatWasBoundThen(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.putHeaders(t)
	owner := new(int)
	l.writer.BindLane(l.link.server.Lane(1), l.streamID, owner)
	l.acceptOn(1)
	l.link.worker.Lane(1).released.Store(2)
	var violation *Violation
	if err := l.writer.Reclaim(); !errors.As(err, &violation) || violation.Owner != owner {
		t.Errorf("the violation is %+v", violation)
	}
}

func TestTheCountThatIsWatchedIsWithinWhatIsPublished(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.putHeaders(t)
	l.released.Store(1 << 40)
	if n := l.writer.Progress(); n != 1 {
		t.Errorf("%d slots of 1 are released", n)
	}
}
