package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// Address is a place where clients come in, as text:
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
var errAddress = errors.New("want HOST:PORT, https://HOST:PORT, unix:PATH, fd:N or https+fd:N, such as :8080 or https://127.0.0.1:8443")

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
			return fmt.Errorf("want a path of 1 to %d bytes after unix:", longestPath)
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

// Entrance is an address that is listened on. The zero value of UDP is no HTTP/3.
type Entrance struct {
	Address Address
	net.Listener
	UDP net.PacketConn
}

// Listen listens on the address: with http3, on the UDP port too if it is a secure
// one. A Unix socket gets the mode. Release: [Entrance.Close], or
// [Server.ServeEntrance].
func (a Address) Listen(mode os.FileMode, http3 bool) (e *Entrance, err error) {
	e = &Entrance{Address: a}
	switch a.network {
	case "unix":
		e.Listener, err = listenSocket("unix", a.where, mode)
	case "fd":
		e.Listener, err = inherited(a.where)
	default:
		e.Listener, err = net.Listen("tcp", a.where)
	}
	if err != nil {
		return nil, err
	}
	tcp, ok := e.Listener.Addr().(*net.TCPAddr)
	if !a.Secure || !http3 || !ok {
		return e, nil
	}
	if e.UDP, err = net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone}); err != nil {
		return nil, errors.Join(fmt.Errorf("HTTP/3: %w", err), e.Listener.Close())
	}
	return e, nil
}

// inherited returns the listening socket with a descriptor's number.
func inherited(number string) (net.Listener, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(n), "fd:"+number)
	listener, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	return listener, file.Close() // the listener has its own
}

// Activated returns the addresses of the sockets that systemd has opened for this
// process (sd_listen_fds(3)), if any.
func Activated(getenv func(string) string) (list []Address) {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	for fd := 3; err == nil && fd < 3+n; fd++ {
		list = append(list, Address{false, "fd", strconv.Itoa(fd)})
	}
	return list
}

// Close ends an entrance that is not served.
func (e *Entrance) Close() error {
	err := e.Listener.Close()
	if e.UDP != nil {
		err = errors.Join(err, e.UDP.Close())
	}
	return err
}

// String returns the address that is really listened on.
func (e *Entrance) String() string {
	switch {
	case e.Address.network == "unix":
		return e.Address.String()
	case e.Address.Secure:
		return "https://" + e.Addr().String()
	}
	return e.Addr().String()
}

// ServeEntrance serves what comes in through an entrance until Shutdown; it then
// returns nil. The configuration is for secure ones.
func (s *Server) ServeEntrance(e *Entrance, config *tls.Config) error {
	if !e.Address.Secure {
		return s.Serve(e.Listener)
	}
	failed := make(chan error, 2)
	serving := 1
	if e.UDP != nil {
		serving++
		go func() { failed <- s.ServeQUIC(e.UDP, config) }()
	}
	go func() { failed <- s.ServeTLS(e.Listener, config) }()
	var err error
	for ; serving > 0 && err == nil; serving-- {
		err = <-failed
	}
	return err
}
