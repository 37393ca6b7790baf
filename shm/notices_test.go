package shm

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"
)

// noticePair is both ends of a ring of four notices.
func noticePair() (*NoticeWriter, *NoticeReader) {
	const entries = 4
	mem := alignedHeap(lineBytes + entries*NoticeBytes)
	ring := newNoticeRing(u64at(mem, 0), mem[lineBytes:], entries)
	return &NoticeWriter{ring: ring}, &NoticeReader{ring: ring}
}

// drained returns the lanes with news.
func drained(tb testing.TB, r *NoticeReader) (lanes []uint32, all bool) {
	tb.Helper()
	all, err := r.Drain(func(lane uint32) { lanes = append(lanes, lane) })
	if err != nil {
		tb.Fatal(err)
	}
	return lanes, all
}

func TestNoticesArriveInOrderRoundAfterRound(t *testing.T) {
	w, r := noticePair()
	for round := range uint32(10) {
		if !r.Empty() {
			t.Fatal("a ring that was drained is not empty")
		}
		w.Push(round)
		w.Push(round + 1)
		w.Push(round + 1)
		if r.Empty() {
			t.Fatal("a ring with notices is empty")
		}
		lanes, all := drained(t, r)
		if want := []uint32{round, round + 1, round + 1}; !slices.Equal(lanes, want) || all {
			t.Fatalf("got %v (all %v), want %v", lanes, all, want)
		}
	}
}

func TestNoticesThatWereOverwrittenAreReported(t *testing.T) {
	for _, pushes := range []int{5, 6, 100} {
		w, r := noticePair()
		for i := range uint32(pushes) {
			w.Push(i)
		}
		if _, all := drained(t, r); !all {
			t.Errorf("%d notices in a ring of 4 and none was missed", pushes)
		}
		if lanes, all := drained(t, r); len(lanes) != 0 || all {
			t.Errorf("after an overflow the ring still has %v (all %v)", lanes, all)
		}
		w.Push(77)
		if lanes, all := drained(t, r); !slices.Equal(lanes, []uint32{77}) || all {
			t.Errorf("after an overflow the next notice is %v (all %v)", lanes, all)
		}
	}
}

// A writer that is about to announce one more than the ring holds has already
// overwritten the oldest.
func TestANoticeThatIsBeingOverwrittenIsNotLost(t *testing.T) {
	w, r := noticePair()
	for lane := range uint32(4) {
		w.Push(lane)
	}
	head := w.ring.head.Load()
	w.ring.entry(head).Store(9) // half a Push: the head has not moved yet
	lanes, all := drained(t, r)
	if !all && !slices.Contains(lanes, 0) {
		t.Errorf("the hint for lane 0 is lost: got %v and nothing was said to be missed", lanes)
	}
	w.ring.head.Store(head + 1)
	if lanes, all := drained(t, r); !all && !slices.Contains(lanes, 9) {
		t.Errorf("the hint for lane 9 is lost: got %v", lanes)
	}
}

func TestAHeadThatRunsBackwardsIsAViolation(t *testing.T) {
	w, r := noticePair()
	w.Push(1)
	w.Push(2)
	drained(t, r)
	w.ring.head.Store(1)
	_, err := r.Drain(func(uint32) { t.Error("a notice was read") })
	wantViolation(t, err, "notice head")
}

func TestAHeadThatJumpsCostsNoMoreThanALookAtEveryLane(t *testing.T) {
	w, r := noticePair()
	w.ring.head.Store(1 << 60)
	if lanes, all := drained(t, r); len(lanes) != 0 || !all {
		t.Errorf("read %d notices (all %v)", len(lanes), all)
	}
}

// Whatever a lane had to tell before its notice is known to the reader once the
// ring is empty, or the reader was told to look at every lane.
func TestNoHintIsLost(t *testing.T) {
	const lanes, rounds = 6, 40_000 / raceSlowdown
	watchdog, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, r := noticePair()
	random := testRand(t)
	order := make([]uint32, 4099)
	for i := range order {
		order[i] = random.Uint32N(lanes)
	}
	var news [lanes]paddedCounter // what each lane has to tell
	var pushed, drained paddedCounter
	go func() {
		for i := range uint64(rounds) {
			for n := range 1 + uint64(order[i%4099])*2 { // up to 11 notices in a ring of 4
				lane := order[(i*11+n)%4099]
				news[lane].Add(1)
				w.Push(lane)
			}
			for pushed.Store(i + 1); drained.Load() != i+1; {
				runtime.Gosched()
			}
		}
	}()
	var seen [lanes]uint64
	look := func(lane uint32) { seen[lane] = news[lane].Load() }
	for round := uint64(1); round <= rounds; round++ {
		for last := false; !last; {
			last = pushed.Load() == round
			all, err := r.Drain(look)
			if err != nil {
				t.Fatal(err)
			}
			if all {
				for lane := range uint32(lanes) {
					look(lane)
				}
			}
			if watchdog.Err() != nil {
				t.Fatal("the writer does not come to its end")
			}
		}
		for lane := range news {
			if got, want := seen[lane], news[lane].Load(); got != want {
				t.Fatalf("round %d: lane %d has %d pieces of news, the reader was told of %d", round, lane, want, got)
			}
		}
		drained.Store(round)
	}
}
