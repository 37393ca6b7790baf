package http1

import (
	"bufio"
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// guarded returns what a FramingGuard lets through of a text that comes in pieces, with its
// rejectBytes, and where in that each message ends.
func guarded(text []byte, piece func() int) (out []byte, ends []int) {
	var s FramingGuard
	for len(text) > 0 && !s.shut() {
		n := min(max(piece(), 1), len(text))
		b := bytes.Clone(text[:n])
		out, text = append(out, b[:s.filter(b)]...), text[n:]
		out, s.reject = append(out, s.reject...), nil
		if s.stage == stageStart && len(s.line) == 0 && len(out) > 0 && !slices.Contains(ends, len(out)) {
			ends = append(ends, len(out))
		}
	}
	return out, ends
}

func bytewise() int { return 1 }

// messages are those that a connection of HTTP/1 may carry, and some that it may not.
var messages = []string{
	"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"GET / HTTP/1.1\nHost: a\n\n",
	"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
	"\n\r\n\r\r\n",
	"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
	"POST / HTTP/1.1\r\ncONTENT-lENGTH:\t0005 \r\n\r\nhello",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5 \t\r\nhello\r\n00\r\nA: b\r\n\r\n",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\n\r\n",
	"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello",
	"GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
}

func TestTheSameIsLetThroughHoweverItIsCut(t *testing.T) {
	for _, first := range messages {
		for _, second := range messages {
			text := []byte(first + second)
			want, _ := guarded(text, bytewise)
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, 1))
				if got, _ := guarded(text, func() int { return random.IntN(40) }); !bytes.Equal(got, want) {
					t.Errorf("seed %d: %q: %q, want %q", seed, text, got, want)
				}
			}
		}
	}
}

func TestWhatIsInOrderIsLetThroughAsItIs(t *testing.T) {
	for _, i := range []int{0, 4, 6, 7, 8, 14, 15} {
		text := strings.Repeat(messages[i], 3)
		if got, ends := guarded([]byte(text), bytewise); string(got) != text || len(ends) != 3 {
			t.Errorf("%q: %q, ends at %d", text, got, ends)
		}
	}
}

func TestALineThatEndsInABareLineFeedIsRefusedWhereverItStands(t *testing.T) {
	head := "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
	chunked := "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n"
	for _, text := range []string{head, chunked} {
		for i := range text {
			if text[i] != '\r' || i == strings.Index(text, "hello")+5 { // the end of a chunk is net/http's to judge
				continue
			}
			bare := text[:i] + text[i+1:]
			if out, ends := guarded([]byte(bare+head), bytewise); !bytes.Contains(out, rejectBytes) || len(ends) > 0 {
				t.Errorf("%q: %q, ends at %d", bare, out, ends)
			}
		}
	}
}

// A connection that has been ConnState over, or begins with HTTP/2, carries anything.
func TestWhatIsNotHTTP1IsLetThrough(t *testing.T) {
	rest := "\r\n\r\n\n \x00"
	if got, _ := guarded([]byte(http2Preface+"\r\n"+rest), bytewise); string(got) != http2Preface+"\r\n"+rest {
		t.Errorf("%q", got)
	}
	c := GuardedConn{}
	c.hijacked()
	if n := c.guard.filter([]byte(rest)); n != len(rest) {
		t.Errorf("%d bytes", n)
	}
}

// Net/http finds the end of each message where the FramingGuard does.
func FuzzTheGuardAgreesWithNetHTTP(f *testing.F) {
	for _, first := range messages {
		for _, second := range messages {
			f.Add([]byte(first + second))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.HasPrefix(text, []byte(http2Preface+"\r\n")) {
			return
		}
		out, ends := guarded(text, bytewise)
		from := bytes.NewReader(out)
		r := bufio.NewReader(from)
		for i := 0; ; i++ {
			request, err := http.ReadRequest(r)
			if err == nil {
				_, err = io.Copy(io.Discard, request.Body)
			}
			if err != nil || request.ProtoMajor != 1 { // a server refuses it
				return
			}
			end := len(out) - from.Len() - r.Buffered()
			if i >= len(ends) || ends[i] != end {
				t.Fatalf("%q: message %d ends at %d, for the guard at %d", out, i, end, ends)
			}
		}
	})
}
