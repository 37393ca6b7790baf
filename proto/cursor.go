package proto

import (
	"fmt"
	"io"
	"math"
)

// A cursor reads the private copy of a frame. It keeps the first error, and after that
// returns zero values as if the input were empty. So a parser reads like the layout that
// it parses, and checks err once, at the end.
type cursor struct {
	s   string
	at  int
	err error
}

// stop keeps the first error.
func (c *cursor) stop(err error) {
	if c.err == nil {
		c.err = err
		c.s, c.at = "", 0
	}
}

func (c *cursor) fail(err error, at int, what string) {
	c.stop(&FormatError{Err: err, Offset: at, What: what})
}

// take reads n bytes, or stops and returns the empty string.
func (c *cursor) take(n int) string {
	if n > len(c.s)-c.at {
		c.stop(io.ErrUnexpectedEOF)
		return ""
	}
	s := c.s[c.at : c.at+n]
	c.at += n
	return s
}

func (c *cursor) uvarint() uint64 {
	n, next, err := parseUvarint(c.s, c.at)
	if err != nil {
		c.stop(err)
		return 0
	}
	c.at = next
	return n
}

// piece reads a length and that many bytes.
func (c *cursor) piece() string {
	if c.at < len(c.s) {
		n, from := int(c.s[c.at]), c.at+1
		if n < 0x80 && n <= len(c.s)-from {
			c.at = from + n
			return c.s[from:c.at]
		}
	}
	return c.longPiece()
}

func (c *cursor) longPiece() string {
	n, next, err := parseLength(c.s, c.at)
	if err != nil {
		c.stop(err)
		return ""
	}
	c.at = next
	return c.take(n)
}

// checked reads a piece. It fails with err if the piece has a byte of class not.
func (c *cursor) checked(not byte, err error) string {
	s := c.piece()
	if scan(s)&not != 0 {
		i := indexClass(s, not)
		c.fail(err, c.at-len(s)+i, badByte(s[i]))
		return ""
	}
	return s
}

// parseLength reads a length at s[at:] and returns the offset after it. It does not
// check that so many bytes follow.
func parseLength(s string, at int) (n, next int, err error) {
	length, next, err := parseUvarint(s, at)
	if err != nil {
		return 0, at, err
	}
	if length > math.MaxInt {
		return 0, at, &FormatError{Err: ErrLength, Offset: at}
	}
	return int(length), next, nil
}

// parseUvarint reads an unsigned LEB128 number at s[at:] and returns the offset after it.
// It accepts forms longer than necessary, as other implementations do.
func parseUvarint(s string, at int) (n uint64, next int, err error) {
	for i := range maxUvarint {
		if at+i >= len(s) {
			return 0, at, io.ErrUnexpectedEOF
		}
		b := s[at+i]
		if i == maxUvarint-1 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return n, at + i + 1, nil
		}
	}
	return 0, at, &FormatError{Err: ErrVarint, Offset: at}
}

func badByte(b byte) string { return fmt.Sprintf("byte 0x%02x", b) }
