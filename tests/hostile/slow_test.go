package hostile_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// slowness returns rows that end too early, while the client stays. Net/http takes some
// beginnings of a line for the line.
func slowness() []row {
	return []row{
		{name: "nothing", send: "", want: dropped},
		{name: "half a method", send: "GE", want: refused(400)},
		{name: "half a first line", send: "GET /{id}", want: refused(400)},
		{name: "half a field", send: "GET /{id} HTTP/1.1\r\nHost: te", want: dropped},
		{name: "no empty line", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n", want: dropped},
		{name: "half an empty line", send: "GET /{id} HTTP/1.1\r\nHost: test\r\n\r", want: refused(400)},
		{name: "empty lines", send: "\r\n", want: dropped},
		{name: "no body", send: post(length, ""), want: refused(408)},
		{name: "half a body", send: post(length, evil[:20]), want: refused(408)},
		{name: "no chunk", send: post(chunked, ""), want: refused(408)},
		{name: "half a size", send: post(chunked, "2"), want: refused(408)},
		{name: "half an extension", send: post(chunked, "2b;a"), want: refused(408)},
		{name: "half a chunk", send: post(chunked, evilChunk[:20]), want: refused(408)},
		{name: "no last chunk", send: post(chunked, evilChunk), want: refused(408)},
		{name: "no last line", send: post(chunked, evilChunk+"0\r\n"), want: refused(408), why: whyTrailer},
		{name: "half a trailer", send: post(chunked, evilChunk+"0\r\nX-A: b"), want: refused(408)},
		{name: "a chunk that is longer than anybody sends", send: post(chunked, "7fffffffffffffff\r\n"+evil),
			want: refused(408)},
		{name: "a length that is longer than anybody sends",
			send: post("Content-Length: 9223372036854775807\r\n", evil), want: refused(408)},
		{name: "a body behind a bad request", send: "GET  /{id}\r\n\r\n", want: refused(400)},
	}
}

// impatient returns limits that are short enough for a test.
func impatient() (server.Limits, func(*server.Config)) {
	limits := server.DefaultLimits()
	limits.HeaderTime, limits.IdleTime = 300*time.Millisecond, 300*time.Millisecond
	return limits, func(c *server.Config) { c.ClientTimeout = 300 * time.Millisecond }
}

func TestAClientThatStopsHalfWayIsNotWaitedForLong(t *testing.T) {
	limits, change := impatient()
	s := harness.StartLimited(t, limits, change)
	p := s.StartWorker(t, "witness")
	rows := slowness()
	heard := sendAll(t, inTheClear(s), rows, func(r *row, id string) []string { return []string{as(id, r.send)} })
	seen := testimony(t, s, p)
	for i := range rows {
		t.Run(rows[i].name, func(t *testing.T) { rows[i].check(t, name(i), accountOf(name(i), heard[i], seen)) })
	}
}

// The time for the headers is all there is for them, however busy the client looks.
func TestHeadersThatTrickleInAreNotWaitedForLong(t *testing.T) {
	limits, change := impatient()
	s := harness.StartLimited(t, limits, change)
	conn := inTheClear(s)(t)
	defer conn.Close()
	trickled := make(chan int)
	go func() {
		n, err := 0, error(nil)
		for ; err == nil && n < 1000; n++ {
			text := fmt.Sprintf("X-%d: b\r\n", n)
			if n == 0 {
				text = "GET / HTTP/1.1\r\nHost: test\r\n"
			}
			time.Sleep(limits.HeaderTime / 10) // it is a slow client
			_, err = conn.Write([]byte(text))
		}
		trickled <- n
	}()
	harness.Check(t, conn.SetReadDeadline(time.Now().Add(patience)))
	if heard := rawclient.Listen(conn, -1); len(heard.Answers) > 0 || heard.Open {
		t.Errorf("%v, want the end of the connection", heard)
	}
	if n := harness.Receive(t, "the client to notice", trickled); n > 100 {
		t.Errorf("the server took %d pieces", n)
	}
}

// A client may send requests ahead while it does not read, but not without end.
func TestAClientThatDoesNotReadIsNotWaitedForLong(t *testing.T) {
	limits, change := impatient()
	s := harness.StartLimited(t, limits, change)
	s.StartWorker(t, "witness")
	conn := inTheClear(s)(t)
	defer conn.Close()
	harness.Check(t, conn.(*net.TCPConn).SetReadBuffer(4096))
	harness.Check(t, conn.SetWriteDeadline(time.Now().Add(patience)))
	request, err := []byte(line("GET /"+strings.Repeat("a", 20_000)+" HTTP/1.1")), error(nil) // the answer is as long
	for sent := 0; err == nil; sent += len(request) {
		if sent > 256<<20 {
			t.Fatal("the server takes all")
		}
		_, err = conn.Write(request)
	}
	if rawclient.IsTimeout(err) {
		t.Error("the connection is still open")
	}
}
