package shm

import (
	"math"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// offer appends a stream with this id, for which the inbox must have room.
func (l *heapLink) offer(tb testing.TB, id uint64) (entry uint64) {
	tb.Helper()
	room, _, err := l.server.Inbox.Room()
	if err != nil || !room {
		tb.Fatalf("no room for stream %d: %v", id, err)
	}
	return l.server.Inbox.Append(Assignment{StreamID: id, Row: uint32(id % 3), Lane: uint32(id % 2),
		Time: int64(id) * 10})
}

// take takes a stream, which must be there.
func (l *heapLink) take(tb testing.TB) (a Assignment, revoked bool) {
	tb.Helper()
	a, revoked, ok := l.worker.Inbox.Take()
	if !ok {
		tb.Fatal("the inbox is empty")
	}
	return a, revoked
}

func (l *heapLink) revoke(tb testing.TB, entry uint64) bool {
	tb.Helper()
	untaken, err := l.server.Inbox.Revoke(entry)
	if err != nil {
		tb.Fatal(err)
	}
	return untaken
}

func TestStreamsAreTakenInTheOrderInWhichTheyWereAssigned(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	if _, _, ok := l.worker.Inbox.Take(); ok || !l.worker.Inbox.Empty() {
		t.Fatal("a new inbox is not empty")
	}
	for id := uint64(1); id < 100; id += 3 {
		for i := range uint64(3) {
			l.offer(t, id+i)
		}
		for i := range uint64(3) {
			want := Assignment{StreamID: id + i, Row: uint32((id + i) % 3), Lane: uint32((id + i) % 2),
				Time: int64(id+i) * 10}
			if got, revoked := l.take(t); got != want || revoked {
				t.Fatalf("took %+v (revoked %v), want %+v", got, revoked, want)
			}
		}
	}
	if !l.worker.Inbox.Empty() {
		t.Error("the inbox is not empty in the end")
	}
}

func TestTheInboxHasRoomForAllLanesButNeverForTheEntryJustTaken(t *testing.T) {
	l := newHeapLink(t, fewSlots) // two lanes: four entries, one of them spare
	for id := uint64(1); id <= 3; id++ {
		l.offer(t, id)
	}
	if room, empty, err := l.server.Inbox.Room(); room || empty || err != nil {
		t.Fatalf("a full inbox: room %v, empty %v, %v", room, empty, err)
	}
	flag := u32at(l.worker.Inbox.ring.mem, l.worker.Inbox.ring.at(0, inbRevoked))
	flag.Store(1)
	l.take(t)
	l.offer(t, 4)
	if flag.Load() != 1 {
		t.Error("the entry whose revocation the worker still looks at was overwritten")
	}
	for range 3 {
		l.take(t)
	}
	if room, empty, err := l.server.Inbox.Room(); !room || !empty || err != nil {
		t.Errorf("an empty inbox: room %v, empty %v, %v", room, empty, err)
	}
}

func TestAnEntryThatIsRevokedBeforeItIsTakenIsNotServed(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	first, second := l.offer(t, 1), l.offer(t, 2)
	if !l.revoke(t, first) {
		t.Error("the server does not know that nobody has taken the stream")
	}
	if a, revoked := l.take(t); a.StreamID != 1 || !revoked {
		t.Errorf("took %+v, revoked %v", a, revoked)
	}
	if a, revoked := l.take(t); a.StreamID != 2 || revoked {
		t.Errorf("took %+v, revoked %v", a, revoked)
	}
	if l.revoke(t, second) {
		t.Error("the server believes that nobody has taken a stream that is being served")
	}
}

// The server may learn late that it wants a stream back, when its entry belongs
// to another.
func TestRevokingAnOldEntryDoesNotTouchTheOneThatHasItsPlace(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	old := l.offer(t, 1)
	l.take(t)
	for id := uint64(2); id <= 4; id++ {
		l.offer(t, id)
		l.take(t)
	}
	l.offer(t, 5) // in the place of stream 1
	if l.revoke(t, old) {
		t.Error("the server believes that nobody has taken stream 1")
	}
	if a, revoked := l.take(t); a.StreamID != 5 || revoked {
		t.Errorf("took %+v, revoked %v; want stream 5, which nobody revoked", a, revoked)
	}
}

func TestAWorkerThatTakesWhatIsNotThereIsAViolation(t *testing.T) {
	for _, taken := range []uint64{3, math.MaxUint64} {
		l := newHeapLink(t, fewSlots)
		entry := l.offer(t, 1)
		l.offer(t, 2)
		l.worker.Inbox.ring.taken.Store(taken)
		_, err := l.server.Inbox.Taken()
		wantViolation(t, err, "taken streams")
		_, _, err = l.server.Inbox.Room()
		wantViolation(t, err, "taken streams")
		_, err = l.server.Inbox.Revoke(entry)
		wantViolation(t, err, "taken streams")
	}
}

func TestAWorkerThatGivesBackWhatItTookIsAViolation(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	l.offer(t, 1)
	l.take(t)
	if n, err := l.server.Inbox.Taken(); n != 1 || err != nil {
		t.Fatalf("taken %d, %v", n, err)
	}
	l.worker.Inbox.ring.taken.Store(0)
	_, err := l.server.Inbox.Taken()
	wantViolation(t, err, "taken streams")
}

func TestAnAssignmentToARowOrLaneThatIsNotThereIsRefused(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	for a, good := range map[Assignment]bool{
		{Row: 2, Lane: 1}: true, {Row: 3, Lane: 1}: false, {Row: 2, Lane: 2}: false, {Row: math.MaxUint32}: false,
	} {
		if err := l.worker.CheckAssignment(a); (err == nil) != good {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

// Either the server knows that it has the stream back, or the worker serves it,
// or the worker passes it over although the server could not know: one of the
// three, always, and never two.
func TestAStreamIsNeverServedByTwo(t *testing.T) {
	const streams = 4_000_000 / raceSlowdown
	l := newHeapLink(t, fewSlots)
	random := testRand(t)
	passedOver := make([]bool, streams)
	taken := make(chan struct{})
	var end atomic.Uint64 // a busy machine gets less far
	end.Store(streams)
	pauses := make([]uint8, 4096) // both sides read it: no generator in the race
	for i := range pauses {
		pauses[i] = uint8(random.Uint32())
	}
	go func() {
		defer close(taken)
		for n := uint64(0); ; n++ {
			for l.worker.Inbox.Empty() {
				if n == end.Load() {
					return
				}
				runtime.Gosched()
			}
			runtime.KeepAlive(spin(pauses[n%4096] / 16))
			a, revoked, _ := l.worker.Inbox.Take()
			if a.StreamID != n {
				t.Errorf("took stream %d, want %d", a.StreamID, n)
				return
			}
			passedOver[n] = revoked
		}
	}()
	gotBack := make([]bool, 0, streams)
	for start, n := time.Now(), uint64(0); n < streams; n++ {
		if n%1024 == 0 && time.Since(start) > 4*time.Second {
			end.Store(n)
			break
		}
		for room := false; !room; runtime.Gosched() {
			var err error
			if room, _, err = l.server.Inbox.Room(); err != nil {
				t.Fatal(err)
			}
			if t.Failed() {
				t.FailNow() // the worker has given up
			}
		}
		entry := l.server.Inbox.Append(Assignment{StreamID: n})
		runtime.KeepAlive(spin(pauses[(n*7+3)%4096]))
		gotBack = append(gotBack, l.revoke(t, entry))
	}
	<-taken
	var outcomes struct{ gotBack, served, passedOver int }
	for n := range gotBack {
		switch {
		case gotBack[n] && !passedOver[n]:
			t.Fatalf("stream %d is served although the server has it back", n)
		case gotBack[n]:
			outcomes.gotBack++
		case passedOver[n]:
			outcomes.passedOver++
		default:
			outcomes.served++
		}
	}
	t.Logf("of %d streams: %+v", len(gotBack), outcomes)
}

// spin wastes a little time, so that two goroutines meet at different points.
//
//go:noinline
func spin(n uint8) (sum uint64) {
	for i := range uint64(n) {
		sum = sum*31 + i
	}
	return sum
}

// A link was evicted, its mailbox serves another worker by now, and the first
// has not heard of it yet.
func TestAWorkerOfAnEarlierAttachTakesNothing(t *testing.T) {
	for before := range uint64(3) {
		for after := range uint64(3) {
			l := newHeapLink(t, fewSlots)
			for id := range before {
				l.offer(t, id+1)
				l.take(t)
			}
			g := fewSlots.responseGeometry(t)
			next := NewServerEnd(l.request, 0, 2, newResponseSegment(g, alignedHeap(g.Len)), nil)
			for id := range after {
				next.Inbox.Append(Assignment{StreamID: 100 + id})
			}
			if a, _, ok := l.worker.Inbox.Take(); ok {
				t.Errorf("after %d streams of its own it took %+v, one of %d of another worker", before, a, after)
			}
			if state := l.worker.State(); state != LinkClosed {
				t.Errorf("its link is in state %d, want closed", state)
			}
			if l.worker.Sleep(AsleepNotice, LinkOpen, nil) {
				t.Error("it may sleep for ever")
			}
		}
	}
}

// The server frees the response segment of a link that is over while its worker may
// still look: what the worker has said there is zero then.
func TestNothingIsTakenTwiceWhenTheResponseMemoryIsGone(t *testing.T) {
	l := newHeapLink(t, fewSlots)
	l.offer(t, 1)
	l.take(t)
	l.worker.Inbox.ring.taken.Store(0)
	if a, _, ok := l.worker.Inbox.Take(); ok || !l.worker.Inbox.Empty() {
		t.Errorf("took %+v once more", a)
	}
}
