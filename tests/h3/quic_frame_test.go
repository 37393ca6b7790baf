package h3_test

import (
	"errors"
	"io"

	"github.com/quic-go/quic-go/quicvarint"
)

// varints returns the numbers, one behind the other.
func varints(numbers ...uint64) (b []byte) {
	for _, n := range numbers {
		b = quicvarint.Append(b, n)
	}
	return b
}

// cryptoFrame returns a CRYPTO frame.
func cryptoFrame(offset uint64, data []byte) []byte {
	return append(varints(6, offset, uint64(len(data))), data...)
}

// quicFrames is what matters of the frames in a packet.
type quicFrames struct {
	crypto map[uint64][]byte // by offset
	closed *uint64           // the error with which the connection closes
	done   bool              // the handshake is, for the server
}

var errFrame = errors.New("a frame that this client does not know")

// frameNumbers is how many numbers there are in the frames that have nothing else.
var frameNumbers = map[uint64]int{
	0x00: 0, 0x01: 0, 0x04: 3, 0x05: 2, 0x10: 1, 0x11: 2, 0x12: 1, 0x13: 1, 0x14: 1, 0x15: 2, 0x16: 1, 0x17: 1,
	0x19: 1, 0x1e: 0,
}

// parseFrames reads the frames of a packet (RFC 9000 section 19).
func parseFrames(b []byte) (f quicFrames, err error) {
	f.crypto = map[uint64][]byte{}
	r := &frameReader{b: b}
	for len(r.b) > 0 && r.err == nil {
		r.frame(&f)
	}
	return f, r.err
}

type frameReader struct {
	b   []byte
	err error
}

func (r *frameReader) number() uint64 {
	n, size, err := quicvarint.Parse(r.b)
	if err != nil {
		r.err, r.b = err, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *frameReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.err, r.b = io.ErrUnexpectedEOF, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *frameReader) frame(f *quicFrames) {
	kind := r.number()
	count, plain := frameNumbers[kind]
	switch {
	case plain:
		for range count {
			r.number()
		}
		f.done = f.done || kind == 0x1e
	case kind == 0x02 || kind == 0x03:
		r.acknowledgment(kind == 0x03)
	case kind == 0x06:
		offset := r.number()
		f.crypto[offset] = r.bytes(r.number())
	case kind == 0x07:
		r.bytes(r.number())
	case kind >= 0x08 && kind <= 0x0f:
		r.stream(kind)
	case kind == 0x18:
		r.number()
		r.number()
		if size := r.bytes(1); size != nil {
			r.bytes(uint64(size[0]) + 16)
		}
	case kind == 0x1a || kind == 0x1b:
		r.bytes(8)
	case kind == 0x1c || kind == 0x1d:
		code := r.number()
		if f.closed = &code; kind == 0x1c {
			r.number()
		}
		r.bytes(r.number())
	default:
		r.err = errFrame
	}
}

func (r *frameReader) acknowledgment(ecn bool) {
	r.number()
	r.number()
	ranges := r.number()
	r.number()
	for ; ranges > 0 && r.err == nil; ranges-- {
		r.number()
		r.number()
	}
	if ecn {
		r.number()
		r.number()
		r.number()
	}
}

func (r *frameReader) stream(kind uint64) {
	r.number()
	if kind&4 != 0 {
		r.number()
	}
	size := uint64(len(r.b))
	if kind&2 != 0 {
		size = r.number()
	}
	r.bytes(size)
}
