package compress

import (
	"strings"
	"testing"
)

func TestAClientGetsTheCodingThatItWantsMost(t *testing.T) {
	for accept, want := range map[string]string{
		"":                                    identity,
		" ":                                   identity,
		"gzip":                                "gzip",
		"x-gzip":                              "gzip",
		"GZIP":                                "gzip",
		"zstd":                                "zstd",
		"br":                                  identity,
		"gzip, deflate, br, zstd":             "zstd",
		"gzip;q=1, zstd;q=0.9":                "gzip",
		"gzip;q=0.5, zstd;q=0.5":              "zstd",
		"gzip;q=0.001":                        "gzip",
		"gzip;q=0":                            identity,
		"gzip; q=0.000, zstd ; q=1.000":       "zstd",
		"gzip;q=0, *":                         "zstd",
		"zstd;q=0, *;q=0.1":                   "gzip",
		"*":                                   "zstd",
		"*;q=0":                               identity,
		"gzip, *;q=0":                         "gzip",
		"identity":                            identity,
		"identity;q=0":                        identity,
		"identity;q=0, gzip;q=0.1":            "gzip",
		"identity, gzip;q=0.5":                identity,
		"identity;q=0.5, gzip;q=0.5":          "gzip",
		"identity;q=0.2, gzip;q=0.5, *;q=0.1": "gzip",
		"gzip;q=2":                            identity,
		"gzip;q=-1":                           identity,
		"gzip;q=NaN":                          identity,
		"gzip;q=":                             identity,
		"gzip;level=9":                        identity,
		"gzip|zstd;q=0.5":                     "gzip",
		"br|gzip;q=0.1":                       "gzip",
	} {
		if got := chooseCoding(strings.Split(accept, "|")); got != want {
			t.Errorf("%q gets %s, want %s", accept, got, want)
		}
	}
	if got := chooseCoding(nil); got != identity {
		t.Errorf("a client that says nothing gets %s", got)
	}
}
