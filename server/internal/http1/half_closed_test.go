package http1

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// connected returns both ends of a connection.
func connected(t *testing.T, network, address string) (client, ours net.Conn) {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial(network, l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if ours, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = client.Close(), ours.Close() })
	return client, ours
}

// goneAfter asks whether the client is gone, so long after it has been seen to send no more.
func goneAfter(t *testing.T, h *halfClosed, c net.Conn, later time.Duration) (gone bool) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) { gone = h.gone(int(fd), time.Now().Add(later), usualHalfClosed) })
	return gone
}

// eventually waits for what the kernel does in a moment.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAClientThatSendsNoMoreIsThereUntilItIsKnownToBeGone(t *testing.T) {
	const long = 2 * usualHalfClosed
	client, ours := connected(t, "tcp", "127.0.0.1:0")
	_ = conn.CloseWrite(client)
	_, _ = ours.Read(make([]byte, 1))
	var h halfClosed
	if goneAfter(t, &h, ours, 0) {
		t.Error("gone at once")
	}
	if !goneAfter(t, &h, ours, long) {
		t.Error("never gone, and nothing was sent to it")
	}
	_, _ = ours.Write([]byte("x"))
	eventually(t, "the client to take a byte", func() bool { return !goneAfter(t, &h, ours, long) })
	_ = client.Close()
	_, _ = ours.Write([]byte("x"))
	eventually(t, "RST", func() bool { return goneAfter(t, &h, ours, 0) })

	client, ours = connected(t, "unix", filepath.Join(t.TempDir(), "s"))
	_ = conn.CloseWrite(client)
	_, _ = ours.Read(make([]byte, 1))
	h = halfClosed{}
	if goneAfter(t, &h, ours, 0) || goneAfter(t, &h, ours, long) {
		t.Error("gone, over a Unix socket")
	}
	_ = client.Close()
	if !goneAfter(t, &h, ours, 0) {
		t.Error("not gone when its Unix socket is closed")
	}
}
