package conn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// IdleReader reads from the socket of a connection and tells when a read is about to wait
// for the client. While bytes keep coming in, an upload wakes the worker only every few
// slots, and must not wait before it has woken the worker for all of them.
type IdleReader struct {
	Raw  syscall.RawConn
	idle atomic.Pointer[func()] // nil: nobody wants to know
}

// NewIdleReader returns nil for a connection that is not a socket.
func NewIdleReader(conn net.Conn) *IdleReader {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return &IdleReader{Raw: raw}
}

// OnIdle has idle called whenever a read is about to wait; nil ends that.
func (r *IdleReader) OnIdle(idle *func()) { r.idle.Store(idle) }

// Idle returns what is to be called before a read waits, or nil.
func (r *IdleReader) Idle() *func() { return r.idle.Load() }

// Read is the connection's Read, with a call of idle before each wait. It honours the
// deadlines of the connection.
func (r *IdleReader) Read(p []byte, idle func()) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	waited := r.Raw.Read(func(fd uintptr) (done bool) {
		n, err = readSocket(int(fd), p)
		if errors.Is(err, unix.EAGAIN) {
			idle()
			return false
		}
		return true
	})
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func readSocket(fd int, p []byte) (n int, err error) {
	for {
		if n, err = readNow(fd, p); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
