package proto

import (
	"encoding/binary"
	"math/bits"
)

// A builder appends a frame to b. It keeps the first error. What it appends after
// that does not matter, since the caller gets the original slice back.
type builder struct {
	b     []byte
	start int // where the frame begins in b
	err   error
}

func (w *builder) fail(err error, at int, what string) {
	if w.err == nil {
		w.err = &FormatError{Err: err, Offset: at - w.start, What: what}
	}
}

// checked appends the length of s and s. It fails with err if s has a byte of class not.
func (w *builder) checked(s string, not byte, err error) {
	w.b = appendPiece(w.b, s)
	if scan(s)&not != 0 {
		i := indexClass(s, not)
		w.fail(err, len(w.b)-len(s)+i, badByte(s[i]))
	}
}

func (w *builder) version(v Version) {
	if !v.valid() {
		w.fail(ErrVersion, len(w.b), v.String())
	}
	w.b = append(w.b, byte(v))
}

func appendPiece(dst []byte, s string) []byte {
	return append(appendUvarint(dst, len(s)), s...)
}

func appendUvarint(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

// pieceSize is the length of what appendPiece appends.
func pieceSize(s string) int { return uvarintSize(len(s)) + len(s) }

func uvarintSize(n int) int {
	if n < 0x80 {
		return 1
	}
	return (bits.Len64(uint64(n)) + 6) / 7
}
