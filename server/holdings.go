package server

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// holdings knows how many places each address has of some scarce ones, so that nobody
// has to look at all of them to see that an address has few. It is guarded by the lock
// of the places.
//
// The counts are of buckets that addresses share: one that is too high costs a look,
// and only two buckets at once can have half of the places. Their number is fixed,
// whatever clients do, and since the hash has a secret nobody can choose a neighbour.
type holdings struct {
	counts [buckets]int32
	looks  [2]look
	oldest int // of looks
}

// look is what was seen of the places of one address.
type look struct {
	address netip.Prefix
	at      int64 // shm.Now; 0: never
	tally   tally // with what the address has taken since
}

// buckets is how many counts there are.
const buckets = 1 << 10

var bucketSeed = maphash.MakeSeed()

// bucketOf returns the bucket of an address.
func bucketOf(address netip.Prefix) uint16 {
	b := address.Addr().As16()
	return uint16(maphash.Bytes(bucketSeed, b[:]) % buckets)
}

// enter counts a place that was just given to a stream.
func (h *holdings) enter(s *stream, now int64) {
	h.counts[s.client.bucket]++
	for i := range h.looks {
		if l := &h.looks[i]; l.at != 0 && l.address == s.client.address {
			l.tally.add(s, now)
		}
	}
}

// leave counts it out.
func (h *holdings) leave(s *stream) { h.counts[s.client.bucket]-- }

// few reports whether the address of a client has less than its share of all places,
// whatever it does with them.
func (h *holdings) few(who client, all int) bool { return int(h.counts[who.bucket]) < shareOf(all) }

// standing returns how a client stands with all of the places; each calls its argument
// with the streams that have one. Preconditions: not few.
func (h *holdings) standing(who client, all int, now int64, each func(func(*stream))) standing {
	s := h.tally(who, h.goodFor(who.known, all), now, each).standing(who.known, all)
	if s == full && all <= lookedAtOnce { // it would wait for nothing
		s = h.tally(who, 0, now, each).standing(who.known, all)
	}
	return s
}

// A look at all places costs some nanoseconds each. The more there are, the longer it is
// good for; and it is good for a moment in any case if a known client asks: its requests
// may be many and quick, and it is the last to be refused.
const (
	lookedAtOnce = 1 << 10 // places
	goodFor      = time.Microsecond
	goodForKnown = time.Millisecond
)

func (h *holdings) goodFor(known bool, all int) (good time.Duration) {
	if all > lookedAtOnce {
		good = time.Duration(all) * goodFor
	}
	if known {
		good = max(good, goodForKnown)
	}
	return good
}

// tally counts the places of a client's address, or says what it counted, if that was no
// longer ago than is good.
func (h *holdings) tally(who client, good time.Duration, now int64, each func(func(*stream))) *tally {
	l := h.look(who.address)
	if l.at == 0 || now-l.at >= int64(good) {
		*l = look{address: who.address, at: now}
		each(func(s *stream) {
			if s.client.address == who.address {
				l.tally.add(s, now)
			}
		})
	}
	return &l.tally
}

// look returns the look at an address, or a place for one.
func (h *holdings) look(address netip.Prefix) *look {
	for i := range h.looks {
		if l := &h.looks[i]; l.at != 0 && l.address == address {
			return l
		}
	}
	l := &h.looks[h.oldest]
	h.oldest = (h.oldest + 1) % len(h.looks)
	*l = look{}
	return l
}
