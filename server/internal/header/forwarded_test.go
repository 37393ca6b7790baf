package header

import (
	"slices"
	"strings"
	"testing"
)

func TestForwardedIsReadAsRFC7239Says(t *testing.T) {
	for text, want := range map[string][]Hop{
		"": nil,
		"for=192.0.2.60;proto=http;by=203.0.113.43": {{"192.0.2.60", "http", ""}},
		`For="[2001:db8:cafe::17]:4711"`:            {{"[2001:db8:cafe::17]:4711", "", ""}},
		`for="[2001:db8::1]"`:                       {{"[2001:db8::1]", "", ""}},
		`for="192.0.2.43:47011", for=198.51.100.17;PROTO=https`: {
			{"192.0.2.43:47011", "", ""}, {"198.51.100.17", "https", ""},
		},
		`for=unknown, for=_hidden`:                {{"unknown", "", ""}, {"_hidden", "", ""}},
		`for=1.2.3.4;|host="a, b;c"; proto=https`: {{"1.2.3.4", "", ""}, {"", "https", "a, b;c"}},
		`host="a\"b\\c";for=1.2.3.4`:              {{"1.2.3.4", "", `a"b\c`}},
		`for="unclosed, for=1.2.3.4`:              {{}},
		`for="unclosed|for=1.2.3.4`:               {{}, {"1.2.3.4", "", ""}},
		`for=1.2.3.4;x=", for=5.6.7.8;by="y"`:     {{}},
		`for=1.2.3.4;for=5.6.7.8`:                 {{}},
		`nonsense, ;;,, for=1.2.3.4`:              {{}, {}, {"1.2.3.4", "", ""}},
		`for="`:                                   {{}},
		`for="\`:                                  {{}},
		`for="a\`:                                 {{}},
		`for=a"b`:                                 {{}},
	} {
		if got := ParseForwarded(strings.Split(text, "|")); !slices.Equal(got, want) {
			t.Errorf("%s is read as %q, want %q", text, got, want)
		}
	}
}
