package proto

import (
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
)

// What a hostile process does to a frame while the server reads it: it turns
// good bytes into bad ones and back. A parser that looked at any byte twice
// would sooner or later check the good one and use the bad one.
func TestWhatWasCheckedIsWhatIsUsedThoughTheFrameChanges(t *testing.T) {
	if raceEnabled {
		t.Skip("the race is the point")
	}
	frame, err := AppendRequest(nil, typicalRequest())
	frame = mustFrame(t, frame, err)
	stop := scribble(frame)
	defer stop()
	parsed, refused := 0, 0
	r := Request{Fields: []Field{}}
	for range 50_000 {
		if _, err := r.Parse(frame); err != nil {
			refused++
			continue
		}
		parsed++
		checkSettled(t, &r)
	}
	if parsed == 0 || refused == 0 {
		t.Logf("%d parsed, %d refused: the scribbler never met the parser", parsed, refused)
	}
}

// scribble changes b in many places, all the time, until stop is called.
func scribble(b []byte) (stop func()) {
	good := append([]byte(nil), b...)
	var ended atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !ended.Load(); i++ {
			at := 16 + i*7919%(len(b)-16)
			b[at] = "\n\x00\xffA"[i%4]
			for range i % 64 { // let some frames through whole
				_ = ended.Load()
			}
			b[at] = good[at]
		}
	})
	return func() { ended.Store(true); wg.Wait() }
}

// checkSettled makes sure that r is valid, by encoding it, and does not change
// between two looks at it.
func checkSettled(t *testing.T, r *Request) {
	t.Helper()
	first, err := AppendRequest(nil, r)
	if err != nil {
		t.Fatalf("parsed what it should have refused: %v", err)
	}
	again := Request{Fields: []Field{}}
	if _, err := again.Parse(first); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(r, &again) {
		t.Fatalf("parsed\n%+v, which became\n%+v", *r, again)
	}
}
