package server

import "time"

// standing is how an address stands with what there are of scarce places: streams, or
// the lanes of a pool.
type standing int

const (
	within standing = iota // its share
	beyond                 // it; there is room all the same
	full                   // it has all but the rest that is for others
)

// youngFor is how long nobody can tell whether an exchange is a slow client's.
const youngFor = 100 * time.Millisecond

// provenAfter is how long it takes until a client that sends or takes a little now and
// then, such as one of live sound, is told from slow ones: its patience has not run down.
const provenAfter = time.Second

// isSlow reports whether an exchange is kept waiting, by what seems to be a slow client.
func (s *stream) isSlow(now int64) bool {
	return s.waitedFor(now) && (s.watch.slow.Load() || now-s.placed.Load() < int64(provenAfter))
}

// tally counts the places of an address that are kept waiting, or are about to be.
type tally struct {
	waiting int
	young   int
}

// add counts an exchange.
func (t *tally) add(s *stream, now int64) {
	switch {
	case s.queued.Load() && !s.client.known, s.isSlow(now), s.awaitsBody():
		t.waiting++
	case !s.client.known && now-s.placed.Load() < int64(youngFor):
		t.young++
	}
}

// standing returns how the address stands with so many places in all. If many are kept
// waiting, those that are young will be, too: by the time that it can be seen, nothing
// would be left.
func (t *tally) standing(all int) standing {
	if t.waiting >= max(all/16, 1) {
		return standingOf(t.waiting+t.young, all)
	}
	return standingOf(t.waiting, all)
}

// standingOf returns it for an address that keeps so many of all places waiting. Half of
// them is its share, and a quarter is for others, as long as there are four.
func standingOf(waiting, all int) standing {
	switch {
	case waiting < shareOf(all):
		return within
	case waiting < all-all/4:
		return beyond
	}
	return full
}

// shareOf returns how many of all places one address may keep waiting.
func shareOf(all int) int { return max(all/2, 1) }
