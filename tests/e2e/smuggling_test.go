package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// framing is a request whose framing somebody could misunderstand.
type framing struct {
	name string
	head string // between the request line and the empty line
	body string
	want outcome
}

// outcome is what has to come of a framing when another request follows it on
// the same connection.
type outcome int

const (
	refused outcome = iota // the worker sees neither request
	once                   // the worker sees the first at most, and the connection is closed
	both                   // nothing is wrong with it
)

// evil is what an attacker puts where one party sees a body and another the
// next request.
const evil = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

func framings() []framing {
	length, chunked := fmt.Sprintf("Content-Length: %d\r\n", len(evil)), "Transfer-Encoding: chunked\r\n"
	evilChunk := fmt.Sprintf("%x\r\n%s\r\n", len(evil), evil)
	return []framing{
		{"a length", length, evil, both},
		{"chunked", chunked, evilChunk + "0\r\n\r\n", both},
		{"no body at all", "", "", both},

		{"length, then chunked", length + chunked, "0\r\n\r\n" + evil, once},
		{"chunked, then length", chunked + length, "0\r\n\r\n" + evil, once},
		{"length that fits, and chunked", "Content-Length: 5\r\n" + chunked, "0\r\n\r\n", once},
		{"length, and chunked with a body", "Content-Length: 4\r\n" + chunked, evilChunk + "0\r\n\r\n", once},
		{"length twice, and chunked", length + length + chunked, "0\r\n\r\n" + evil, once},
		{"bad length, and chunked", "Content-Length: x\r\n" + chunked, "0\r\n\r\n" + evil, once},
		{"length and a coding nobody knows", length + "Transfer-Encoding: xchunked\r\n", evil, refused},
		{"length and identity", length + "Transfer-Encoding: identity\r\n", evil, refused},
		{"chunked twice", chunked + chunked, evilChunk + "0\r\n\r\n", refused},
		{"chunked, not last", "Transfer-Encoding: chunked, identity\r\n", evilChunk + "0\r\n\r\n", refused},
		{"gzip, chunked", "Transfer-Encoding: gzip, chunked\r\n", evilChunk + "0\r\n\r\n", refused},
		{"space before the colon", "Transfer-Encoding : chunked\r\n", evilChunk + "0\r\n\r\n", refused},
		{"length and space before the colon", length + "Transfer-Encoding : chunked\r\n", evil, refused},
		{"vertical tab in the coding", length + "Transfer-Encoding: \x0bchunked\r\n", evil, refused},
		{"chunked in capitals", "TRANSFER-ENCODING: Chunked\r\n", evilChunk + "0\r\n\r\n", both},

		{"the same length twice", length + length, evil, once},
		{"the same length in one line", fmt.Sprintf("Content-Length: %d, %d\r\n", len(evil), len(evil)), evil, refused},
		{"two lengths", length + "Content-Length: 0\r\n", evil, refused},
		{"two lengths, the other first", "Content-Length: 0\r\n" + length, evil, refused},
		{"signed length", "Content-Length: +5\r\n", "12345", refused},
		{"negative length", "Content-Length: -1\r\n", evil, refused},
		{"hexadecimal length", "Content-Length: 0x24\r\n", evil, refused},
		{"empty length", "Content-Length: \r\n", evil, refused},
		{"length that overflows", "Content-Length: 18446744073709551652\r\n", evil, refused},
		{"length with a unit", "Content-Length: 36b\r\n", evil, refused},

		{"chunk size that is no number", chunked, "xyz\r\n" + evil, once},
		{"empty chunk size", chunked, "\r\n" + evil, once},
		{"negative chunk size", chunked, "-24\r\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk size with 0x", chunked, "0x24\r\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk size with a space in front", chunked, " 24\r\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk size that overflows", chunked, "10000000000000024\r\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk longer than it says", chunked, "4\r\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk size ended by a bare line feed", chunked, "24\n" + evil + "\r\n0\r\n\r\n", once},
		{"chunk ended by a bare line feed", chunked, "24\r\n" + evil + "\n0\r\n\r\n", once},
		{"chunk extensions", chunked, fmt.Sprintf("%x;name=value;q=\"a\"\r\n%s\r\n0;last\r\n\r\n", len(evil), evil), both},
		{"bare line feed in a chunk extension", chunked, "24;x\n" + evil + "\r\n0\r\n\r\n", once},
		{"trailer that is no field", chunked, evilChunk + "0\r\nno field\r\n\r\n", once},

		{"field over two lines", "X-Folded: one\r\n two\r\n" + length, evil, both},
		{"length over two lines", fmt.Sprintf("Content-Length:\r\n %d\r\n", len(evil)), evil, both},
		{"field over two lines at the start", " folded: x\r\n" + length, evil, refused},
		{"field without a name", ": value\r\n" + length, evil, refused},
		{"control character in a field", "X-Bad: a\x00b\r\n" + length, evil, refused},
		{"bare carriage return in a field", "X-Bad: a\rContent-Length: 0\r\n" + length, evil, refused},
	}
}

// test sends the request and another one behind it, and checks what came of
// them. The path is unique, so that the worker's log tells what it saw.
func (f *framing) test(t *testing.T, s *harness.Server, worker *app, path, version string) {
	c := dial(t, s.Addr)
	c.send("POST " + path + "/first " + version + "\r\nHost: test\r\n" + f.head + "\r\n" + f.body + "GET " + path + "/second HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
	answers := c.statuses()
	got, all := worker.requests(t, s, path), []string{"POST " + path + "/first", "GET " + path + "/second"}
	want := map[outcome][]string{refused: nil, once: all[:min(1, len(got))], both: all}[f.want]
	if !slices.Equal(got, want) {
		t.Errorf("the worker saw %q, want %q", got, want)
	}
	wantAnswers := map[outcome]int{refused: 1, once: 1, both: 2}[f.want]
	if len(answers) > wantAnswers || f.want != once && len(answers) < wantAnswers { // once: or broken off
		t.Errorf("the client got the answers %d, want %d of them", answers, wantAnswers)
	}
	if f.want == refused && (len(answers) == 0 || answers[0] < 400) {
		t.Errorf("the client got the answers %d, want an error", answers)
	}
	if smuggled := worker.requests(t, s, "/smuggled"); len(smuggled) != 0 {
		t.Fatalf("a body became a request: %q", smuggled)
	}
}

// statuses returns the statuses of all responses until the server closes the
// connection.
func (c *raw) statuses() (list []int) {
	c.t.Helper()
	for {
		if _, err := c.r.Peek(1); err == io.EOF || err != nil && !isTimeout(err) {
			return list
		}
		response := c.response("POST")
		_, _ = io.Copy(io.Discard, response.Body)
		list = append(list, response.StatusCode)
	}
}

func TestABodyNeverBecomesARequest(t *testing.T) {
	s, worker := startBoth(t, nil)
	for i, f := range framings() {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // some connections are closed only after a while, so that the client can read the answer
			f.test(t, s, worker, fmt.Sprintf("/framing-%02d", i), "HTTP/1.1")
		})
	}
}

func TestAnHTTP10RequestEndsItsConnection(t *testing.T) {
	s, worker := startBoth(t, nil)
	for i, f := range framings() {
		f.want = once // at most: HTTP/1.0 knows no transfer coding
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.test(t, s, worker, fmt.Sprintf("/http10-%02d", i), "HTTP/1.0")
		})
	}
}

// The field that makes a request ambiguous can come in two pieces.
func TestAnAmbiguousRequestEndsItsConnectionWhereverItIsCut(t *testing.T) {
	s, worker := startBoth(t, nil)
	head := "POST /cut HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
	from := strings.Index(head, "Content-Length")
	for at := from; at <= from+len("Content-Length"); at++ {
		c := dial(t, s.Addr)
		c.send(head[:at])
		c.awaitRead()
		c.send(head[at:] + "0\r\n\r\n" + evil)
		if got := c.statuses(); !slices.Equal(got, []int{http.StatusOK}) {
			t.Errorf("cut at %d: answers %d, want one 200", at, got)
		}
	}
	if got := worker.requests(t, s, "/smuggled"); len(got) != 0 {
		t.Errorf("a body became a request: %q", got)
	}
}

// A length on one request of a connection does not make the next one ambiguous
// for the worker: both are served.
func TestALengthAndAChunkedRequestShareAConnection(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	c.begin("POST", "/copy", "Content-Length: 5")
	c.send("hello")
	if got := c.want("POST", 200); got != "hello" {
		t.Errorf("%q came back", got)
	}
	c.begin("POST", "/copy", "Transfer-Encoding: chunked")
	c.chunk("again")
	c.finish()
	if got := c.want("POST", 200); got != "again" {
		t.Errorf("%q came back", got)
	}
}

func TestPipelinedRequestsAreAnsweredInTheirOrder(t *testing.T) {
	s, _ := startBoth(t, nil)
	c := dial(t, s.Addr)
	for i := range 20 {
		c.begin("POST", "/copy", "Content-Length: 2")
		c.send(fmt.Sprintf("%02d", i))
	}
	for i := range 20 {
		if got, want := c.want("POST", 200), fmt.Sprintf("%02d", i); got != want {
			t.Fatalf("response %d is %q", i, got)
		}
	}
}
