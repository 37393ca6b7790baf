package bench_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// uploadBytes is the length of one upload.
const uploadBytes = 1 << 30

// rounds is how often each figure is measured, in turns with the others.
const rounds = 7

// Uploads of 1 GiB over one HTTP/1.1 connection, in slots of 64 KiB, to a worker
// that tails them.
func BenchmarkUpload(b *testing.B) {
	at := start(b)
	var proxy, inProcess, sink figures
	for b.Loop() {
		for range rounds {
			sink.add(gigabytes(upload(b, at.sink, false)))
			inProcess.add(gigabytes(upload(b, at.inProcess, true)))
			proxy.add(gigabytes(upload(b, at.proxy, true)))
		}
	}
	b.ReportMetric(sink.median(), "sink-GB/s")
	b.ReportMetric(inProcess.median(), "inprocess-GB/s")
	b.ReportMetric(proxy.median(), "proxy-GB/s")
	b.ReportMetric(proxy.ratio(&sink), "proxy/sink")
	b.ReportMetric(proxy.ratio(&inProcess), "proxy/inprocess")
	b.ReportMetric(0, "ns/op")
}

func gigabytes(took time.Duration) float64 { return uploadBytes / took.Seconds() / 1e9 }

// upload sends the bytes and waits for the answer, or the end of the connection.
func upload(b *testing.B, address string, asHTTP bool) time.Duration {
	conn, err := net.Dial("tcp", address)
	harness.Check(b, err)
	defer conn.Close()
	chunk := make([]byte, 1<<20)
	begun := time.Now()
	if asHTTP {
		_, err = fmt.Fprintf(conn, "POST /touch HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", uploadBytes)
		harness.Check(b, err)
	}
	for range uploadBytes / len(chunk) {
		_, err := conn.Write(chunk)
		harness.Check(b, err)
	}
	if !asHTTP {
		harness.Check(b, conn.(*net.TCPConn).CloseWrite())
	}
	answer, err := io.ReadAll(conn)
	harness.Check(b, err)
	took := time.Since(begun)
	if asHTTP && len(answer) == 0 {
		b.Fatal("no answer")
	}
	return took
}
