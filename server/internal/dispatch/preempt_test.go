package dispatch

import (
	"slices"
	"testing"
	"time"
)

func TestTheSlowestOfTheAddressWithTheMostMakeRoom(t *testing.T) {
	const most, all = 2 * time.Second, 8 // a share of 4
	left := func(name string, id int, left time.Duration) candidate {
		return candidate{id: uint64(id), address: clientNamed(name).address, left: left}
	}
	going := func(o candidate) candidate { o.going = true; return o }
	fresh, second := most, time.Second
	for _, c := range []struct {
		name   string
		list   []candidate
		wanted int
		want   []uint64
	}{
		{"nobody waits", []candidate{left("a", 1, 0)}, 0, nil},
		{"none is slow for long", []candidate{left("a", 1, 1), left("b", 2, fresh)}, 2, nil},
		{"one is", []candidate{left("a", 1, 1), left("a", 2, 0)}, 2, []uint64{2}},
		{"the largest address first", []candidate{left("a", 1, 0), left("b", 2, 0), left("b", 3, 1)}, 1, []uint64{2}},
		{"over its share", []candidate{
			left("a", 5, second), left("a", 6, fresh), left("a", 4, second),
			left("a", 3, second), left("a", 2, second), left("a", 1, second),
		}, 3, []uint64{5}},
		{"those that are going count", []candidate{going(left("a", 1, 0)), left("a", 2, 0), left("a", 3, 0)},
			2, []uint64{2}},
		{"all are going", []candidate{going(left("a", 1, 0)), going(left("a", 2, 0))}, 1, nil},
	} {
		var got []uint64
		for _, o := range chooseVictims(c.list, c.wanted, all, most) {
			got = append(got, o.id)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
