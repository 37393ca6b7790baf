package dispatch

import (
	"hash/maphash"
	"net/netip"
	"time"
)

// holdings knows how many places each address has of some scarce ones, so that nobody has
// to look at all of them to see that an address has few. It is guarded by the lock of the
// places.
//
// The counts are of buckets that addresses share: one that is too high costs a survey, and
// only two buckets at once can have half of the places. Their number is fixed, whatever
// clients do, and since the hash has a secret nobody can choose a neighbour.
type holdings struct {
	counts  [buckets]int32
	surveys [2]survey
	oldest  int // of the surveys
}

// survey is what was seen of the places of one address.
type survey struct {
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

// add counts a place that was just given to a stream.
func (h *holdings) add(s *Stream, now int64) {
	h.counts[s.client.bucket]++
	for i := range h.surveys {
		if v := &h.surveys[i]; v.at != 0 && v.address == s.client.address {
			v.tally.add(s, now)
		}
	}
}

// remove counts it out.
func (h *holdings) remove(s *Stream) { h.counts[s.client.bucket]-- }

// few reports whether the address of a client has less than its fair share of all places,
// whatever it does with them.
func (h *holdings) few(client Client, all int) bool {
	return int(h.counts[client.bucket]) < fairShare(all)
}

// share returns how a client stands with all of the places; each calls its argument with
// the streams that have one. Preconditions: not few.
func (h *holdings) share(client Client, all int, now int64, each func(func(*Stream))) share {
	s := h.tally(client, h.goodFor(client.known, all), now, each).share(client.known, all)
	if s == exhausted && all <= surveyedAtOnce { // it would wait for nothing
		s = h.tally(client, 0, now, each).share(client.known, all)
	}
	return s
}

// A survey of all places costs some nanoseconds each. The more there are, the longer it is
// good for; and it is good for a moment in any case if a known client asks: its requests
// may be many and quick, and it is the last to be refused.
const (
	surveyedAtOnce = 1 << 10 // places
	goodFor        = time.Microsecond
	goodForKnown   = time.Millisecond
)

func (h *holdings) goodFor(known bool, all int) (good time.Duration) {
	if all > surveyedAtOnce {
		good = time.Duration(all) * goodFor
	}
	if known {
		good = max(good, goodForKnown)
	}
	return good
}

// tally counts the places of a client's address, or says what it counted, if that was no
// longer ago than is good.
func (h *holdings) tally(client Client, good time.Duration, now int64, each func(func(*Stream))) *tally {
	v := h.survey(client.address)
	if v.at == 0 || now-v.at >= int64(good) {
		*v = survey{address: client.address, at: now}
		each(func(s *Stream) {
			if s.client.address == client.address {
				v.tally.add(s, now)
			}
		})
	}
	return &v.tally
}

// survey returns the survey of an address, or room for one.
func (h *holdings) survey(address netip.Prefix) *survey {
	for i := range h.surveys {
		if v := &h.surveys[i]; v.at != 0 && v.address == address {
			return v
		}
	}
	v := &h.surveys[h.oldest]
	h.oldest = (h.oldest + 1) % len(h.surveys)
	*v = survey{}
	return v
}
