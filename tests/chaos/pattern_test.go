package chaos_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// pattern is an endless sequence of bytes, another one for each seed. The workers
// make the same (sdk/c/tests/chaos.c).
type pattern uint64

// word returns bytes 8*k to 8*k+7, the first of them lowest.
func (p pattern) word(k uint64) uint64 {
	z := uint64(p) + (k+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// fill writes the bytes from an offset on into b.
func (p pattern) fill(b []byte, at uint64) {
	var word [8]byte
	for n := 0; n < len(b); {
		binary.LittleEndian.PutUint64(word[:], p.word((at+uint64(n))/8))
		n += copy(b[n:], word[(at+uint64(n))%8:])
	}
}

// bytes returns the first n bytes.
func (p pattern) bytes(n int) []byte {
	b := make([]byte, n)
	p.fill(b, 0)
	return b
}

// checker takes what should be the bytes of want, and no others.
type checker struct {
	want []byte
	got  int
}

// Write compares b with what is due.
func (c *checker) Write(b []byte) (int, error) {
	if len(b) > len(c.want)-c.got {
		return 0, fmt.Errorf("%w: %d bytes and more, want %d", errWrong, c.got+len(b), len(c.want))
	}
	if !bytes.Equal(b, c.want[c.got:c.got+len(b)]) {
		return 0, fmt.Errorf("%w: between %d and %d of %d", errWrong, c.got, c.got+len(b), len(c.want))
	}
	c.got += len(b)
	return len(b), nil
}

// someSize returns a size up to most, as often small as large: every power of two
// is as likely as the next one.
func someSize(r *rand.Rand, most int) int {
	n := most
	for n > 0 && r.IntN(8) > 0 {
		n /= 2
	}
	if n == 0 {
		return 0
	}
	return r.IntN(n + 1)
}
