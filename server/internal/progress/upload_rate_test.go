package progress

import (
	"testing"
	"time"
)

func TestOnlyTheTimeThatAClientIsWaitedForCounts(t *testing.T) {
	limits := &Limits{ClientTimeout: 30 * time.Second, MinBodyRate: 100}
	second := int64(time.Second)
	for _, c := range []struct {
		name              string
		seconds           int64 // in all
		every             int64 // of which the client is waited for one in so many
		bytes             int64
		answered, tooSlow bool
	}{
		{"slow", 31, 1, 3000, false, true},
		{"fast enough", 31, 1, 3101, false, false},
		{"not long enough to tell", 30, 1, 0, false, false},
		{"held back by its worker", 300, 10, 1, false, false},
		{"slow, besides being held back", 320, 10, 1, false, true},
		{"a conversation", 300, 1, 10, true, false},
	} {
		var x Exchange
		slow := false
		x.upload.received.Store(c.bytes)
		x.started.Store(c.answered)
		for now := second; now <= (c.seconds+1)*second; now += second {
			waiting := now/second%c.every == 0 && now > second
			x.readSince.Store(0)
			if waiting {
				x.readSince.Store(now - second)
			}
			slow = x.tooSlow(7, now, limits) || slow
		}
		if slow != c.tooSlow {
			t.Errorf("%s: too slow %v, want %v", c.name, slow, c.tooSlow)
		}
		if x.tooSlow(8, (c.seconds+2)*second, limits) {
			t.Errorf("%s: the next upload inherits it", c.name)
		}
	}
}
