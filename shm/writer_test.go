package shm

import (
	"bytes"
	"errors"
	"testing"
)

// wantStats fails unless the lane's pool is this full.
func (l *testLane) wantStats(tb testing.TB, free, owed int) {
	tb.Helper()
	if got, want := l.pool.Stats(), (PoolStats{Total: l.pool.total, Free: free, Owed: owed}); got != want {
		tb.Errorf("pool %+v, want %+v", got, want)
	}
}

func TestSmallSlotsShareABuffer(t *testing.T) {
	s := sizes{slotSize: 64 << 10, limit: 2048, rows: 1, lanes: 1, requestBuffers: 2, responseBuffers: 2}
	bothDirections(t, s, 1, func(t *testing.T, l *testLane) {
		l.put(t, KindHeaders, []byte{1})
		for n := 2; n <= 1024; n++ {
			l.put(t, KindBody, []byte{byte(n)})
		}
		if got := l.writer.Held(); got != 1 {
			t.Errorf("1024 slots of one byte hold %d buffers of 64 KiB, want 1", got)
		}
		for n := uint64(1); n <= 1024; n++ {
			if got := l.tail(t, n).Bytes; len(got) != 1 || got[0] != byte(n) {
				t.Fatalf("slot %d is %v", n, got)
			}
		}
		l.put(t, KindBody, []byte{0})
		if got := l.writer.Held(); got != 2 {
			t.Errorf("one slot more holds %d buffers, want 2", got)
		}
	})
}

func TestABufferIsUsedFromItsStartAgainWhenAllOfItIsReleased(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, make([]byte, 1000))
		space, err := l.writer.Reserve(1)
		if want := 4096 - 64 - 1024; err != nil || len(space) != want {
			t.Fatalf("%d bytes (%v) are left of the buffer, want %d", len(space), err, want)
		}
		l.tail(t, 2)
		l.reader.Release(2)
		space, err = l.writer.Reserve(1)
		if err != nil || len(space) != 4096 {
			t.Fatalf("%d bytes (%v) are left of a buffer that nobody reads, want all", len(space), err)
		}
		if got := l.writer.Held(); got != 1 {
			t.Errorf("the lane holds %d buffers, want the same one", got)
		}
	})
}

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

func TestAReservationIsNeverSmallerThanWhatWasAskedFor(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, make([]byte, 3064))
		space, err := l.writer.Reserve(960)
		if err != nil || len(space) != 960 || l.writer.Held() != 1 {
			t.Errorf("960 bytes that fit exactly: got %d of buffer %d, %v", len(space), l.writer.Held(), err)
		}
		space, err = l.writer.Reserve(961)
		if err != nil || len(space) != 4096 || l.writer.Held() != 2 {
			t.Errorf("961 bytes that do not fit: got %d of buffer %d, %v", len(space), l.writer.Held(), err)
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
		if slot := l.tail(t, 1); string(slot.Bytes) != "hello" || slot.Kind != KindHeaders || slot.Number != 1 || slot.Time == 0 {
			t.Errorf("a published slot is %+v", slot)
		}
	})
}

func TestAReservationSurvivesAReclaim(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, []byte("first"))
		first := l.tail(t, 2)
		space, err := l.writer.Reserve(6)
		if err != nil {
			t.Fatal(err)
		}
		l.reader.Release(2)
		if err := l.writer.Reclaim(); err != nil { // somebody else, meanwhile
			t.Fatal(err)
		}
		copy(space, "second")
		l.writer.Commit(6, KindBody)
		l.writer.Publish()
		if got := l.tail(t, 3).Bytes; string(got) != "second" {
			t.Errorf("the slot is %q", got)
		}
		if &space[0] == &first.Bytes[0] {
			t.Error("the reservation was not behind the slot before it")
		}
	})
}

// A reservation that was given up held back the reuse of its buffer; the next
// one must not suffer, or a lane whose every slot is released would wait for
// ever for one more to be.
func TestAReservationThatWasGivenUpCostsNoRoom(t *testing.T) {
	s := fewSlots
	s.requestBuffers, s.responseBuffers, s.lanes = 1, 1, 1
	bothDirections(t, s, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.tail(t, 1)
		if _, err := l.writer.Reserve(1); err != nil {
			t.Fatal(err)
		}
		l.reader.Release(1)
		if err := l.writer.Reclaim(); err != nil {
			t.Fatal(err)
		}
		space, err := l.writer.Reserve(4096)
		if err != nil || len(space) != 4096 {
			t.Errorf("got %d bytes (%v) of a lane that nobody reads, want all", len(space), err)
		}
	})
}

func TestALaneMovesOnWhenItsReaderIsDoneWithEverything(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.released.Store(AllReleased)
		for range 20 {
			l.put(t, KindBody, make([]byte, 4096))
		}
		if err := l.writer.Reclaim(); err != nil {
			t.Fatal(err)
		}
		if l.writer.Outstanding() != 0 {
			t.Errorf("%d slots are out", l.writer.Outstanding())
		}
	})
}

func TestClosingALaneGivesBackEveryBuffer(t *testing.T) {
	bothDirections(t, fewSlots, 2, func(t *testing.T, l *testLane) {
		l.wantStats(t, 4, 2)
		l.putHeaders(t)
		l.put(t, KindBody, make([]byte, 4096))
		l.put(t, KindBody, make([]byte, 100))
		l.wantStats(t, 1, 0)
		l.writer.Close()
		l.wantStats(t, 4, 0)
		l.writer.Close() // closing twice does nothing
		l.wantStats(t, 4, 0)
		if !l.writer.Open(l.pool, 2) {
			t.Error("the lane cannot be opened again")
		}
		l.wantStats(t, 4, 2)
	})
}

func TestALaneThatNeedsNoMoreGivesUpItsGuarantee(t *testing.T) {
	bothDirections(t, fewSlots, 3, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.wantStats(t, 3, 2)
		l.writer.LowerGuarantee()
		l.wantStats(t, 3, 0)
		l.writer.Close()
		l.wantStats(t, 4, 0)
	})
}

func TestALaneIsNotOpenedWithoutItsGuarantee(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	pool, w := NewPool(2), l.request.NewWriter(0)
	if w.Open(pool, 3) {
		t.Fatal("opened with three of two buffers")
	}
	if !w.Open(pool, 2) {
		t.Error("not opened with two of two buffers")
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

func TestAReaderThatReleasesWhatItWasNeverGivenIsAViolation(t *testing.T) {
	calls := map[string]func(*Writer) error{
		"Reserve":     func(w *Writer) error { _, err := w.Reserve(1); return err },
		"CommitEmpty": func(w *Writer) error { return w.CommitEmpty(KindEnd) },
		"Reclaim":     (*Writer).Reclaim,
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
				l.putHeaders(t)
				l.put(t, KindBody, []byte("x"))
				l.released.Store(3)
				wantViolation(t, call(l.writer), "released slots")
				l.released.Store(AllReleased - 1)
				wantViolation(t, call(l.writer), "released slots")
			})
		})
	}
}

func TestAReaderMayNotReleaseWhatIsNotPublishedYet(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		if _, err := l.writer.Reserve(1); err != nil {
			t.Fatal(err)
		}
		l.writer.Commit(1, KindHeaders)
		l.released.Store(1)
		wantViolation(t, l.writer.Reclaim(), "released slots")
	})
}

func TestAReaderThatTakesAReleaseBackIsAViolation(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, []byte("x"))
		l.released.Store(2)
		if err := l.writer.Reclaim(); err != nil {
			t.Fatal(err)
		}
		l.released.Store(1)
		wantViolation(t, l.writer.Reclaim(), "released slots")
	})
}
