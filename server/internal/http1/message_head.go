package http1

import "bytes"

// messageHead is what the head of an HTTP/1 message says of the body behind it.
type messageHead struct {
	old     bool   // HTTP/1.0
	lengths int    // Content-Length fields
	codings int    // Transfer-Encoding fields
	length  uint64 // of the body; 0: none, or not said
	chunked bool
}

// bodyKind says how to find the end of a body (RFC 9112 section 6.3).
type bodyKind uint8

const (
	bodyNone bodyKind = iota
	bodyLength
	bodyChunked
	bodyUnknown // net/http refuses the message
	bodyUnclear // the guard has to refuse it
)

// start reads the first line. Net/http refuses one that does not have three words.
func (h *messageHead) start(line []byte) {
	_, _, version, _ := cutRequestLine(line)
	h.old = string(version) == "HTTP/1.0"
}

// addField reads the line of a field. It reports false for one with which the message is
// refused, whatever follows.
func (h *messageHead) addField(line []byte) bool {
	if isFolded(line) {
		return false
	}
	name, value, _ := cutField(line)
	switch {
	case bytes.EqualFold(name, []byte("content-length")):
		return h.addLength(value)
	case bytes.EqualFold(name, []byte("transfer-encoding")):
		return h.addCoding(value)
	case bytes.EqualFold(name, []byte("host")): // net/http forgets it beside a target that has one
		return len(value) > 0
	}
	return true
}

// addLength takes one field that is a plain number. RFC 9112 section 6.3 would allow several
// equal ones, but not every recipient does.
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

// isFolded reports whether a line continues the field of the line before (obsolete line
// folding, RFC 9112 section 5.2).
func isFolded(line []byte) bool { return len(line) > 0 && isSpace(line[0]) }
