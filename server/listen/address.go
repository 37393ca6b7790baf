// Package listen reads the addresses at which a server listens, and opens their sockets:
// those of clients, and the Unix socket to which workers connect.
package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Address is where clients connect, as text:
//
//	HOST:PORT          HTTP/1.1 and 2 in the clear
//	https://HOST:PORT  HTTP/1.1 and 2 over TLS, and HTTP/3 on the same UDP port
//	unix:PATH          a Unix socket, in the clear
//	fd:N               a listening socket that the process was started with
//	https+fd:N         the same, over TLS
type Address struct {
	Secure  bool
	network string // tcp, unix or fd
	where   string
}

// ParseAddress reads the text of an address.
func ParseAddress(text string) (a Address, err error) {
	scheme, where, _ := strings.Cut(text, ":")
	switch scheme {
	case "http", "https":
		a = Address{scheme == "https", "tcp", strings.TrimSuffix(strings.TrimPrefix(where, "//"), "/")}
	case "unix":
		a = Address{false, "unix", where}
	case "fd", "https+fd":
		a = Address{scheme == "https+fd", "fd", where}
	default:
		a = Address{false, "tcp", text}
	}
	return a, a.check()
}

// errAddress says what an address is.
var errAddress = errors.New("want HOST:PORT, https://HOST:PORT, unix:PATH, fd:N or https+fd:N, " +
	"such as :8080 or https://127.0.0.1:8443")

// longestPath is the longest that fits the kernel's sockaddr_un.
const longestPath = 107

func (a Address) check() error {
	var err error
	switch a.network {
	case "tcp":
		_, port, split := net.SplitHostPort(a.where)
		if _, err = strconv.ParseUint(port, 10, 16); split != nil {
			err = split
		}
	case "fd":
		_, err = strconv.ParseUint(a.where, 10, 31)
	case "unix":
		if a.where == "" || len(a.where) > longestPath {
			return fmt.Errorf("want unix: and a path of 1 to %d bytes", longestPath)
		}
	}
	if err != nil {
		return errAddress
	}
	return nil
}

// Port returns the port of a TCP address, or 0.
func (a Address) Port() int {
	_, text, _ := net.SplitHostPort(a.where)
	port, _ := strconv.Atoi(text) // as it was checked
	return port
}

// String returns the text of the address.
func (a Address) String() string {
	switch {
	case a.network == "unix":
		return "unix:" + a.where
	case a.network == "fd" && a.Secure:
		return "https+fd:" + a.where
	case a.network == "fd":
		return "fd:" + a.where
	case a.Secure:
		return "https://" + a.where
	}
	return a.where
}

// Listen listens on the address: with http3, on the UDP port too if it is a secure one. A
// Unix socket gets the mode. Release: [Listener.Close], or ServeListener of package server.
func (a Address) Listen(mode os.FileMode, http3 bool) (l *Listener, err error) {
	l = &Listener{Address: a}
	switch a.network {
	case "unix":
		l.Listener, err = listenUnix("unix", a.where, mode)
	case "fd":
		l.Listener, err = inherited(a.where)
	default:
		l.Listener, err = net.Listen("tcp", a.where)
	}
	if err != nil {
		return nil, err
	}
	tcp, ok := l.Listener.Addr().(*net.TCPAddr)
	if !a.Secure || !http3 || !ok {
		return l, nil
	}
	if l.UDP, err = net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone}); err != nil {
		return nil, errors.Join(fmt.Errorf("HTTP/3: %w", err), l.Listener.Close())
	}
	return l, nil
}
