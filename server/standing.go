package server

import "time"

// standing is how an address stands with what there are of scarce places: streams, or
// the lanes of a pool.
type standing int

const (
	within standing = iota // its share
	beyond                 // it; there is room all the same
	full                   // it has all but what is left for others
)

// youngFor is how long nobody can tell whether an exchange is a slow client's.
const youngFor = 100 * time.Millisecond

// provenAfter is how long it takes until a client that sends or takes a little now and
// then, such as one of live sound, is told from slow ones: its patience has not run down.
const provenAfter = time.Second

// waitedLately reports whether the exchange is kept waiting, or was not long ago: of many
// that get a byte now and then, some have just got one at any time.
func (s *stream) waitedLately(now int64, long time.Duration) bool {
	waited := s.watch.waited.Load()
	return s.waitedFor(now) || waited != 0 && now-waited < int64(long)
}

// isSlow reports whether an exchange is kept waiting, by what seems to be a slow client.
func (s *stream) isSlow(now int64) bool {
	return s.waitedLately(now, youngFor) && (s.watch.slow.Load() || now-s.placed.Load() < int64(provenAfter))
}

// tally counts the places of an address that are kept waiting, or may be about to be.
type tally struct {
	waiting int
	young   int // of others than known clients
	lasting int // of known ones, that wait for a link; of those who send or take a little now and then; and of young ones whose body has begun
	fresh   int // of known ones, as young
}

// add counts an exchange.
func (t *tally) add(s *stream, now int64) {
	switch {
	case s.queued.Load() && !s.client.known, s.isSlow(now), s.awaitsBody():
		t.waiting++
	case s.queued.Load(), s.waitedLately(now, provenAfter):
		t.lasting++
	case s.bodied.Load() && !s.upload.ended.Load() && now-s.placed.Load() < int64(provenAfter): // some of it came at once, the rest may never
		t.lasting++
	case now-s.placed.Load() >= int64(youngFor):
	case s.client.known:
		t.fresh++
	default:
		t.young++
	}
}

// standing returns how a client of the address stands with so many places in all. If many
// are kept waiting, those that are young will be, too: by the time that it can be seen,
// nothing would be left.
//
// A known client is within, so that others behind its address do not cost it its place;
// but a quick request is soon made, and a little is soon sent: those who do must not have
// all places.
func (t *tally) standing(known bool, all int) standing {
	waiting, most := t.waiting, t.waiting+t.lasting
	if t.waiting >= max(all/16, 1) {
		waiting += t.young
		most += t.young + t.fresh
	}
	switch {
	case most >= all-leftByAll(all):
		return full
	case known:
		return within
	}
	return standingOf(waiting, all)
}

// leftByAll returns how many of all places an address cannot keep waiting, though its
// clients are known, and not slow: half of the quarter that is not for others, and one if
// that is any.
func leftByAll(all int) int {
	if all < 4 {
		return 0
	}
	return max(all/8, 1)
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
