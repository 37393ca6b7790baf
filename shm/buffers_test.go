package shm

import "testing"

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

// A reservation that was given up held back the reuse of its buffer; the next one must
// not suffer, or a lane whose every slot is released would wait forever for one more to
// be.
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

func TestALaneThatIsEmptiedKeepsItsGuarantee(t *testing.T) {
	bothDirections(t, fewSlots, 2, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, make([]byte, 4096))
		l.put(t, KindBody, make([]byte, 4096))
		l.wantStats(t, 1, 0)
		l.writer.Empty()
		l.wantStats(t, 4, 2)
		l.released.Store(99) // of whoever has the words now
		if err := l.writer.Reclaim(); err != nil {
			t.Error(err)
		}
	})
}

func TestALaneThatIsReopenedStartsAnewWithTheGuaranteeItHas(t *testing.T) {
	bothDirections(t, fewSlots, 2, func(t *testing.T, l *testLane) {
		l.writer.Keep(true)
		l.putHeaders(t)
		l.put(t, KindBody, make([]byte, 4096))
		greedy := mustOpen(t, l.pool, 0)
		for _, ok := greedy.Take(); ok; _, ok = greedy.Take() {
		}
		l.writer.Reopen()
		if got := l.pool.Stats(); got.Owed != 2 || got.Free != 2 {
			t.Errorf("a greedy neighbour has taken what the lane is owed: %+v", got)
		}
		if l.writer.Committed() != 0 || l.writer.Outstanding() != 0 || l.published.Load() != 0 || !l.writer.Whole() {
			t.Error("something is left of the last stream")
		}
	})
}

func TestAClosedLaneTakesNothingBack(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.writer.Close()
		l.released.Store(99) // of whoever has the words now
		if err := l.writer.Reclaim(); err != nil {
			t.Error(err)
		}
		l.wantStats(t, 4, 0)
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
