package proto

import (
	"strings"
	"testing"
)

// The sets as the RFCs have them, written out apart from classOf.
const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

func TestEachPlaceTakesTheBytesOfItsRFC(t *testing.T) {
	for c := range 256 {
		b := byte(c)
		in := func(set string) bool { return strings.IndexByte(set, b) >= 0 }
		control := c < 0x20 || c == 0x7f
		for _, place := range []struct {
			name string
			not  byte
			want bool
		}{
			{"token", notToken, in(letters + digits + "!#$%&'*+-.^_`|~")},
			{"value", notValue, !control || b == '\t'},
			{"path", notPath, !control && b != ' '},
			{"scheme", notScheme, in(letters + digits + "+-.")},
			{"authority", notAuthority, in(letters + digits + "-._~!$&'()*+,;=%:@[]")},
		} {
			if got := classes[b]&place.not == 0; got != place.want {
				t.Errorf("%s takes byte %#02x: %v, want %v", place.name, c, got, place.want)
			}
		}
		if got, want := classes[b]&upper != 0, c >= 'A' && c <= 'Z'; got != want {
			t.Errorf("byte %#02x is upper-case: %v, want %v", c, got, want)
		}
	}
}

// One byte of every value at every place of strings of every length up to
// four words, among neighbours that are the hardest on the arithmetic.
func TestNoByteHidesWhereverItIs(t *testing.T) {
	for _, around := range []string{"a", " ", "!", "~", "\x80", "\xff"} {
		for length := 1; length <= 4*wordBytes; length++ {
			s := []byte(strings.Repeat(around, length))
			for at := range s {
				for c := range 256 {
					s[at] = byte(c)
					checkScans(t, string(s))
				}
				s[at] = around[0]
			}
		}
	}
}

func checkScans(t *testing.T, s string) {
	t.Helper()
	var want byte
	for i := range len(s) {
		want |= classes[s[i]]
	}
	if got := scan(s); got != want {
		t.Fatalf("scan(%q) = %08b, want %08b", s, got, want)
	}
	if got, want := okValue(s), want&notValue == 0; got != want {
		t.Fatalf("okValue(%q) = %v", s, got)
	}
	if got, want := okPath(s), want&notPath == 0; got != want {
		t.Fatalf("okPath(%q) = %v", s, got)
	}
}
