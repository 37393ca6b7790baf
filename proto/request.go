package proto

import "slices"

// Request is the head of a request: the content of the first slot of a request lane.
type Request struct {
	StreamID  uint64
	Version   Version
	Method    string // as the client sent it: methods are case-sensitive
	Scheme    string // empty if there was none
	Authority string // host[:port]; empty if there was none
	Path      string // with the query; never empty when parsed
	Fields    []Field
}

// Size returns the exact length of r's frame in bytes.
func (r *Request) Size() int {
	return headBytes + 2 + pieceSize(r.Method) + pieceSize(r.Scheme) +
		pieceSize(r.Authority) + pieceSize(r.Path) + fieldsSize(r.Fields)
}

// AppendRequest appends the headers frame of r to dst. Header names are
// lower-cased on the way; r is not changed. Nothing is allocated if dst has
// the capacity, which is r.Size().
//
// It fails with a *FormatError of ErrVersion, ErrMethod, ErrScheme,
// ErrAuthority, ErrPath, ErrTooManyFields, ErrName or ErrValue, and then
// returns dst as it was; the bytes between its length and its capacity may
// have been overwritten.
func AppendRequest(dst []byte, r *Request) ([]byte, error) {
	w := builder{b: slices.Grow(dst, r.Size()), start: len(dst)}
	w.b = append(appendHead(w.b, FrameHeaders, r.StreamID), byte(KindRequest))
	w.version(r.Version)
	w.method(r.Method)
	w.checked(r.Scheme, notScheme, ErrScheme)
	w.checked(r.Authority, notAuthority, ErrAuthority)
	w.path(r.Path)
	w.fields(r.Fields)
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// Parse fills r from the request headers frame that b begins with and returns
// the frame's length in bytes.
//
// All of b is copied once, and only the copy is read: b is not retained and may
// change at any time, such as memory that a hostile process can write. The copy is
// the only allocation if r.Fields has the capacity and no name needs lower-casing;
// all strings of r share its memory. The array of r.Fields is overwritten: fields of
// an earlier Parse are gone.
//
// It fails with io.ErrUnexpectedEOF or a *FormatError, and then r is empty.
func (r *Request) Parse(b []byte) (n int, err error) {
	c := cursor{s: string(b)}
	*r = Request{ // Go makes these calls in the order they have here, the frame's
		StreamID:  c.head(),
		Version:   c.kind(KindRequest),
		Method:    c.method(),
		Scheme:    c.checked(notScheme, ErrScheme),
		Authority: c.checked(notAuthority, ErrAuthority),
		Path:      c.path(),
		Fields:    c.fields(r.Fields),
	}
	if c.err != nil {
		*r = Request{Fields: r.Fields}
		return 0, c.err
	}
	return c.at, nil
}

func (c *cursor) method() string {
	s := c.checked(notToken, ErrMethod)
	if s == "" {
		c.fail(ErrMethod, c.at, "empty")
	}
	return s
}

func (w *builder) method(s string) {
	if s == "" {
		w.fail(ErrMethod, len(w.b), "empty")
	}
	w.checked(s, notToken, ErrMethod)
}

func (c *cursor) path() string {
	s := c.piece()
	if !okPath(s) {
		i := indexClass(s, notPath)
		c.fail(ErrPath, c.at-len(s)+i, badByte(s[i]))
	}
	if s == "" {
		return "/"
	}
	return s
}

func (w *builder) path(s string) {
	w.b = appendPiece(w.b, s)
	if !okPath(s) {
		i := indexClass(s, notPath)
		w.fail(ErrPath, len(w.b)-len(s)+i, badByte(s[i]))
	}
}
