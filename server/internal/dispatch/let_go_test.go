package dispatch

import (
	"errors"
	"testing"

	"github.com/wavey-ai/upload-response/shm"
)

// A stream comes back to the lane that it was taken back from, with another one in
// between: the worker's letting go of the first entry says nothing of the second.
func TestALetGoOfAnEarlierEntryIsNotTakenForThatOfTheNext(t *testing.T) {
	d := newTestDispatcher(t)
	link, w := d.attach()
	x, y := d.stream(false), d.stream(false)
	idOfY := y.id.Load()
	lane := d.assign(link, x).index
	if !d.revoke(x) {
		t.Fatal("nobody has taken it, and it cannot be taken back")
	}
	link.detach(x)
	d.passOver(w, x.id.Load())
	if at := d.assign(link, y); at.index != lane {
		t.Fatalf("the second stream is on lane %d, want %d", at.index, lane)
	}
	link.finish(y, shm.ReasonClientGone, false) // before the worker has taken it

	at := d.assign(link, x)
	if at.index != lane || !at.lane.HasLetGo(x.id.Load()) {
		t.Fatalf("the stream is back on lane %d, want %d, where its old let-go still stands", at.index, lane)
	}
	at.tooLate.Store(true) // the worst case
	if err := x.interrupted(); err != nil {
		t.Fatalf("the exchange is over before the worker has taken it: %v", err)
	}
	d.passOver(w, idOfY)
	if err := x.interrupted(); err != nil {
		t.Fatalf("the exchange is over before the worker has taken it: %v", err)
	}
	a, revoked := d.take(w, x.id.Load())
	if err := x.interrupted(); err != nil || revoked {
		t.Fatalf("revoked %v, the exchange is over when the worker has taken it: %v", revoked, err)
	}
	w.Lane(a.Lane).Accept(a.StreamID)
	w.Lane(a.Lane).LetGo(a.StreamID)
	if err := x.interrupted(); !errors.Is(err, errLetGo) {
		t.Errorf("its let-go of this entry means %v, want %v", err, errLetGo)
	}
	link.finish(x, shm.ReasonFinished, false)
}

// A revocation that comes when the worker has just taken the entry, as the deadline loop sees it.
func TestAnEntryThatIsPassedOverIsAsGoodAsNeverAssigned(t *testing.T) {
	d := newTestDispatcher(t)
	link, w := d.attach()
	x := d.stream(false)
	d.assign(link, x)
	a, _ := d.take(w, x.id.Load())
	if d.revoke(x) {
		t.Fatal("it was taken, and could be taken back")
	}
	if err := x.interrupted(); err != nil {
		t.Fatalf("the exchange is over before the worker has let go: %v", err)
	}
	w.Lane(a.Lane).LetGo(a.StreamID) // it saw the revocation
	err := x.interrupted()
	if !errors.Is(err, errRevoked) || !x.mayRetry(err) {
		t.Errorf("the exchange ends with %v", err)
	}
	link.detach(x)
	d.requests.release(x)
}

// What a worker does to take back its acceptance, and what then may come of it.
func TestAWorkerCannotTakeBackThatItHasAccepted(t *testing.T) {
	for name, play := range map[string]func(*testDispatcher, *Stream, *shm.WorkerEnd, shm.Assignment){
		"and lets go": func(_ *testDispatcher, _ *Stream, w *shm.WorkerEnd, a shm.Assignment) {
			w.Lane(a.Lane).LetGo(a.StreamID)
		},
		"and lets go, revoked in vain": letGoTooLate,
		"and dies": func(_ *testDispatcher, x *Stream, _ *shm.WorkerEnd, _ shm.Assignment) {
			x.assignment.link.close(peerGone, errors.New("test"))
		},
	} {
		for _, seen := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				d := newTestDispatcher(t)
				link, w := d.attach()
				x := d.stream(false)
				d.assign(link, x)
				a, _ := d.take(w, x.id.Load())
				reader := w.Reader(a)
				w.Lane(a.Lane).Accept(a.StreamID)
				if seen {
					if err := x.interrupted(); err != nil {
						t.Fatal(err)
					}
				}
				reader.Release(1)
				x.reclaim()
				d.put(x, shm.KindBody, "body where the head was")
				w.Lane(a.Lane).Accept(0)
				play(d, x, w, a)
				if err := x.interrupted(); err == nil || x.mayRetry(err) {
					t.Errorf("with %v the request is served again (seen before: %v)", err, seen)
				}
				if seen && !link.gone.Load() {
					t.Error("the link is not evicted")
				}
				link.finish(x, shm.ReasonInvalid, false)
			})
		}
	}
}

func letGoTooLate(d *testDispatcher, x *Stream, w *shm.WorkerEnd, a shm.Assignment) {
	d.revoke(x)
	w.Lane(a.Lane).LetGo(a.StreamID)
}

// The counter that was wrong is that of the link which had the stream before.
func TestTheLinkWhoseCountIsWrongIsEvictedNotTheOneThatServesNow(t *testing.T) {
	d := newTestDispatcher(t)
	liar, w := d.attach()
	honest, _ := d.attach()
	x := d.stream(false)
	d.assign(liar, x)
	a, _ := d.take(w, x.id.Load())
	reader := w.Reader(a)
	w.Lane(a.Lane).Accept(a.StreamID)
	reader.Release(1)
	x.request.Keep(false)
	x.reclaim()
	reader = w.Reader(a) // the count runs back
	err := x.request.Reclaim()
	if err == nil {
		t.Fatal("a count that runs back is no violation")
	}
	liar.detach(x)
	d.assign(honest, x)
	evictOwner(err) // what the pump does, a moment late
	if honest.gone.Load() || !liar.gone.Load() {
		t.Errorf("honest link gone: %v; the liar: %v", honest.gone.Load(), liar.gone.Load())
	}
	honest.finish(x, shm.ReasonInvalid, false)
}

// Streams that are only taken back end at the response timeout, wherever they go.
func TestAStreamThatIsOnlyTakenBackGainsNoTime(t *testing.T) {
	d := newTestDispatcher(t)
	link, _ := d.attach()
	x := d.stream(false)
	first := d.assign(link, x).assignedAt
	for n := 1; n < mostAttempts; n++ {
		if got := x.waitsSince(); n > 1 && got != first {
			t.Errorf("attempt %d counts from %d, want %d", n, got, first)
		}
		if !d.revoke(x) {
			t.Fatal("nobody has taken it, and it cannot be taken back")
		}
		err := x.interrupted()
		if !errors.Is(err, errRevoked) {
			t.Fatal(err)
		}
		if !x.mayRetry(err) {
			t.Fatal("it is not given to another worker")
		}
		x.noteRetry(true)
		link.detach(x)
		d.assign(link, x)
	}
	link.finish(x, shm.ReasonInvalid, false)
}

// The rest of an upload, or of a WebSocket, costs the worker no lane.
func TestALaneIsFreeWhenItsWorkerHasLetGoAndTheRowWhenNothingIsLeft(t *testing.T) {
	for _, first := range []string{"worker", "leftover"} {
		t.Run(first+" is done first", func(t *testing.T) {
			d := newTestDispatcher(t)
			link, w := d.attach()
			x := d.stream(false)
			at := d.assign(link, x)
			a, _ := d.take(w, x.id.Load())
			w.Lane(a.Lane).Accept(a.StreamID)
			letGo := func() {
				w.Lane(a.Lane).LetGo(a.StreamID)
				link.handleNotice(a.Lane)
			}
			link.finish(x, shm.ReasonFinished, true)
			if d.inflight(link) != 0 || at.stream != x {
				t.Fatalf("%d in flight when the response has ended", d.inflight(link))
			}
			if first == "worker" {
				letGo()
			} else {
				link.leave(x)
			}
			if held, lane := x.id.Load() != 0, at.stream != nil; !held || lane != (first == "leftover") {
				t.Fatalf("the row is held: %v, the lane: %v", held, lane)
			}
			if first == "worker" {
				link.leave(x)
			} else {
				letGo()
			}
			if x.id.Load() != 0 || at.stream != nil {
				t.Errorf("row or lane are still in use")
			}
		})
	}
}
