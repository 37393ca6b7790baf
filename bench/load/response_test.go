package load

import (
	"testing"
	"time"
)

const helloResponse = "HTTP/1.1 200 OK\r\nDate: today\r\ncontent-length: 13\r\nX: y\r\n\r\nhello, world\n"

func TestAnswerIsWholeOnlyAtItsLastByte(t *testing.T) {
	for n := range len(helloResponse) + 1 {
		done, err := parseHello([]byte(helloResponse[:n]))
		if err != nil || done != (n == len(helloResponse)) {
			t.Fatalf("after %d bytes of %d: %v, %v", n, len(helloResponse), done, err)
		}
	}
}

func TestWrongAnswerIsAnError(t *testing.T) {
	for _, wrong := range []string{
		"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, wurld\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world\nHTTP/1.1",
	} {
		if done, err := parseHello([]byte(wrong)); err == nil {
			t.Errorf("%q: done %v", wrong, done)
		}
	}
}

func TestPercentilesAreThoseOfTheList(t *testing.T) {
	l := &Latencies{}
	for i := range 1000 {
		l.list = append(l.list, timeOf(i))
	}
	for p, want := range map[float64]int{50: 500, 99: 990, 99.9: 999, 100: 999} {
		if got := l.Percentile(p); got != timeOf(want) {
			t.Errorf("p%v: %v, want %d", p, got, want)
		}
	}
}

func timeOf(i int) time.Duration { return time.Duration(i) * time.Microsecond }
