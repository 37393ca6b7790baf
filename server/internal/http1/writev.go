package http1

import (
	"errors"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// writev writes all pieces to a socket with as few system calls as the kernel takes them in,
// and calls progress after each that wrote something: a slow client may take long for all of
// them. It honours the deadlines of the connection, and uses up the list.
func writev(socket syscall.RawConn, pieces net.Buffers, progress func()) (err error) {
	waited := socket.Write(func(fd uintptr) (done bool) {
		for len(pieces) > 0 {
			var n int
			if n, err = unix.Writev(int(fd), pieces); err != nil {
				if errors.Is(err, unix.EINTR) {
					continue
				}
				return !errors.Is(err, unix.EAGAIN)
			}
			progress()
			pieces = after(pieces, n)
		}
		return true
	})
	if waited != nil {
		return waited
	}
	return err
}

// after returns what is left of pieces after the first n bytes.
func after(pieces net.Buffers, n int) net.Buffers {
	for len(pieces) > 0 && n >= len(pieces[0]) {
		n -= len(pieces[0])
		pieces = pieces[1:]
	}
	if n > 0 {
		pieces[0] = pieces[0][n:]
	}
	return pieces
}
