package http1

import (
	"bytes"
	"math"
)

// messageHead is what the head of an HTTP/1 message says of the body behind it.
type messageHead struct {
	old     bool   // HTTP/1.0
	lengths int    // Content-Length fields
	codings int    // Transfer-Encoding fields
	length  uint64 // of the body; 0: none, or not said
	chunked bool
}

// bodyKind is how the end of a body is found (RFC 9112 section 6.3).
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyUnknown // net/http refuses the message
	bodyUnclear // so has the FramingGuard to
)

// begin reads the first line. Net/http refuses one that has not three words.
func (h *messageHead) begin(line []byte) {
	h.old = bytes.HasSuffix(bytes.TrimRight(line, "\r\n"), []byte(" HTTP/1.0"))
}

// field reads a field's line. It reports false for one that is refused whatever
// comes behind it.
func (h *messageHead) field(line []byte) bool {
	if isFolded(line) {
		return false
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		return h.addLength(trimField(value))
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		return h.addCoding(trimField(value))
	case bytes.EqualFold(name, []byte("host")): // net/http forgets it beside a target that has one
		return len(trimField(value)) > 0
	}
	return true
}

// addLength takes one field that is a plain number. RFC 9112 section 6.3 would have
// us take several that are equal; but then not everybody does.
func (h *messageHead) addLength(value []byte) (ok bool) {
	h.lengths++
	h.length, ok = parseNumber(value, 10)
	return ok && h.lengths == 1
}

func (h *messageHead) addCoding(value []byte) bool {
	h.codings++
	h.chunked = bytes.EqualFold(value, []byte("chunked"))
	return h.codings == 1
}

// body returns what body follows the head.
func (h *messageHead) body() bodyKind {
	switch {
	case h.codings > 0 && (h.lengths > 0 || h.old):
		return bodyUnclear
	case h.chunked:
		return bodyChunked
	case h.codings > 0:
		return bodyUnknown
	case h.length > 0:
		return bodyLength
	}
	return bodyNone
}

// trimField takes the optional whitespace and the line's end off a value.
func trimField(value []byte) []byte { return bytes.Trim(value, " \t\r\n") }

// parseNumber reads a number below 2^63 that is written in digits alone; to base 16,
// in at most 16 of them.
func parseNumber(text []byte, base uint64) (n uint64, ok bool) {
	if len(text) == 0 || base == 16 && len(text) > 16 {
		return 0, false
	}
	for _, char := range text {
		digit := hexDigit(char)
		if digit >= base || n > (math.MaxInt64-digit)/base {
			return 0, false
		}
		n = n*base + digit
	}
	return n, true
}

// hexDigit returns the value of a digit, or something larger than any.
func hexDigit(char byte) uint64 {
	switch {
	case char >= '0' && char <= '9':
		return uint64(char - '0')
	case char >= 'a' && char <= 'f':
		return uint64(char-'a') + 10
	case char >= 'A' && char <= 'F':
		return uint64(char-'A') + 10
	}
	return math.MaxInt64
}
