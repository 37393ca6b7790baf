package proto

import (
	"errors"
	"testing"
)

func TestTheNewestCommonLayoutWins(t *testing.T) {
	for _, c := range []struct {
		server, sdk Range
		want        uint16
	}{
		{Range{1, 1}, Range{1, 1}, 1},
		{Range{1, 3}, Range{1, 2}, 2},
		{Range{1, 2}, Range{1, 3}, 2},
		{Range{2, 4}, Range{1, 2}, 2},
		{Range{1, 2}, Range{2, 4}, 2},
		{Range{1, 9}, Range{3, 5}, 5},
		{Range{3, 5}, Range{0, 65535}, 5},
	} {
		got, err := Negotiate(c.server, c.sdk)
		if err != nil || got != c.want {
			t.Errorf("server %v, SDK %v: %d, %v; want %d", c.server, c.sdk, got, err, c.want)
		}
	}
}

func TestNoCommonLayoutIsRefusedNamingBoth(t *testing.T) {
	for _, c := range []struct {
		server, sdk Range
		want        string
	}{
		{Range{3, 4}, Range{1, 2}, "server speaks layout 3-4, this SDK 1-2"},
		{Range{1, 2}, Range{3, 4}, "server speaks layout 1-2, this SDK 3-4"},
		{Range{1, 1}, Range{2, 2}, "server speaks layout 1, this SDK 2"},
		{Range{1, 1}, Range{0, 0}, "server speaks layout 1, this SDK 0"},
	} {
		_, err := Negotiate(c.server, c.sdk)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("server %v, SDK %v: %v", c.server, c.sdk, err)
			continue
		}
		want := Refusal{CodeLayout, c.want, c.server.Min, c.server.Max}
		if *refusal != want {
			t.Errorf("refusal is %+v, want %+v", *refusal, want)
		}
		if got := err.Error(); got != "refused (layout): "+c.want {
			t.Errorf("error reads %q", got)
		}
	}
}
