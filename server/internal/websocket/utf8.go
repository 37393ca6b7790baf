package websocket

import "unicode/utf8"

// UTF8Validator checks text that comes in pieces. The zero value is ready for a text.
type UTF8Validator struct {
	cut [utf8.UTFMax]byte // the beginning of a rune of which the rest has not come
	n   int               // bytes of it
}

// Add adds a piece, and reports whether the text can still become UTF-8.
func (c *UTF8Validator) Add(p []byte) bool {
	for c.n > 0 && len(p) > 0 {
		c.cut[c.n], p = p[0], p[1:]
		c.n++
		if !utf8.FullRune(c.cut[:c.n]) {
			continue
		}
		if _, size := utf8.DecodeRune(c.cut[:c.n]); size != c.n {
			return false
		}
		c.n = 0
	}
	whole := wholeRunes(p)
	c.n += copy(c.cut[c.n:], p[whole:])
	return utf8.Valid(p[:whole])
}

// Whole reports whether the text ends at the end of a rune.
func (c *UTF8Validator) Whole() bool { return c.n == 0 }

// wholeRunes returns the length of p without a rune at its end that is cut off.
func wholeRunes(p []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(p); i++ {
		if last := p[len(p)-i:]; utf8.RuneStart(last[0]) {
			if utf8.FullRune(last) {
				return len(p)
			}
			return len(p) - i
		}
	}
	return len(p)
}
