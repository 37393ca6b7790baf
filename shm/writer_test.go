package shm

import (
	"bytes"
	"errors"
	"testing"
)

func TestALaneNeverHasMoreSlotsOutThanItsLimit(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		for range fewSlots.limit - 1 {
			l.put(t, KindBody, []byte("x"))
		}
		if _, err := l.writer.Reserve(1); !errors.Is(err, ErrNoRoom) {
			t.Errorf("Reserve beyond the limit: %v", err)
		}
		if err := l.writer.CommitEmpty(KindEnd); !errors.Is(err, ErrNoRoom) {
			t.Errorf("CommitEmpty beyond the limit: %v", err)
		}
		if got := l.writer.Outstanding(); got != uint64(fewSlots.limit) {
			t.Errorf("%d slots are out, want %d", got, fewSlots.limit)
		}
		l.tail(t, 1)
		l.reader.Release(1)
		l.put(t, KindBody, []byte("y"))
		if err := l.writer.CommitEmpty(KindEnd); !errors.Is(err, ErrNoRoom) {
			t.Errorf("one slot was released and two were committed: %v", err)
		}
	})
}

func TestALaneThatHadNoRoomGoesOnWhenBuffersAreReleased(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		whole := make([]byte, 4096)
		l.put(t, KindHeaders, whole)
		for range 3 {
			l.put(t, KindBody, whole)
		}
		if err := l.tryPut(KindBody, whole); !errors.Is(err, ErrNoRoom) {
			t.Fatalf("a fifth of four buffers: %v", err)
		}
		l.tail(t, 2)
		l.reader.Release(2)
		for range 2 {
			l.put(t, KindBody, whole)
		}
		if err := l.tryPut(KindBody, whole); !errors.Is(err, ErrNoRoom) {
			t.Fatalf("a third of two buffers that came back: %v", err)
		}
	})
}

func TestNothingIsVisibleBeforeItIsPublished(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		space, err := l.writer.Reserve(5)
		if err != nil {
			t.Fatal(err)
		}
		copy(space, "hello")
		l.writer.Commit(5, KindHeaders)
		if _, err := l.reader.Tail(1); !errors.Is(err, ErrNothingYet) {
			t.Errorf("a committed slot: %v, want ErrNothingYet", err)
		}
		if !l.writer.Publish() || l.writer.Publish() {
			t.Error("Publish does not say whether there was something to publish")
		}
		if slot := l.tail(t, 1); string(slot.Bytes) != "hello" || slot.Kind != KindHeaders || slot.Number != 1 ||
			slot.Time == 0 {
			t.Errorf("a published slot is %+v", slot)
		}
	})
}

func TestALaneThatIsOpenedAgainIsNotKept(t *testing.T) {
	l := newHeapLink(t, fewSlots).openRequestLane(t, 1)
	l.writer.Keep(true)
	l.writer.Close()
	l.writer.Open(l.pool, 1)
	l.writer.BindLane(l.link.server.Lane(0), l.streamID, nil)
	l.reader = l.acceptOn(0)
	l.putHeaders(t)
	l.tail(t, 1)
	l.reader.Release(1)
	if err := l.writer.Reclaim(); err != nil || l.writer.Whole() {
		t.Errorf("it still keeps what is released (%v)", err)
	}
}

func TestALaneIsReusedForStreamAfterStream(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		for round := range 50 {
			body := bytes.Repeat([]byte{byte(round)}, 10+round*50)
			l.putHeaders(t)
			l.put(t, KindBody, body)
			if err := l.writer.CommitEmpty(KindEnd); err != nil {
				t.Fatal(err)
			}
			l.writer.Publish()
			if got := l.tail(t, 2).Bytes; !bytes.Equal(got, body) {
				t.Fatalf("round %d: %d bytes, not the ones that were sent", round, len(got))
			}
			if got := l.tail(t, 3); got.Kind != KindEnd || len(got.Bytes) != 0 {
				t.Fatalf("round %d: the lane ends with %+v", round, got)
			}
			l.reader.Release(3)
			l.writer.Close()
			l.wantStats(t, 4, 0)
			*l = *l.again(t)
		}
	})
}

// again opens the same lane for the next stream.
func (l *testLane) again(tb testing.TB) *testLane {
	tb.Helper()
	if l.published == l.link.worker.Lane(0).published {
		return l.link.openResponseLane(tb, 1)
	}
	return l.link.openRequestLane(tb, 1)
}

func TestWhatACallerMayNotDoPanics(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		wantPanic(t, func() { _, _ = l.writer.Reserve(0) })
		wantPanic(t, func() { _, _ = l.writer.Reserve(4097) })
		wantPanic(t, func() { l.writer.Commit(1, KindHeaders) }) // nothing is reserved
		space, err := l.writer.Reserve(1)
		if err != nil {
			t.Fatal(err)
		}
		wantPanic(t, func() { l.writer.Commit(0, KindHeaders) })
		wantPanic(t, func() { l.writer.Commit(len(space)+1, KindHeaders) })
		l.writer.Commit(1, KindHeaders)
		wantPanic(t, func() { l.writer.Commit(1, KindBody) }) // it was used up
		wantPanic(t, func() { l.reader.Release(1) })          // it was never seen
	})
}
