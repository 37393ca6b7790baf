package server

import (
	"math/rand/v2"
	"testing"
)

// sniffed returns what a connection notes of a text that comes in pieces.
func sniffed(text string, pieces func() int) (ever, twice bool) {
	var c sniffedConn
	for len(text) > 0 {
		n := min(max(pieces(), 1), len(text))
		c.sniff([]byte(text[:n]))
		text = text[n:]
	}
	return c.ever.Load(), c.twice.Load()
}

func TestALengthFieldIsNoticedHoweverItIsCut(t *testing.T) {
	for _, c := range []struct {
		text        string
		ever, twice bool
	}{
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", false, false},
		{"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", true, false},
		{"POST / HTTP/1.1\r\ncONTENT-lENGTH:1\r\n\r\n", true, false},
		{"POST / HTTP/1.1\r\nX: content-lengt\r\nhello: content\r\n\r\n", false, false},
		{"POST / HTTP/1.1\r\nX: cocontent-length\r\n\r\n", true, false},
		{"POST / HTTP/1.1\r\nContent-Length: 1\r\nA: b\r\nContent-Length: 1\r\n\r\n", true, true},
		{"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", true, false},
	} {
		for seed := range uint64(50) {
			random := rand.New(rand.NewPCG(seed, 1))
			ever, twice := sniffed(c.text, func() int { return random.IntN(8) })
			if ever != c.ever || twice != c.twice {
				t.Errorf("seed %d: %q: seen %v, twice %v", seed, c.text, ever, twice)
			}
		}
	}
}
