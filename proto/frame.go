package proto

import (
	"io"
	"strconv"
)

const (
	magic         = "HPKS"
	streamVersion = 1

	// Every frame begins with these 14 bytes: magic, version, type, stream id.
	versionAt = 4
	typeAt    = 5
	idAt      = 6
	headBytes = 14

	// maxUvarint is the longest varint.
	maxUvarint = 10
)

// FrameType is the type of a frame.
type FrameType uint8

// The types of frame.
const (
	FrameHeaders FrameType = 1 // a Request or a Response
	FrameBody    FrameType = 2 // a piece of the body
	FrameEnd     FrameType = 3 // the end of the stream
)

// String returns "headers", "body" or "end".
func (t FrameType) String() string {
	switch t {
	case FrameHeaders:
		return "headers"
	case FrameBody:
		return "body"
	case FrameEnd:
		return "end"
	}
	return "FrameType(" + strconv.Itoa(int(t)) + ")"
}

// Kind says whether a headers frame holds a request or a response.
type Kind uint8

// The kinds of headers frame.
const (
	KindRequest  Kind = 1
	KindResponse Kind = 2
)

// String returns "request" or "response".
func (k Kind) String() string {
	switch k {
	case KindRequest:
		return "request"
	case KindResponse:
		return "response"
	}
	return "Kind(" + strconv.Itoa(int(k)) + ")"
}

// ParseFrameType returns the type of the frame that b begins with. It looks at
// the first 6 bytes, and fails with io.ErrUnexpectedEOF, ErrMagic,
// ErrStreamVersion or ErrFrameType.
func ParseFrameType(b []byte) (FrameType, error) {
	s := string(b[:min(len(b), typeAt+1)])
	if err := parsePreamble(s); err != nil {
		return 0, err
	}
	t := FrameType(s[typeAt])
	if t < FrameHeaders || t > FrameEnd {
		return 0, &FormatError{Err: ErrFrameType, Offset: typeAt, What: t.String()}
	}
	return t, nil
}

// parsePreamble checks the bytes before the type of a frame, and that the type is not
// cut off.
func parsePreamble(s string) error {
	if len(s) < versionAt {
		return io.ErrUnexpectedEOF
	}
	if s[:versionAt] != magic {
		return &FormatError{Err: ErrMagic}
	}
	if len(s) <= typeAt {
		return io.ErrUnexpectedEOF
	}
	if v := s[versionAt]; v != streamVersion {
		return &FormatError{Err: ErrStreamVersion, Offset: versionAt, What: strconv.Itoa(int(v))}
	}
	return nil
}

// parseHead reads the first headBytes of a frame and returns the stream id.
func parseHead(s string, want FrameType) (id uint64, err error) {
	if err := parsePreamble(s); err != nil {
		return 0, err
	}
	if len(s) < headBytes {
		return 0, io.ErrUnexpectedEOF
	}
	if t := FrameType(s[typeAt]); t != want {
		what := t.String() + " where " + want.String() + " belongs"
		return 0, &FormatError{Err: ErrFrameType, Offset: typeAt, What: what}
	}
	for _, b := range []byte(s[idAt:headBytes]) {
		id = id<<8 | uint64(b)
	}
	return id, nil
}

// head reads the first headBytes of a headers frame and returns the stream id.
func (c *cursor) head() uint64 {
	id, err := parseHead(c.s, FrameHeaders)
	if err != nil {
		c.stop(err)
		return 0
	}
	c.at = headBytes
	return id
}

// kind reads the two bytes that follow the head of a headers frame.
func (c *cursor) kind(want Kind) Version {
	s := c.take(2)
	if c.err != nil {
		return 0
	}
	if k := Kind(s[0]); k != want {
		c.fail(ErrKind, headBytes, k.String()+" where "+want.String()+" belongs")
		return 0
	}
	v := Version(s[1])
	if !v.valid() {
		c.fail(ErrVersion, headBytes+1, v.String())
		return 0
	}
	return v
}

// appendHead appends the first headBytes of a frame.
func appendHead(dst []byte, t FrameType, id uint64) []byte {
	return append(dst, magic[0], magic[1], magic[2], magic[3], streamVersion, byte(t),
		byte(id>>56), byte(id>>48), byte(id>>40), byte(id>>32),
		byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
}
