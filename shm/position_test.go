package shm

import "testing"

func TestAWorkerThatHasLetGoLearnsWhichBuffersAreFree(t *testing.T) {
	l := newHeapLink(t, fewSlots).openResponseLane(t, 1)
	l.putHeaders(t)
	l.put(t, KindBody, make([]byte, 4096))
	l.link.worker.Lane(0).LetGo(l.streamID)
	l.tail(t, 1)
	l.reader.Release(1)
	if err := l.writer.Reclaim(); err != nil || l.writer.Outstanding() != 1 {
		t.Fatalf("%d slots are out (%v), want 1", l.writer.Outstanding(), err)
	}
	l.link.server.Position(0).Finish()
	if err := l.writer.Reclaim(); err != nil || l.writer.Outstanding() != 0 {
		t.Errorf("%d slots are out (%v) of a response that is finished", l.writer.Outstanding(), err)
	}
}

func TestABufferIsFreeWhenTheServerIsAtTheLanesNextStream(t *testing.T) {
	l := newHeapLink(t, fewSlots).openResponseLane(t, 1)
	l.putHeaders(t)
	l.put(t, KindBody, make([]byte, 4096))
	l.link.server.Position(0).Open(l.streamID + 1)
	if err := l.writer.Reclaim(); err != nil || l.writer.Outstanding() != 0 {
		t.Errorf("%d slots are out (%v), want none", l.writer.Outstanding(), err)
	}
}

func TestANewResponseInheritsNothingFromTheLanesLast(t *testing.T) {
	link := newHeapLink(t, fewSlots)
	position := link.server.Position(1)
	position.Open(5)
	position.WantResponse(true)
	position.Finish()
	if !link.worker.Position(1).WantsResponse() {
		t.Fatal("the worker does not see what the server waits for")
	}
	position.Open(6)
	if link.worker.Position(1).WantsResponse() || position.released.Load() != 0 {
		t.Error("something is left of the last response")
	}
}

// A worker looks at a position just while the server moves it on to the lane's
// next stream: the count that it sees never runs backwards, and in the end all is
// released.
func TestAPositionThatMovesOnIsNeverMistaken(t *testing.T) {
	const streams = 10_000_000 / raceSlowdown
	link := newHeapLink(t, fewSlots)
	position, seen := link.server.Position(0), link.worker.Position(0)
	go func() {
		for id := uint64(1); id <= streams; id++ {
			position.Open(id)
			position.released.Store(1)
			position.released.Store(2)
			position.Finish()
		}
	}()
	for id := uint64(0); id < streams; {
		if id = seen.streamID.Load(); id == 0 {
			continue
		}
		count := peerCounter{word: seen.released, gate: seen.streamID, streamID: id, otherwise: AllReleased}
		for last := uint64(0); last != AllReleased; {
			released := count.load()
			if released < last {
				t.Fatalf("stream %d: %d slots were released, and then %d", id, last, released)
			}
			last = released
		}
	}
}
