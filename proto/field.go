package proto

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

const (
	// MaxFields is the most fields that a header list may have.
	MaxFields = 8192

	// maxName is the longest header name, in bytes: other implementations of
	// the format refuse a longer one.
	maxName = 65535

	// minField is the shortest field: two lengths and a name of one byte.
	minField = 3
)

// Field is one line of a header or trailer section. A field that was sent twice occurs
// twice, in the order in which it was sent.
type Field struct {
	Name  string // lower-case when parsed, in any case when appended
	Value string // may be empty, and need not be UTF-8
}

// AppendFields appends a header list, without a frame around it, to dst: the
// content of a trailers slot. Names are lower-cased. Nothing is allocated if
// dst has the capacity.
//
// It fails with a *FormatError of ErrTooManyFields, ErrName or ErrValue, and
// then returns dst as it was.
func AppendFields(dst []byte, fields []Field) ([]byte, error) {
	w := builder{b: slices.Grow(dst, fieldsSize(fields)), start: len(dst)}
	w.fields(fields)
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// ParseFields parses the header list that b begins with, and returns its fields
// in reuse[:0], grown if need be, and how many bytes it had.
//
// All of b is copied once, and only the copy is read: b may change at any time, and
// is not retained. The fields share the memory of the copy.
//
// It fails with io.ErrUnexpectedEOF or a *FormatError of ErrTooManyFields,
// ErrName, ErrValue, ErrVarint or ErrLength, and then returns no fields.
func ParseFields(b []byte, reuse []Field) (fields []Field, n int, err error) {
	c := cursor{s: string(b)}
	fields = c.fields(reuse)
	if c.err != nil {
		return nil, 0, c.err
	}
	return fields, c.at, nil
}

// fields reads a header list into reuse[:0]. It clears the rest of reuse, which would
// keep an earlier frame in memory. After a fault it returns no fields, with the memory
// of reuse.
func (c *cursor) fields(reuse []Field) []Field {
	fields := c.readFields(reuse[:0])
	if c.err != nil {
		clear(fields)
		fields = fields[:0]
	}
	if len(fields) < len(reuse) {
		clear(reuse[len(fields):])
	}
	return fields
}

func (c *cursor) readFields(fields []Field) []Field {
	start := c.at
	n := c.uvarint()
	if n > MaxFields {
		c.fail(ErrTooManyFields, start, strconv.FormatUint(n, 10))
	}
	if c.err != nil {
		return fields
	}
	if int(n)*minField > len(c.s)-c.at {
		c.stop(io.ErrUnexpectedEOF)
		return fields
	}
	fields = slices.Grow(fields, int(n))
	for range n {
		name := c.name()
		value := c.value(name)
		if c.err != nil {
			break
		}
		fields = append(fields, Field{Name: name, Value: value})
	}
	return fields
}

func (c *cursor) name() string {
	s := c.piece()
	class := scan(s)
	if class&notToken != 0 || badNameLength(s) {
		at, what := badName(s)
		c.fail(ErrName, c.at-len(s)+at, what)
		return ""
	}
	if class&upper != 0 {
		return strings.ToLower(s)
	}
	return s
}

func (c *cursor) value(name string) string {
	s := c.piece()
	if !okValue(s) {
		i := indexClass(s, notValue)
		c.fail(ErrValue, c.at-len(s)+i, badValue(name, s[i]))
		return ""
	}
	return s
}

// fields appends a header list.
func (w *builder) fields(fields []Field) {
	if len(fields) > MaxFields {
		w.fail(ErrTooManyFields, len(w.b), strconv.Itoa(len(fields)))
		return
	}
	b := appendUvarint(w.b, len(fields))
	for i := range fields {
		f := &fields[i]
		class := scan(f.Name)
		if class&notToken != 0 || badNameLength(f.Name) {
			at, what := badName(f.Name)
			w.fail(ErrName, len(b)+uvarintSize(len(f.Name))+at, what)
			return
		}
		if !okValue(f.Value) {
			at := len(b) + pieceSize(f.Name) + uvarintSize(len(f.Value))
			bad := indexClass(f.Value, notValue)
			w.fail(ErrValue, at+bad, badValue(f.Name, f.Value[bad]))
			return
		}
		b = appendPiece(b, f.Name)
		if class&upper != 0 {
			lower(b[len(b)-len(f.Name):])
		}
		b = appendPiece(b, f.Value)
	}
	w.b = b
}

func badNameLength(name string) bool { return len(name) == 0 || len(name) > maxName }

// badName returns the position of the fault in s and a description of it.
func badName(s string) (at int, what string) {
	if len(s) == 0 {
		return 0, "empty"
	}
	if at = indexClass(s, notToken); at < len(s) {
		return at, badByte(s[at]) + " in " + quote(s)
	}
	return 0, strconv.Itoa(len(s)) + " bytes"
}

func badValue(name string, b byte) string { return badByte(b) + " in " + quote(name) }

func fieldsSize(fields []Field) int {
	n := uvarintSize(len(fields))
	for i := range fields {
		n += pieceSize(fields[i].Name) + pieceSize(fields[i].Value)
	}
	return n
}
