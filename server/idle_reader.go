package server

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// idleReader reads from a connection's socket and tells when a read is about to
// wait for the client. The pump puts off waking the worker for a few slots while
// bytes keep coming in, and must not sleep on what it has put off.
type idleReader struct {
	raw  syscall.RawConn
	idle atomic.Pointer[func()] // nil: nobody wants to be told
}

// newIdleReader returns nil for a connection that is not a socket.
func newIdleReader(conn net.Conn) *idleReader {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil
	}
	return &idleReader{raw: raw}
}

// read is the connection's Read, with a call of idle before each wait. It honours
// the connection's deadlines.
func (r *idleReader) read(p []byte, idle func()) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	waited := r.raw.Read(func(fd uintptr) (done bool) {
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

// idleConn is a socket whose idle reader is below TLS.
type idleConn struct {
	net.Conn
	reader *idleReader
}

// Read reads, and tells before it waits.
func (c *idleConn) Read(p []byte) (int, error) {
	if idle := c.reader.idle.Load(); idle != nil {
		return c.reader.read(p, *idle)
	}
	return c.Conn.Read(p)
}

// CloseWrite closes half of it.
func (c *idleConn) CloseWrite() error { return closeWrite(c.Conn) }
