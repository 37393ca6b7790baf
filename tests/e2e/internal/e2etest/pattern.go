package e2etest

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

// TestPattern is an endless body, different for every number.
type TestPattern uint64

// at returns some of the body from offset, at most n bytes.
func (p TestPattern) at(offset int64, n int) []byte {
	start := (uint64(offset) + uint64(p)*40503) % patternPeriod
	return patternTable[start : start+uint64(min(n, patternPeriod))]
}

// All returns the first n bytes.
func (p TestPattern) All(n int) []byte {
	b := make([]byte, n)
	_, _ = io.ReadFull(&PatternReader{Pattern: p, Left: int64(n)}, b)
	return b
}

// PatternReader reads the first bytes of a pattern, at most so many at once as
// Most says.
type PatternReader struct {
	Pattern TestPattern
	offset  int64
	Left    int64
	Most    func() int // nil: no bound
}

// Read reads from the pattern.
func (r *PatternReader) Read(p []byte) (int, error) {
	if r.Left == 0 {
		return 0, io.EOF
	}
	if r.Most != nil {
		p = p[:min(len(p), r.Most())]
	}
	n := copy(p, r.Pattern.at(r.offset, int(min(int64(len(p)), r.Left))))
	r.offset, r.Left = r.offset+int64(n), r.Left-int64(n)
	return n, nil
}

// PatternChecker takes what should be a pattern.
type PatternChecker struct {
	Pattern TestPattern
	Offset  int64
}

// Write compares p with the pattern.
func (c *PatternChecker) Write(p []byte) (n int, err error) {
	for n < len(p) {
		want := c.Pattern.at(c.Offset, len(p)-n)
		if !bytes.Equal(p[n:n+len(want)], want) {
			return n, fmt.Errorf("wrong bytes between %d and %d", c.Offset, c.Offset+int64(len(want)))
		}
		n, c.Offset = n+len(want), c.Offset+int64(len(want))
	}
	return n, nil
}
