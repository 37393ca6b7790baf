package dispatch

import (
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/shm"
)

func TestAnAddressKeepsHalfOfThePlacesWaitingAndNeverTheLastQuarter(t *testing.T) {
	for _, c := range []struct{ all, share, most int }{
		{1, 1, 1}, {2, 1, 2}, {3, 1, 3}, {4, 2, 3}, {5, 2, 4}, {8, 4, 6}, {64, 32, 48},
		{100, 50, 75}, {1500, 750, 1125},
	} {
		for n := range c.all + 1 {
			want := over
			if n < c.share {
				want = under
			} else if n >= c.most {
				want = exhausted
			}
			if got := shareOf(n, c.all); got != want {
				t.Errorf("%d of %d: %v, want %v", n, c.all, got, want)
			}
		}
	}
}

// However many of one address are known, they leave places for others.
func TestKnownClientsNeverGetTheLastEighth(t *testing.T) {
	for _, c := range []struct {
		name  string
		tally tally
		known bool
		want  share
	}{
		{"quick ones", tally{fresh: 64}, true, under},
		{"known beside slow ones", tally{waiting: 48}, true, under},
		{"others beside slow ones", tally{waiting: 48}, false, exhausted},
		{"known beside very many slow ones", tally{waiting: 56}, true, exhausted},
		{"many who wait for a link", tally{lasting: 55}, true, under},
		{"too many who wait for a link", tally{lasting: 56}, true, exhausted},
		{"others behind those", tally{lasting: 56}, false, exhausted},
		{"a few slow ones, and who knows about the rest", tally{waiting: 4, young: 20, fresh: 32}, true, exhausted},
		{"hardly any slow ones", tally{waiting: 3, young: 20, fresh: 40}, true, under},
	} {
		if got := c.tally.share(c.known, 64); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAKnownClientWhoseExchangeIsSlowCountsAsAnyOther(t *testing.T) {
	s := newStream(nil, nil, nil)
	s.client = clientNamed("a!")
	s.hasBody.Store(true)
	var got tally
	if got.add(s, shm.Now()); got != (tally{waiting: 1}) {
		t.Errorf("a body of which nothing came is %+v", got)
	}
	s.progress.Receive(1)
	s.placedAt.Store(shm.Now() - int64(time.Minute))
	s.progress.StartRead()
	got = tally{}
	if got.add(s, shm.Now()+int64(time.Second)); got != (tally{lasting: 1}) {
		t.Errorf("one of which something comes now and then is %+v", got)
	}
}
