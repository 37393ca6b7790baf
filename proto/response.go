package proto

import (
	"slices"
	"strconv"
)

const (
	minStatus = 100
	maxStatus = 999
)

// Response is the head of a response: the content of the first slot of a response lane.
type Response struct {
	StreamID uint64
	Version  Version
	Status   uint16 // 100..999; the server decides which of them reach a client
	Fields   []Field
}

// Size returns the exact length of r's frame in bytes.
func (r *Response) Size() int { return headBytes + 4 + fieldsSize(r.Fields) }

// AppendResponse appends the headers frame of r to dst. Header names are
// lower-cased on the way; r is not changed. Nothing is allocated if dst has
// the capacity, which is r.Size().
//
// It fails with a *FormatError of ErrVersion, ErrStatus, ErrTooManyFields,
// ErrName or ErrValue, and then returns dst as it was; the bytes between its
// length and its capacity may have been overwritten.
func AppendResponse(dst []byte, r *Response) ([]byte, error) {
	w := builder{b: slices.Grow(dst, r.Size()), start: len(dst)}
	w.b = append(appendHead(w.b, FrameHeaders, r.StreamID), byte(KindResponse))
	w.version(r.Version)
	w.status(r.Status)
	w.fields(r.Fields)
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

func (w *builder) status(s uint16) {
	if s < minStatus || s > maxStatus {
		w.fail(ErrStatus, len(w.b), strconv.Itoa(int(s)))
	}
	w.b = append(w.b, byte(s>>8), byte(s))
}

// Parse fills r from the response headers frame that b begins with and returns
// the frame's length in bytes. Copying, memory and errors are as for
// Request.Parse.
func (r *Response) Parse(b []byte) (n int, err error) {
	c := cursor{s: string(b)}
	*r = Response{ // Go makes these calls in the order they have here, the frame's
		StreamID: c.head(),
		Version:  c.kind(KindResponse),
		Status:   c.status(),
		Fields:   c.fields(r.Fields),
	}
	if c.err != nil {
		*r = Response{Fields: r.Fields}
		return 0, c.err
	}
	return c.at, nil
}

func (c *cursor) status() uint16 {
	b := c.take(2)
	if c.err != nil {
		return 0
	}
	s := uint16(b[0])<<8 | uint16(b[1])
	if s < minStatus || s > maxStatus {
		c.fail(ErrStatus, c.at-2, strconv.Itoa(int(s)))
		return 0
	}
	return s
}
