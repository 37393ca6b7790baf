package shm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
)

// patternPeriod is prime, so that no slot, buffer or page size divides it: a
// byte that arrives in the wrong place is a wrong byte.
const patternPeriod = 65521

// patternTable is two and more periods of random bytes, so that any slot is one
// copy of a part of it.
var patternTable = func() []byte {
	source := rand.NewChaCha8([32]byte{'p', 'a', 't', 't', 'e', 'r', 'n'})
	period := make([]byte, patternPeriod)
	_, _ = source.Read(period)
	var table []byte
	for len(table) < patternPeriod+MaxSlotSize {
		table = append(table, period...)
	}
	return table
}()

// pattern is an endless body that both sides know, different for every id.
type pattern uint64

func (p pattern) at(offset uint64, n int) []byte {
	start := (offset + uint64(p)*40503) % patternPeriod
	return patternTable[start : start+uint64(n)]
}

// fill writes the bytes of the body from offset into b.
func (p pattern) fill(b []byte, offset uint64) { copy(b, p.at(offset, len(b))) }

// check returns an error that names the first byte of b that is not the body's
// from offset.
func (p pattern) check(b []byte, offset uint64) error {
	want := p.at(offset, len(b))
	if bytes.Equal(b, want) {
		return nil
	}
	for i := range b {
		if b[i] != want[i] {
			return fmt.Errorf("body %d: byte %d is %#x, want %#x", p, offset+uint64(i), b[i], want[i])
		}
	}
	return nil
}
