package server

import "unicode/utf8"

// utf8Check checks text that comes in pieces. The zero value is ready.
type utf8Check struct {
	cut [utf8.UTFMax]byte // a rune of which not all has come
	n   int               // bytes of it
}

// add reports whether the text can still be UTF-8 with one more piece.
func (c *utf8Check) add(p []byte) bool {
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

// whole reports whether the text ends where a rune ends.
func (c *utf8Check) whole() bool { return c.n == 0 }

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
