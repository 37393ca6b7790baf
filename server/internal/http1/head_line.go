package http1

import (
	"math"
)

// text is what the two parsers of heads read: the fast path a string, the guard bytes that
// net/http reads after it. Both take lines apart here, and know characters from this table.
type text interface{ ~string | ~[]byte }

// Kinds of character in a head.
const (
	charName   = 1 << iota // in the name of a field, of those that the fast path takes
	charTarget             // in a target, likewise
	charHost               // in a host, likewise
	charValue              // in the value of a field, or an extension of a chunk: no control character
)

var chars = func() (table [256]uint8) {
	mark := func(set string, kind uint8) {
		for _, c := range []byte(set) {
			table[c] |= kind
		}
	}
	alphanumeric := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark(alphanumeric+"-", charName)
	mark(alphanumeric+"-._~$&+,;=:@/?", charTarget) // those that package url leaves as they are; "%" is for net/http
	mark(alphanumeric+"-.:[]", charHost)
	for c := range table {
		if c == '\t' || c >= ' ' && c != 0x7f {
			table[c] |= charValue
		}
	}
	return table
}()

// all reports whether every character of s is of a kind.
func all[T text](s T, kind uint8) bool {
	for i := range len(s) {
		if chars[s[i]]&kind == 0 {
			return false
		}
	}
	return true
}

// cut returns what is before and after the first separator, if there is one. It is
// strings.Cut for both kinds of text.
func cut[T text](s T, separator byte) (before, after T, found bool) {
	for i := range len(s) {
		if s[i] == separator {
			return s[:i], s[i+1:], true
		}
	}
	return s, s[len(s):], false
}

// cutRequestLine takes the first line of a message apart, without its end, as net/http does.
func cutRequestLine[T text](line T) (method, target, version T, ok bool) {
	method, line, one := cut(line, ' ')
	target, version, two := cut(line, ' ')
	return method, target, version, one && two
}

// cutField takes the line of a field apart, without its end and the whitespace around the
// value (RFC 9112 section 5).
func cutField[T text](line T) (name, value T, ok bool) {
	name, value, ok = cut(line, ':')
	for len(value) > 0 && isSpace(value[0]) {
		value = value[1:]
	}
	for len(value) > 0 && isSpace(value[len(value)-1]) {
		value = value[:len(value)-1]
	}
	return name, value, ok
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' }

// parseNumber reads a number below 2^63 that is written in digits alone; to base 16, in at
// most 16 of them.
func parseNumber[T text](s T, base uint64) (n uint64, ok bool) {
	if len(s) == 0 || base == 16 && len(s) > 16 {
		return 0, false
	}
	for i := range len(s) {
		digit := hexDigit(s[i])
		if digit >= base || n > (math.MaxInt64-digit)/base {
			return 0, false
		}
		n = n*base + digit
	}
	return n, true
}

// hexDigit returns the value of a digit, or something larger than any.
func hexDigit(c byte) uint64 {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0')
	case c >= 'a' && c <= 'f':
		return uint64(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return uint64(c-'A') + 10
	}
	return math.MaxInt64
}
