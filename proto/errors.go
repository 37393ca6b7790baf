package proto

import (
	"errors"
	"strconv"
)

// The errors of the HPKS codec. They arrive inside a *FormatError: match them
// with errors.Is. Truncated input fails with io.ErrUnexpectedEOF instead.
var (
	// ErrMagic is returned when a frame does not begin with "HPKS".
	ErrMagic = errors.New("not an HPKS frame")

	// ErrStreamVersion is returned when the version of a frame's format is not 1.
	ErrStreamVersion = errors.New("unknown stream version")

	// ErrFrameType is returned when a frame is of an unknown type, or of a known type for
	// which the caller did not ask.
	ErrFrameType = errors.New("unexpected frame type")

	// ErrKind is returned when a headers frame holds neither a request nor a response, or
	// the one for which the caller did not ask.
	ErrKind = errors.New("unexpected kind of headers")

	// ErrVersion is returned when the HTTP version is none of HTTP11, HTTP2
	// and HTTP3.
	ErrVersion = errors.New("unknown HTTP version")

	// ErrVarint is returned when a varint has more than 10 bytes or more
	// than 64 bits.
	ErrVarint = errors.New("varint overflows 64 bits")

	// ErrLength is returned when a frame announces a length that no memory can
	// hold, 2^63 bytes or more.
	ErrLength = errors.New("impossible length")

	// ErrTooManyFields is returned when a header list has more than MaxFields
	// fields.
	ErrTooManyFields = errors.New("too many header fields")

	// ErrMethod is returned when a method is empty or not a token.
	ErrMethod = errors.New("bad method")

	// ErrScheme is returned when a scheme has a character that is not allowed there.
	ErrScheme = errors.New("bad scheme")

	// ErrAuthority is returned when an authority has a character that is not allowed
	// there.
	ErrAuthority = errors.New("bad authority")

	// ErrPath is returned when a path has a control character or a space.
	ErrPath = errors.New("bad path")

	// ErrStatus is returned when a status is not within 100..999.
	ErrStatus = errors.New("bad status")

	// ErrName is returned when a header name is empty, too long or not a
	// token.
	ErrName = errors.New("bad header name")

	// ErrValue is returned when a header value has a control character other
	// than HTAB.
	ErrValue = errors.New("bad header value")

	// ErrEndFlags is returned when the flags of an end frame are not 0.
	ErrEndFlags = errors.New("unknown end flags")
)

// FormatError says what is wrong with a frame, and where.
type FormatError struct {
	// Err is one of the errors above.
	Err error

	// Offset is the position of the fault, in bytes from the first byte of the frame
	// or header list. On encoding it is the position that the byte would have had.
	Offset int

	// What has details for a person, such as the name of a header field; may be
	// empty. Bytes from the frame are quoted.
	What string
}

func (e *FormatError) Error() string {
	s := "proto: " + e.Err.Error() + " at byte " + strconv.Itoa(e.Offset)
	if e.What != "" {
		s += ": " + e.What
	}
	return s
}

// Unwrap returns e.Err.
func (e *FormatError) Unwrap() error { return e.Err }

// quote makes s fit for a log line: escaped, and cut if it is long.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}
