package listen

import (
	"errors"
	"net"
	"os"
	"strconv"
)

// Listener listens on an address, and on the UDP port of the same number for HTTP/3, unless
// UDP is nil.
type Listener struct {
	Address Address
	net.Listener
	UDP net.PacketConn
}

// Close ends a listener that is not served.
func (l *Listener) Close() error {
	err := l.Listener.Close()
	if l.UDP != nil {
		err = errors.Join(err, l.UDP.Close())
	}
	return err
}

// String returns the address as the kernel has it, with the port that it chose for port 0.
func (l *Listener) String() string {
	switch {
	case l.Address.network == "unix":
		return l.Address.String()
	case l.Address.Secure:
		return "https://" + l.Addr().String()
	}
	return l.Addr().String()
}

// inherited returns the listening socket with a descriptor's number.
func inherited(number string) (net.Listener, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, errors.New("no socket of that name was passed on")
	}
	file := os.NewFile(uintptr(n), "fd:"+number)
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return listener, file.Close() // the listener has its own
}
