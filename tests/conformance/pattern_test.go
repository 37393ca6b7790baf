package conformance_test

import (
	"bytes"
	"fmt"
	"hash/adler32"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// patternPeriod is after how many bytes the pattern of responses begins again: a
// prime, so that slots never begin with the same bytes.
const patternPeriod = 65521

// pattern is what drivers write, many times over.
var pattern = makePattern()

func makePattern() []byte {
	b := make([]byte, patternPeriod)
	for i := range b {
		b[i] = byte(uint32(i) * 2654435761 >> 24)
	}
	return bytes.Repeat(b, 64)
}

// textPattern is what they write as text: seven bits of each byte.
var textPattern = makeText(pattern)

// makeText returns text of as many bytes.
func makeText(b []byte) []byte {
	text := make([]byte, len(b))
	for i := range b {
		text[i] = b[i] & 0x7f
	}
	return text
}

// wantPattern reads a body, which has to be the first n bytes of the pattern.
func wantPattern(t *testing.T, body io.Reader, n int) {
	t.Helper()
	got, buffer := 0, make([]byte, patternPeriod)
	for {
		k, err := io.ReadFull(body, buffer)
		if !bytes.Equal(buffer[:k], pattern[:k]) {
			t.Fatalf("the body differs from the pattern between bytes %d and %d", got, got+k)
		}
		got += k
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			t.Fatalf("after %d bytes: %v", got, err)
		}
	}
	if got != n {
		t.Errorf("%d bytes came, want %d", got, n)
	}
}

// content returns n bytes that differ for every seed and have no period.
func content(seed uint64, n int) []byte {
	b := make([]byte, n)
	var key [32]byte
	key[0], key[1], key[2] = byte(seed), byte(seed>>8), byte(seed>>16)
	_, _ = rand.NewChaCha8(key).Read(b)
	return b
}

// pieces cuts a body into pieces of random sizes, at most most.
func pieces(random *rand.Rand, body []byte, most int) (list [][]byte) {
	for len(body) > 0 {
		n := min(1+random.IntN(most), len(body))
		list, body = append(list, body[:n]), body[n:]
	}
	return list
}

// slotLine is what a driver says of a slot.
func slotLine(number int, kind string, b []byte) string {
	return fmt.Sprintf("slot %d %s %d %08x", number, kind, len(b), adler32.Checksum(b))
}

// endLine is what a driver says of an end slot.
func endLine(number int) string { return slotLine(number, "end", nil) }

// wantBody fails the test unless the slots in a story are a whole body: numbered
// without a gap from 2, each of 1 to slotSize bytes, and then the end. It returns
// the rest of the story.
func wantBody(t *testing.T, story []string, body []byte) (rest []string) {
	t.Helper()
	rest, number := wantBodySlots(t, story, body)
	if len(rest) == 0 || rest[0] != endLine(number) {
		t.Fatalf("after the body comes %q, want %q", rest, endLine(number))
	}
	return rest[1:]
}

// wantBodySlots is wantBody without the end. It returns the number of the next
// slot, too.
func wantBodySlots(t *testing.T, story []string, body []byte) (rest []string, next int) {
	t.Helper()
	isBody := func(line string) bool {
		return strings.HasPrefix(line, "slot ") && strings.Contains(line, " body ")
	}
	for next = 2; len(story) > 0 && isBody(story[0]); next++ {
		var n, length int
		if _, err := fmt.Sscanf(story[0], "slot %d body %d", &n, &length); err != nil {
			t.Fatalf("%q: %v", story[0], err)
		}
		if length < 1 || length > slotSize || length > len(body) {
			t.Fatalf("%q, with %d bytes to come", story[0], len(body))
		}
		if want := slotLine(next, "body", body[:length]); story[0] != want {
			t.Fatalf("%q, want %q", story[0], want)
		}
		story, body = story[1:], body[length:]
	}
	if len(body) > 0 {
		t.Fatalf("%d bytes are missing before %q", len(body), story)
	}
	return story, next
}

// wantRest fails the test unless the rest of a story is this.
func wantRest(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the story ends with\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
