package shm

import "testing"

func TestALaneAllocatesNothing(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		next := uint64(1)
		l.tail(t, next)
		l.reader.Release(next)
		if got := testing.AllocsPerRun(1000, func() {
			for _, n := range []int{1, 4096, 100} {
				space, err := l.writer.Reserve(n)
				if err != nil {
					t.Fatal(err)
				}
				space[0] = 1
				l.writer.Commit(n, KindBody)
			}
			l.writer.Publish()
			for range 3 {
				next++
				if _, err := l.reader.Tail(next); err != nil {
					t.Fatal(err)
				}
			}
			l.reader.Release(next)
		}); got != 0 {
			t.Errorf("three slots cost %v allocations", got)
		}
	})
}

func TestLookingForASlotThatIsNotThereAllocatesNothing(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		if got := testing.AllocsPerRun(1000, func() { _, _ = l.reader.Tail(1) }); got != 0 {
			t.Errorf("it costs %v allocations", got)
		}
	})
}

func TestHandingAStreamOverAllocatesNothing(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	if got := testing.AllocsPerRun(1000, func() {
		entry := link.server.Inbox.Append(Assignment{StreamID: 1})
		link.server.Offered()
		if _, _, ok := link.worker.Inbox.Take(); !ok {
			t.Fatal("nothing to take")
		}
		if _, err := link.server.Inbox.Revoke(entry); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("it costs %v allocations", got)
	}
}

func TestNoticesAllocateNothing(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	news := func(uint32) {}
	if got := testing.AllocsPerRun(1000, func() {
		link.server.Notify(1)
		if _, err := link.worker.News(news); err != nil {
			t.Fatal(err)
		}
	}); got != 0 {
		t.Errorf("a notice costs %v allocations", got)
	}
}

func TestAPoolAllocatesNothing(t *testing.T) {
	a := mustOpen(t, NewPool(4), 1)
	if got := testing.AllocsPerRun(1000, func() { a.Give(mustTake(t, a)) }); got != 0 {
		t.Errorf("a buffer costs %v allocations", got)
	}
}
