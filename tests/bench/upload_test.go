package bench_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// uploadBytes is the length of one upload.
const uploadBytes = 1 << 30

// Uploads of 1 GiB over one HTTP/1.1 connection, in slots of 64 KiB, to a worker
// that tails them.
func BenchmarkUpload(b *testing.B) {
	compare(b, start(b, "sink"), "GB/s", func(c candidate) float64 {
		conn := dial(b, c)
		begun := time.Now()
		upload(b, conn, c, "/touch")
		answer, err := io.ReadAll(conn)
		harness.Check(b, err)
		if c.name != tcp && !bytes.Contains(answer, fmt.Appendf(nil, "%d\n", uploadBytes)) {
			b.Fatalf("%s: %q", c.name, answer)
		}
		return gigabytes(time.Since(begun))
	})
}

// Echoes of 1 GiB over one HTTP/1.1 connection.
func BenchmarkEcho(b *testing.B) {
	compare(b, start(b, "echo"), "GB/s", func(c candidate) float64 {
		conn := dial(b, c)
		begun := time.Now()
		go upload(b, conn, c, "/echo")
		n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{conn}, make([]byte, 1<<20))
		harness.Check(b, err)
		if n < uploadBytes {
			b.Fatalf("%s: %d bytes", c.name, n)
		}
		return gigabytes(time.Since(begun))
	})
}

func gigabytes(took time.Duration) float64 { return uploadBytes / took.Seconds() / 1e9 }

func dial(b *testing.B, c candidate) *net.TCPConn {
	conn, err := net.Dial("tcp", c.address)
	harness.Check(b, err)
	b.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

// upload sends the bytes, as a request unless the candidate is a raw one.
func upload(b *testing.B, conn *net.TCPConn, c candidate, path string) {
	chunk := make([]byte, 1<<20)
	if c.name != tcp {
		_, err := fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", c.prefix, path, uploadBytes)
		if err != nil {
			b.Error(err)
		}
	}
	for range uploadBytes / len(chunk) {
		if _, err := conn.Write(chunk); err != nil {
			b.Error(err)
			return
		}
	}
	if c.name == tcp {
		_ = conn.CloseWrite()
	}
}
