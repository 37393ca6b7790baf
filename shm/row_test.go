package shm

import "testing"

func TestARowTellsItsWorkerOfTheCancellation(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	server, worker := link.request.Row(2), link.worker.Row(2)
	server.Open(5)
	if got := worker.Cancelled(5); got != ReasonNone {
		t.Errorf("a new stream is cancelled: %v", got)
	}
	if !server.Cancel(ReasonDeadline) || server.Cancel(ReasonClientGone) {
		t.Error("the first cancellation does not win")
	}
	if got := worker.Cancelled(5); got != ReasonDeadline {
		t.Errorf("the worker sees %v, want the first reason", got)
	}
}

func TestARowThatBelongsToAnotherStreamIsFinishedForTheLast(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	row := link.request.Row(0)
	row.Open(5)
	row.Close()
	if got := link.worker.Row(0).Cancelled(5); got != ReasonFinished {
		t.Errorf("a row that is free: %v", got)
	}
	row.Open(6)
	if got := link.worker.Row(0).Cancelled(5); got != ReasonFinished {
		t.Errorf("a row of another stream: %v", got)
	}
}

func TestANewStreamInheritsNothingFromTheRowsLast(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	row := link.request.Row(0)
	row.Open(5)
	row.Cancel(ReasonShutdown)
	row.WantRoom(true)
	if !link.worker.Row(0).WantsRoom() {
		t.Fatal("the worker does not see what the server waits for")
	}
	row.Open(6)
	if got := link.worker.Row(0).Cancelled(6); got != ReasonNone {
		t.Errorf("cancelled as the last stream was: %v", got)
	}
	if link.worker.Row(0).WantsRoom() {
		t.Error("the last stream's wish is still there")
	}
}

// A worker that wakes up late reads nothing of the stream that has its row now.
func TestALateWorkerSeesNoSlotOfTheRowsNextStream(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	l := link.openRequestLane(t, 1)
	l.writer.Close()
	row := link.request.Row(0)
	row.Close()
	l.writer.Open(l.pool, 1)
	row.Open(l.streamID + 1)
	l.putHeaders(t)
	if n, err := l.reader.Published(); n != 0 || err != nil {
		t.Errorf("it sees %d slots of another stream (%v)", n, err)
	}
}

func TestEveryReasonHasAName(t *testing.T) {
	seen := map[string]bool{}
	for r := ReasonNone; r <= ReasonServerGone; r++ {
		if name := r.String(); name == "" || name == "unknown" || seen[name] {
			t.Errorf("reason %d is called %q", r, name)
		} else {
			seen[name] = true
		}
	}
	if got := Reason(99).String(); got != "unknown" {
		t.Errorf("reason 99 is called %q", got)
	}
}

func TestWhoWaitsForASlotIsToldFromItsReleaseOn(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	row, lane := link.request.Row(0), link.worker.Lane(0)
	for _, c := range []struct {
		want, released uint64
		told           bool
	}{
		{0, 0, false}, {0, 1, false}, {0, AllReleased, false},
		{1, 1, true}, {1, 9, true}, {7, 6, false}, {7, 7, true}, {7, 8, true}, {7, AllReleased, true},
	} {
		row.WantRoomAt(c.want)
		lane.WantRoomAt(c.want)
		if got := link.worker.Row(0).WantsRoomAt(c.released); got != c.told {
			t.Errorf("the server waits for slot %d, slot %d is released: told %v", c.want, c.released, got)
		}
		if got := link.server.Lane(0).WantsRoomAt(c.released); got != c.told {
			t.Errorf("the worker waits for slot %d, slot %d is released: told %v", c.want, c.released, got)
		}
		if waits := c.want != 0; row.WantsRoom() != waits || lane.WantsRoom() != waits {
			t.Errorf("waits for slot %d: %v, %v", c.want, row.WantsRoom(), lane.WantsRoom())
		}
	}
}
