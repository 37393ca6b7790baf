package shm

import (
	"runtime"
	"testing"
)

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

// A worker looks at a position just while the server moves it on to the lane's
// next stream: what it sees is of its own stream, or that all is released.
func TestAPositionThatMovesOnIsNeverMistaken(t *testing.T) {
	const streams = 300_000
	l := newHeapLink(t, fewSlots).openResponseLane(t, 1)
	position := l.link.server.Position(0)
	go func() {
		for id := l.streamID; id <= streams; id++ {
			position.Open(id)
			position.released.Store(1)
			position.released.Store(2)
			position.Finish()
		}
	}()
	w, seen := l.writer, uint64(0)
	for seen < streams {
		if seen = position.streamID.Load(); seen == 0 {
			continue
		}
		w.Close()
		w.Open(l.pool, 1)
		w.committed, w.visible = 2, 2
		w.BindPosition(l.link.worker.Position(0), seen)
		for w.Outstanding() != 0 {
			if err := w.Reclaim(); err != nil {
				t.Fatalf("stream %d: %v", seen, err)
			}
			runtime.Gosched()
		}
	}
}
