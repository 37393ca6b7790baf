// Package traceparent reads and writes the field that says where a request stands in a trace (W3C Trace Context).
package traceparent

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
)

// Names of the fields, as in http.Header.
const (
	Field = "Traceparent"
	State = "Tracestate"
)

// Context is a trace, and the span in it from which a request comes. The zero value is none.
type Context struct {
	Trace [16]byte
	Span  [8]byte
	Flags byte
}

// Sampled is the flag of a trace that its beginner records.
const Sampled = 1

// Sampled reports whether whoever began the trace records it.
func (c *Context) Sampled() bool { return c.Flags&Sampled != 0 }

// The places of the parts in the field: version-trace-span-flags, in lower case.
const (
	traceAt = 3
	spanAt  = traceAt + 2*16 + 1
	flagsAt = spanAt + 2*8 + 1
	length  = flagsAt + 2
)

// Parse reads a field. Of versions that nobody knows yet, what follows is not looked at.
func Parse(text string) (c Context, ok bool) {
	if len(text) < length || text[traceAt-1] != '-' || text[spanAt-1] != '-' || text[flagsAt-1] != '-' {
		return Context{}, false
	}
	var version, flags [1]byte
	ok = decode(version[:], text) && decode(c.Trace[:], text[traceAt:]) && decode(c.Span[:], text[spanAt:]) &&
		decode(flags[:], text[flagsAt:])
	c.Flags = flags[0]
	switch {
	case !ok, version[0] == 0xff, c.Trace == [16]byte{}, c.Span == [8]byte{},
		version[0] == 0 && len(text) > length, len(text) > length && text[length] != '-':
		return Context{}, false
	}
	return c, true
}

// decode fills b from digits in lower case.
func decode(b []byte, text string) bool {
	for i := range b {
		high, ok1 := digit(text[2*i])
		low, ok2 := digit(text[2*i+1])
		if !ok1 || !ok2 {
			return false
		}
		b[i] = high<<4 | low
	}
	return true
}

func digit(c byte) (value byte, ok bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}

// String returns the field, for one allocation.
func (c *Context) String() string {
	b := [length]byte{0: '0', 1: '0', traceAt - 1: '-', spanAt - 1: '-', flagsAt - 1: '-'}
	hex.Encode(b[traceAt:], c.Trace[:])
	hex.Encode(b[spanAt:], c.Span[:])
	b[flagsAt], b[flagsAt+1] = digits[c.Flags>>4], digits[c.Flags&0xf]
	return string(b[:])
}

const digits = "0123456789abcdef"

// NewTrace returns an id that no other trace has.
func NewTrace() (id [16]byte) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64())
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()|1) // not all zero
	return id
}

// NewSpan returns an id that no other span of a trace has.
func NewSpan() (id [8]byte) {
	binary.BigEndian.PutUint64(id[:], rand.Uint64()|1)
	return id
}
