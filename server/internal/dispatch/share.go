package dispatch

import "time"

// share is how many of some scarce places an address keeps waiting: of the streams, or of
// the lanes of a pool.
type share int

const (
	under     share = iota // fewer than its fair share
	over                   // more, and there is room all the same
	exhausted              // all but the ones that are left for others
)

// youngFor is how long nobody can tell whether an exchange is a slow client's.
const youngFor = 100 * time.Millisecond

// provenAfter is how long it takes until a client that sends or takes a little now and
// then, such as one of live sound, is told from slow ones: its stall budget has not run
// down.
const provenAfter = time.Second

// isSlow reports whether an exchange is kept waiting by what seems to be a slow client.
func (s *Stream) isSlow(now int64) bool {
	return s.progress.StalledLately(now, youngFor) && (s.progress.Slow() || now-s.placedAt.Load() < int64(provenAfter))
}

// awaitsBody reports whether nothing has come of a body that the client is to send without
// being asked.
func (s *Stream) awaitsBody() bool {
	return s.hasBody.Load() && !s.progress.UploadEnded() && s.progress.Received() == 0
}

// tally counts the places of an address that are kept waiting, or may be about to be.
type tally struct {
	waiting int
	young   int // of others than known clients
	// Of known clients that wait for a link; of those that send or take a little now and
	// then; and of young ones whose body has begun.
	lasting int
	fresh   int // of known clients, as young
}

// add counts an exchange.
func (t *tally) add(s *Stream, now int64) {
	switch age := now - s.placedAt.Load(); {
	case s.queued.Load() && !s.client.known, s.isSlow(now), s.awaitsBody():
		t.waiting++
	case s.queued.Load(), s.progress.StalledLately(now, provenAfter):
		t.lasting++
	case s.hasBody.Load() && !s.progress.UploadEnded() && age < int64(provenAfter):
		t.lasting++ // some of it came at once, the rest may never
	case age >= int64(youngFor):
	case s.client.known:
		t.fresh++
	default:
		t.young++
	}
}

// share returns how a client of the address stands with so many places in all. If many are
// kept waiting, those that are young will be, too: by the time that it can be seen, nothing
// would be left.
//
// A known client is under its share, so that others behind its address do not cost it its
// place; but a quick request is soon made, and a little is soon sent: clients that do so
// must not have all places.
func (t *tally) share(known bool, all int) share {
	waiting, most := t.waiting, t.waiting+t.lasting
	if t.waiting >= max(all/16, 1) {
		waiting += t.young
		most += t.young + t.fresh
	}
	switch {
	case most >= all-leftForOthers(all):
		return exhausted
	case known:
		return under
	}
	return shareOf(waiting, all)
}

// leftForOthers returns how many of all places an address cannot keep waiting, though its
// clients are known, and not slow: half of the quarter that is for others, and one if that
// is any.
func leftForOthers(all int) int {
	if all < 4 {
		return 0
	}
	return max(all/8, 1)
}

// shareOf returns the share of an address that keeps so many of all places waiting. Half of
// them is fair, and a quarter is for others if there are four.
func shareOf(waiting, all int) share {
	switch {
	case waiting < fairShare(all):
		return under
	case waiting < all-all/4:
		return over
	}
	return exhausted
}

// fairShare returns how many of all places one address may keep waiting.
func fairShare(all int) int { return max(all/2, 1) }
