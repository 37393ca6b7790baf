package attach

import (
	"errors"
	"testing"
)

func TestTheNewestCommonLayoutWins(t *testing.T) {
	for _, c := range []struct {
		server, sdk LayoutRange
		want        uint16
	}{
		{LayoutRange{1, 1}, LayoutRange{1, 1}, 1},
		{LayoutRange{1, 3}, LayoutRange{1, 2}, 2},
		{LayoutRange{1, 2}, LayoutRange{1, 3}, 2},
		{LayoutRange{2, 4}, LayoutRange{1, 2}, 2},
		{LayoutRange{1, 2}, LayoutRange{2, 4}, 2},
		{LayoutRange{1, 9}, LayoutRange{3, 5}, 5},
		{LayoutRange{3, 5}, LayoutRange{0, 65535}, 5},
	} {
		got, err := Negotiate(c.server, c.sdk)
		if err != nil || got != c.want {
			t.Errorf("server %v, SDK %v: %d, %v; want %d", c.server, c.sdk, got, err, c.want)
		}
	}
}

func TestNoCommonLayoutIsRefusedNamingBoth(t *testing.T) {
	for _, c := range []struct {
		server, sdk LayoutRange
		want        string
	}{
		{LayoutRange{3, 4}, LayoutRange{1, 2}, "server speaks layout 3-4, this SDK 1-2"},
		{LayoutRange{1, 2}, LayoutRange{3, 4}, "server speaks layout 1-2, this SDK 3-4"},
		{LayoutRange{1, 1}, LayoutRange{2, 2}, "server speaks layout 1, this SDK 2"},
		{LayoutRange{1, 1}, LayoutRange{0, 0}, "server speaks layout 1, this SDK 0"},
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
