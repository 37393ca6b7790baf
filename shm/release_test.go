package shm

import "testing"

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
