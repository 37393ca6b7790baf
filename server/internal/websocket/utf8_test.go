package websocket

import (
	"testing"
	"unicode/utf8"
)

func FuzzTextInPiecesIsCheckedAsAWhole(f *testing.F) {
	for _, text := range []string{
		"", "plain", "é€😀", "\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
		"\xf0\x9f\x98", "€\x80", "\xe2\x28\xa1",
	} {
		f.Add([]byte(text), uint8(1))
		f.Add([]byte(text), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, step uint8) {
		var c UTF8Validator
		good := true
		for rest := text; len(rest) > 0 && good; {
			n := min(len(rest), int(step)%5+1)
			good = c.Add(rest[:n])
			rest = rest[n:]
		}
		if got := good && c.Whole(); got != utf8.Valid(text) {
			t.Errorf("%q in pieces of %d: %v", text, step%5+1, got)
		}
	})
}

func TestTextIsRefusedWithTheFirstByteThatMakesItWrong(t *testing.T) {
	for text, wrong := range map[string]int{
		"\xc0": 0, "\xf5": 0, "\xed\xa0": 1, "\xf4\x90": 1, "ab\x80": 2, "\xe2\x82\x28": 2,
	} {
		var c UTF8Validator
		for i := range len(text) {
			if got := c.Add([]byte{text[i]}); got != (i < wrong) {
				t.Errorf("%q: byte %d: %v", text, i, got)
				break
			}
		}
	}
}
