package dispatch

import (
	"testing"
	"time"
)

// holds returns a stream that keeps its place waiting.
func holds(who Client) *Stream {
	s := newStream(nil, nil, nil)
	s.client = who
	s.queued.Store(true)
	return s
}

func TestPlacesAreLookedAtOnlyForAnAddressThatHasItsShare(t *testing.T) {
	const all = 8
	var h holdings
	var streams []*Stream
	each := func(look func(*Stream)) {
		for _, s := range streams {
			look(s)
		}
	}
	mine := clientNamed("a-")
	for range fairShare(all) - 1 {
		s := holds(mine)
		streams = append(streams, s)
		h.add(s, 1)
		if !h.few(mine, all) {
			t.Fatalf("looks for an address with %d of %d", len(streams), all)
		}
	}
	for len(streams) < all {
		s := holds(mine)
		streams = append(streams, s)
		h.add(s, 1)
		if h.few(mine, all) {
			t.Errorf("%d of %d are few", len(streams), all)
		}
		if got, want := h.share(mine, all, 1, each), shareOf(len(streams), all); got != want {
			t.Errorf("%d of %d: %v, want %v", len(streams), all, got, want)
		}
	}
	for _, s := range streams {
		h.remove(s)
	}
	if h.counts != [buckets]int32{} {
		t.Error("places are counted that came back")
	}
}

// A look at very many places is good for a while, in which what is taken counts.
func TestManyPlacesAreLookedAtNowAndThen(t *testing.T) {
	const all = 100_000
	var h holdings
	looks := 0
	streams := make([]*Stream, all/2)
	each := func(look func(*Stream)) {
		looks++
		for _, s := range streams {
			look(s)
		}
	}
	mine := clientNamed("a-")
	for i := range streams {
		streams[i] = holds(mine)
		h.add(streams[i], 1)
	}
	now := int64(time.Second)
	for range all / 4 {
		if got := h.share(mine, all, now, each); got != over {
			t.Fatalf("%v with half of them", got)
		}
		h.add(holds(mine), now)
	}
	if got := h.share(mine, all, now, each); got != exhausted || looks != 1 {
		t.Errorf("%v, and %d looks", got, looks)
	}
	if h.share(mine, all, now+int64(all*goodFor), each); looks != 2 {
		t.Errorf("%d looks, and the first was long ago", looks)
	}
}
