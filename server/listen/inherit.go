package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Inherit makes a listener of the descriptors of another process that listens on the address. With
// http3, it listens on the UDP port if udp is nil, as Listen does. The descriptors are closed. Close
// leaves the file of a Unix socket to the other process, until OwnFile says otherwise. Release: as
// for Listen.
func (a Address) Inherit(stream, udp *os.File, http3 bool) (l *Listener, err error) {
	l = &Listener{Address: a}
	l.Listener, err = net.FileListener(stream)
	err = errors.Join(err, stream.Close())
	if udp != nil {
		if err == nil {
			l.UDP, err = net.FilePacketConn(udp)
		}
		err = errors.Join(err, udp.Close())
	}
	if err == nil && a.Secure && http3 && l.UDP == nil {
		err = l.listenUDP()
	}
	if err != nil {
		return nil, fmt.Errorf("inherited %s: %w", a, err)
	}
	l.OwnFile(false)
	return l, nil
}

// Duplicate returns descriptors of the sockets for another process, see [Address.Inherit]: udp
// is nil without HTTP/3. Release: Close of each.
func (l *Listener) Duplicate() (stream, udp *os.File, err error) {
	if stream, err = duplicate(l.Listener); err != nil || l.UDP == nil {
		return stream, nil, err
	}
	if udp, err = duplicate(l.UDP); err != nil {
		_ = stream.Close()
		return nil, nil, err
	}
	return stream, udp, nil
}

// OwnFile says whether Close removes the file of a Unix socket, as it does by default. Only one of
// several processes that listen on it should.
func (l *Listener) OwnFile(yes bool) {
	if socket, ok := l.Listener.(*net.UnixListener); ok && l.Address.network == "unix" {
		socket.SetUnlinkOnClose(yes)
	}
}

// duplicate returns another descriptor of a socket. It does not have the socket block, as the
// method File and then Fd would: blocking is a property of the socket, and all would block.
func duplicate(socket any) (file *os.File, err error) {
	c, ok := socket.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("%T has no descriptor", socket)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	failure := raw.Control(func(fd uintptr) {
		var n int
		if n, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err == nil {
			file = os.NewFile(uintptr(n), "socket")
		}
	})
	return file, errors.Join(failure, err)
}
