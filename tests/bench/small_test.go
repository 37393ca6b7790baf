package bench_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// period is how long one measurement of small requests takes.
const period = time.Second

// Small requests over 16 connections to one worker process.
func BenchmarkSmallRequests(b *testing.B) {
	compare(b, start(b, ""), "req/s", func(c candidate) float64 { return requests(b, c, 16) })
}

// requests returns how many requests a second are answered.
func requests(b *testing.B, c candidate, connections int) float64 {
	var total atomic.Int64
	var clients sync.WaitGroup
	begun := time.Now()
	for range connections {
		clients.Go(func() {
			n, err := hammer(c, begun.Add(period))
			if err != nil {
				b.Error(err)
			}
			total.Add(n)
		})
	}
	clients.Wait()
	return float64(total.Load()) / time.Since(begun).Seconds()
}

// hammer sends one request after the other over one connection.
func hammer(c candidate, until time.Time) (n int64, err error) {
	conn, err := net.Dial("tcp", c.address)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(until.Add(harness.Patience))
	request, reader := fmt.Appendf(nil, "GET %s/hello HTTP/1.1\r\nHost: bench\r\n\r\n", c.prefix), bufio.NewReader(conn)
	for ; time.Now().Before(until); n++ {
		if _, err := conn.Write(request); err != nil {
			return n, err
		}
		if err := readResponse(reader); err != nil {
			return n, err
		}
	}
	return n, nil
}

// readResponse reads a response with a Content-Length. It does little more than
// that, so that the client takes as little of the processors as it can.
func readResponse(r *bufio.Reader) error {
	length, ok := 0, false
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first {
			ok = string(line[9:12]) == "200"
		}
		if len(line) <= 2 {
			break
		}
		if name, value, _ := bytes.Cut(line, []byte(": ")); bytes.EqualFold(name, []byte("content-length")) {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
	}
	if _, err := r.Discard(length); err != nil {
		return err
	}
	if !ok || length == 0 {
		return errors.New("not the response that was asked for")
	}
	return nil
}
