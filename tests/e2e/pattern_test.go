package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
)

// patternPeriod is prime, so that no slot, buffer or page size divides it: a
// byte that arrives in the wrong place is a wrong byte.
const patternPeriod = 65521

// patternTable is two periods of random bytes.
var patternTable = func() []byte {
	source := rand.NewChaCha8([32]byte{'e', '2', 'e'})
	period := make([]byte, patternPeriod)
	_, _ = source.Read(period)
	return append(period, period...)
}()

// testPattern is an endless body, different for every number.
type testPattern uint64

// at returns some of the body from offset, at most n bytes.
func (p testPattern) at(offset int64, n int) []byte {
	start := (uint64(offset) + uint64(p)*40503) % patternPeriod
	return patternTable[start : start+uint64(min(n, patternPeriod))]
}

// all returns the first n bytes.
func (p testPattern) all(n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(&patternReader{pattern: p, left: int64(n)}, b)
	return b
}

// patternReader reads the first bytes of a pattern, at most so many at once as
// most says.
type patternReader struct {
	pattern testPattern
	offset  int64
	left    int64
	most    func() int // nil: no bound
}

// Read reads from the pattern.
func (r *patternReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if r.most != nil {
		p = p[:min(len(p), r.most())]
	}
	n := copy(p, r.pattern.at(r.offset, int(min(int64(len(p)), r.left))))
	r.offset, r.left = r.offset+int64(n), r.left-int64(n)
	return n, nil
}

// patternChecker takes what should be a pattern.
type patternChecker struct {
	pattern testPattern
	offset  int64
}

// Write compares p with the pattern.
func (c *patternChecker) Write(p []byte) (n int, err error) {
	for n < len(p) {
		want := c.pattern.at(c.offset, len(p)-n)
		if !bytes.Equal(p[n:n+len(want)], want) {
			return n, fmt.Errorf("wrong bytes between %d and %d", c.offset, c.offset+int64(len(want)))
		}
		n, c.offset = n+len(want), c.offset+int64(len(want))
	}
	return n, nil
}
