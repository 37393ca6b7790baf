package shm

import (
	"errors"
	"math"
	"testing"
)

// scribble overwrites the descriptor of slot n, as a broken peer would.
func (l *testLane) scribble(n uint64, d descriptor) {
	w := l.reader.ring.words(n)
	w[0].Store(d.number)
	w[1].Store(uint64(d.buffer) | uint64(d.offset)<<32)
	w[2].Store(uint64(d.length) | uint64(d.kind)<<32)
}

func TestADescriptorThatMakesNoSenseIsAViolation(t *testing.T) {
	body := uint32(KindBody)
	cases := []struct {
		name string
		slot uint64
		d    descriptor
		what string
	}{
		{"the number of the slot before", 2, descriptor{number: 1, length: 1, kind: body}, "slot number"},
		{"the number of the last round", 2, descriptor{number: math.MaxUint64, length: 1, kind: body}, "slot number"},
		{"kind zero", 2, descriptor{number: 2, length: 1}, "slot kind"},
		{"a kind that does not exist", 2, descriptor{number: 2, length: 1, kind: 10}, "slot kind"},
		{"a body that is final", 2, descriptor{number: 2, length: 1, kind: body | uint32(Final)}, "slot kind"},
		{"a close that is final", 2, descriptor{number: 2, length: 1, kind: uint32(KindClose | Final)}, "slot kind"},
		{"a text with a bit that does not exist", 2, descriptor{number: 2, length: 1, kind: uint32(KindText) | 512},
			"slot kind"},
		{"the largest kind", 2, descriptor{number: 2, length: 1, kind: math.MaxUint32}, "slot kind"},
		{"the first buffer that is not there", 2, descriptor{number: 2, buffer: 4, length: 1, kind: body},
			"slot buffer"},
		{"no buffer at all", 2, descriptor{number: 2, buffer: NoBuffer, length: 1, kind: body}, "slot buffer"},
		{"longer than a slot", 2, descriptor{number: 2, length: 4097, kind: body}, "end of slot"},
		{"the largest length", 2, descriptor{number: 2, length: math.MaxUint32, kind: body}, "end of slot"},
		{"one byte beyond its buffer", 2, descriptor{number: 2, offset: 64, length: 4033, kind: body}, "end of slot"},
		{"wholly beyond its buffer", 2, descriptor{number: 2, offset: 4096, length: 1, kind: body}, "end of slot"},
		{"an end that overflows", 2, descriptor{number: 2, offset: math.MaxUint32, length: 1, kind: body},
			"end of slot"},
		{"an end that overflows to its start", 2, descriptor{number: 2, offset: math.MaxUint32 - 63, length: 64,
			kind: body}, "end of slot"},
		{"a body without bytes", 2, descriptor{number: 2, kind: body}, "length of body slot"},
		{"trailers without bytes", 2, descriptor{number: 2, kind: uint32(KindTrailers)}, "length of trailers slot"},
		{"headers without bytes", 1, descriptor{number: 1, kind: uint32(KindHeaders)}, "length of headers slot"},
		{"an end with bytes", 2, descriptor{number: 2, length: 1, kind: uint32(KindEnd)}, "length of end slot"},
		{"an abort with bytes", 2, descriptor{number: 2, length: 1, kind: uint32(KindAbort)}, "length of abort slot"},
		{"headers that are not first", 2, descriptor{number: 2, length: 1, kind: uint32(KindHeaders)},
			"kind of slot headers"},
		{"a body that is first", 1, descriptor{number: 1, length: 1, kind: body}, "kind of slot body"},
		{"trailers that are first", 1, descriptor{number: 1, length: 1, kind: uint32(KindTrailers)},
			"kind of slot trailers"},
		{"an interim response after the headers", 2, descriptor{number: 2, length: 1, kind: uint32(KindInterim)},
			"kind of slot interim"},
		{"an interim response without bytes", 1, descriptor{number: 1, kind: uint32(KindInterim)},
			"length of interim slot"},
		{"a message that is first", 1, descriptor{number: 1, length: 1, kind: uint32(KindText | Final)},
			"kind of slot text"},
		{"a close that is first", 1, descriptor{number: 1, kind: uint32(KindClose)}, "kind of slot close"},
		{"a message beyond its buffer", 2, descriptor{number: 2, offset: 4096, length: 1, kind: uint32(KindBinary)},
			"end of slot"},
		{"an end that is first", 1, descriptor{number: 1, kind: uint32(KindEnd)}, "kind of slot end"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
				l.putHeaders(t)
				l.put(t, KindBody, []byte("x"))
				l.tail(t, c.slot) // as it was, it is good
				l.scribble(c.slot, c.d)
				slot, err := l.reader.Tail(c.slot)
				wantViolation(t, err, c.what)
				if slot.Bytes != nil {
					t.Errorf("%d bytes came with the violation", len(slot.Bytes))
				}
			})
		})
	}
}

func TestADescriptorAtTheVeryEdgeIsGood(t *testing.T) {
	cases := map[string]descriptor{
		"the last byte of the last buffer": {number: 2, buffer: 3, offset: 4095, length: 1, kind: uint32(KindBody)},
		"a whole buffer":                   {number: 2, buffer: 3, length: 4096, kind: uint32(KindTrailers)},
		"an end, wherever it points":       {number: 2, buffer: 99, offset: 99, kind: uint32(KindEnd)},
		"an abort in the second slot":      {number: 2, buffer: NoBuffer, kind: uint32(KindAbort)},
		"an empty message, anywhere":       {number: 2, buffer: 99, offset: 99, kind: uint32(KindText)},
		"a close without a code":           {number: 2, buffer: NoBuffer, kind: uint32(KindClose)},
	}
	for name, d := range cases {
		t.Run(name, func(t *testing.T) {
			bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
				l.putHeaders(t)
				l.put(t, KindBody, []byte("x"))
				l.scribble(2, d)
				if slot := l.tail(t, 2); len(slot.Bytes) != int(d.length) || slot.Kind != Kind(d.kind) {
					t.Errorf("got %+v", slot)
				}
			})
		})
	}
}

func TestALaneCanBeAbortedInItsFirstSlot(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		if err := l.writer.CommitEmpty(KindAbort); err != nil {
			t.Fatal(err)
		}
		l.writer.Publish()
		if slot := l.tail(t, 1); slot.Kind != KindAbort {
			t.Errorf("got %+v", slot)
		}
	})
}

func TestInterimResponsesStandBeforeTheHeaders(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.put(t, KindInterim, []byte("1"))
		l.put(t, KindInterim, []byte("2"))
		l.put(t, KindHeaders, []byte("3"))
		for n, kind := range []Kind{KindInterim, KindInterim, KindHeaders} {
			for range 2 { // looking again changes nothing
				if slot := l.tail(t, uint64(n+1)); slot.Kind != kind {
					t.Fatalf("slot %d is %v, want %v", n+1, slot.Kind, kind)
				}
			}
		}
		l.put(t, KindInterim, []byte("4"))
		_, err := l.reader.Tail(4)
		wantViolation(t, err, "kind of slot interim")
	})
}

func TestAnInterimResponseIsNotTheHeaders(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.put(t, KindInterim, []byte("1"))
		l.put(t, KindBody, []byte("2"))
		l.tail(t, 1)
		_, err := l.reader.Tail(2)
		wantViolation(t, err, "kind of slot body")
	})
}

func TestAMessageEndsWithItsFinalSlot(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindText, []byte("a"))
		if err := l.writer.CommitEmpty(KindText | Final); err != nil {
			t.Fatal(err)
		}
		l.put(t, KindBinary|Final, []byte("b"))
		for n, want := range []Slot{{Kind: KindText, Bytes: []byte("a")}, {Kind: KindText, Final: true},
			{Kind: KindBinary, Final: true, Bytes: []byte("b")}} {
			slot := l.tail(t, uint64(n+2))
			if slot.Kind != want.Kind || slot.Final != want.Final || string(slot.Bytes) != string(want.Bytes) {
				t.Errorf("slot %d is %+v, want %+v", n+2, slot, want)
			}
		}
	})
}

func TestACounterThatJumpsIsAViolation(t *testing.T) {
	limit := uint64(fewSlots.limit)
	for _, jump := range []uint64{limit + 1, 1 << 32, math.MaxUint64} {
		bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
			l.published.Store(jump)
			_, err := l.reader.Tail(1)
			wantViolation(t, err, "published slots")
			_, err = l.reader.Published()
			wantViolation(t, err, "published slots")
		})
	}
}

func TestACounterMayOnlyJumpAsFarAsSlotsWereReleased(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, []byte("x"))
		l.tail(t, 2)
		l.reader.Release(2)
		l.published.Store(2 + uint64(fewSlots.limit))
		if n, err := l.reader.Published(); err != nil || n != 2+uint64(fewSlots.limit) {
			t.Errorf("a full lane: %d, %v", n, err)
		}
		l.published.Store(3 + uint64(fewSlots.limit))
		_, err := l.reader.Published()
		wantViolation(t, err, "published slots")
	})
}

func TestACounterThatRunsBackwardsIsAViolation(t *testing.T) {
	for _, back := range []uint64{1, 0} {
		bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
			l.putHeaders(t)
			l.put(t, KindBody, []byte("x"))
			l.tail(t, 2)
			l.published.Store(back)
			_, err := l.reader.Tail(3)
			wantViolation(t, err, "published slots")
		})
	}
}

func TestAWorkerThatAcceptsAnotherStreamInTheMiddleIsAViolation(t *testing.T) {
	l := newHeapLink(t, fewSlots).openResponseLane(t, 1)
	l.putHeaders(t)
	l.tail(t, 1)
	l.link.worker.Lane(0).Accept(l.streamID + 1)
	_, err := l.reader.Tail(2)
	wantViolation(t, err, "published slots")
}

func TestAReleasedSlotCannotBeReadAgain(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, []byte("x"))
		l.tail(t, 2)
		l.reader.Release(1)
		l.reader.Release(1) // a second time does nothing
		if l.reader.Released() != 1 || l.released.Load() != 1 {
			t.Errorf("released %d, the writer is told %d", l.reader.Released(), l.released.Load())
		}
		for _, n := range []uint64{0, 1} {
			if _, err := l.reader.Tail(n); !errors.Is(err, ErrReleased) {
				t.Errorf("slot %d: %v, want ErrReleased", n, err)
			}
		}
		l.tail(t, 2)
		if _, err := l.reader.Tail(3); !errors.Is(err, ErrNothingYet) {
			t.Errorf("slot 3: %v, want ErrNothingYet", err)
		}
	})
}

func TestAReleaseIsNeverTakenBack(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		l.put(t, KindBody, []byte("x"))
		l.tail(t, 2)
		l.reader.Release(2)
		l.reader.Release(1)
		if l.reader.Released() != 2 || l.released.Load() != 2 {
			t.Errorf("released %d, the writer is told %d", l.reader.Released(), l.released.Load())
		}
	})
}

func TestSlotsCanBeReadInAnyOrder(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		for n := byte(2); n <= 5; n++ {
			l.put(t, KindBody, []byte{n})
		}
		for _, n := range []uint64{5, 3, 4, 3, 2} {
			if got := l.tail(t, n).Bytes; got[0] != byte(n) {
				t.Errorf("slot %d is %v", n, got)
			}
		}
	})
}

func TestAViewCannotGrowIntoTheNextSlot(t *testing.T) {
	bothDirections(t, fewSlots, 1, func(t *testing.T, l *testLane) {
		l.putHeaders(t)
		slot := l.tail(t, 1)
		if cap(slot.Bytes) != len(slot.Bytes) {
			t.Errorf("a slot of %d bytes has room for %d", len(slot.Bytes), cap(slot.Bytes))
		}
	})
}
