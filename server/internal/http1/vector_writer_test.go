package http1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// pieceSizes are on both sides of every size that something is decided by.
var pieceSizes = []int{1, 100, 2048, 4095, 4096, 4097, 5000, 65536, 3, 65536, 300_000, 4096, 4096, 1}

// somePieces returns pieces, and all their bytes in one.
func somePieces() (pieces [][]byte, whole []byte) {
	for i, n := range pieceSizes {
		p := bytes.Repeat([]byte{byte('a' + i)}, n)
		pieces, whole = append(pieces, p), append(whole, p...)
	}
	return pieces, whole
}

// TestPiecesThatNetHTTPWritesGoOutTogether has net/http write on a connection of ours,
// and uses the pieces again as soon as they are written.
func TestPiecesThatNetHTTPWritesGoOutTogether(t *testing.T) {
	for _, length := range []string{"", "Content-Length"} {
		progressed := 0
		got := serveOnce(t, func(w http.ResponseWriter, r *http.Request) {
			pieces, whole := somePieces()
			if length != "" {
				w.Header().Set(length, strconv.Itoa(len(whole)))
			}
			together := VectorWriterOf(w, r)
			if together == nil {
				t.Error("the connection takes one piece at a time")
				return
			}
			if err := together.WriteVector(pieces, func() { progressed++ }); err != nil {
				t.Error(err)
			}
			for _, p := range pieces {
				clear(p)
			}
		})
		if _, want := somePieces(); !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, want %d", length, len(got), len(want))
		}
		if progressed == 0 {
			t.Errorf("%q: no progress", length)
		}
	}
}

// serveOnce has net/http serve one request on a connection of ours, and returns the
// response's body.
func serveOnce(t *testing.T, handler http.HandlerFunc) []byte {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: BoundWrites(handler, conn.NewClientTimes(time.Minute, 0))}
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return c.(*GuardedConn).With(ctx)
	}
	t.Cleanup(func() { _ = s.Close() })
	go func() { _ = s.Serve(guardedListener{l}) }()
	response, err := http.Get("http://" + l.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// guardedListener makes its connections ours.
type guardedListener struct{ net.Listener }

func (l guardedListener) Accept() (net.Conn, error) {
	socket, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	info := &conn.Conn{Reader: conn.NewIdleReader(socket)}
	return NewGuardedConn(socket, info, &Config{Times: conn.NewClientTimes(time.Minute, 0)}), nil
}

func TestASlowClientsProgressIsSeenBeforeItHasEverything(t *testing.T) {
	ours, theirs := tcpPair(t)
	const most = 32 << 20 // more than the kernel holds
	progress := make(chan struct{}, 1000)
	written := make(chan error, 1)
	go func() {
		pieces := net.Buffers{make([]byte, most/2), make([]byte, most/2)}
		written <- writev(conn.NewIdleReader(ours).Raw, pieces, func() { progress <- struct{}{} })
	}()
	<-progress // nothing is read yet, and the kernel does not hold all
	select {
	case err := <-written:
		t.Fatalf("all is written: %v", err)
	default:
	}
	if n, err := io.CopyN(io.Discard, theirs, most); err != nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if err := <-written; err != nil {
		t.Error(err)
	}
	if len(progress) == 0 {
		t.Error("no more progress was seen")
	}
}

func TestADeadlineEndsPiecesThatTheClientDoesNotTake(t *testing.T) {
	ours, _ := tcpPair(t)
	_ = ours.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	err := writev(conn.NewIdleReader(ours).Raw, net.Buffers{make([]byte, 64<<20)}, func() {})
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
}

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (a, b *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	one, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	other, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = one.Close(), other.Close() })
	return one.(*net.TCPConn), other.(*net.TCPConn)
}
