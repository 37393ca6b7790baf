// Package listen reads the addresses at which a server listens, and opens their sockets:
// those of clients, and the Unix socket to which workers connect.
package listen

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Address is where clients connect, as text:
//
//	HOST:PORT          HTTP/1.1 and 2 in the clear; http://HOST:PORT is the same
//	https://HOST:PORT  HTTP/1.1 and 2 over TLS, and HTTP/3 on the same UDP port
//	unix:PATH          a Unix socket, in the clear
//	fd:N               a listening socket that the process was started with
//	fd:NAME            a listening socket from systemd, by its name, see [Systemd]
//	https+fd:N         the same, over TLS
//	https+fd:NAME
//
// Without a host, or with * for it, clients connect to all addresses of the machine; a number
// alone is such a port. The port can be left out: it is 80 after http:// and 443 after
// https://, and 8080 after localhost or an IP address alone.
type Address struct {
	Secure  bool
	network string // tcp, unix or fd
	where   string
}

// ParseAddress reads the text of an address. An error says which addresses there are.
func ParseAddress(text string) (a Address, err error) {
	scheme, where, _ := strings.Cut(text, ":")
	switch scheme = strings.ToLower(scheme); scheme {
	case "http":
		return parseTCP(false, where, "80")
	case "https":
		return parseTCP(true, where, "443")
	case "unix":
		return parseUnix(where)
	case "fd", "https+fd":
		if _, err := strconv.ParseUint(where, 10, 31); err != nil && (isNumber(where) || !isName(where)) {
			return a, fmt.Errorf("want %s: and the number of a descriptor, such as %[1]s:3, or the name of a socket "+
				"from systemd", scheme)
		}
		return Address{scheme == "https+fd", "fd", where}, nil
	}
	if strings.HasPrefix(where, "//") {
		return a, fmt.Errorf("unknown scheme %s: want http:// or https://", scheme)
	}
	return parseTCP(false, text, "")
}

// longestPath is the longest that fits the kernel's sockaddr_un.
const longestPath = 107

func parseUnix(path string) (Address, error) {
	if strings.HasPrefix(path, "///") { // a URL without a host
		path = path[2:]
	}
	if path == "" || len(path) > longestPath {
		return Address{}, fmt.Errorf("want unix: and a path of 1 to %d bytes", longestPath)
	}
	return Address{false, "unix", path}, nil
}

// errAddress says what an address is.
var errAddress = errors.New("want HOST:PORT, https://HOST:PORT, unix:PATH, fd:N, fd:NAME or https+fd:..., " +
	"such as 8080, :8080, localhost:8080 or https://127.0.0.1:8443")

// defaultPort is that of an address without a scheme and a port.
const defaultPort = "8080"

// parseTCP reads a host and a port. The port is one of a scheme, or "" if there is no scheme.
func parseTCP(secure bool, text, port string) (a Address, err error) {
	where := strings.TrimSuffix(strings.TrimPrefix(text, "//"), "/")
	if strings.Contains(where, "/") {
		return a, errors.New("want an address without a path: --route says which paths lead to which pool")
	}
	host, given, split := net.SplitHostPort(where)
	switch {
	case split == nil:
		port = given
	case port == "" && isNumber(where):
		host, port = "", where
	case port == "" && isLocal(where):
		host, port = strings.Trim(where, "[]"), defaultPort
	case port != "" && where != "" && (isLocal(where) || !strings.Contains(where, ":")):
		host = strings.Trim(where, "[]")
	default:
		return a, errAddress
	}
	if _, err = strconv.ParseUint(port, 10, 16); err != nil && isNumber(port) {
		return a, fmt.Errorf("port %s is too large: the last one is 65535", port)
	} else if err != nil {
		return a, errAddress
	}
	if host == "*" {
		host = ""
	}
	return Address{secure, "tcp", net.JoinHostPort(host, port)}, nil
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// isLocal reports whether text is an address without a port that no misspelt word can be.
func isLocal(text string) bool {
	_, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return err == nil || text == "localhost" || text == "*"
}

// Port returns the port of a TCP address, or 0.
func (a Address) Port() int {
	_, text, _ := net.SplitHostPort(a.where)
	port, _ := strconv.Atoi(text) // as it was checked
	return port
}

// Overlaps reports whether a process that listens on one of two TCP addresses cannot listen on the other: they have
// the same port, and the same host, or one has all hosts. Those of IPv4 alone have the ones of IPv6, too, see
// [net.Listen]. What a name stands for is not looked up.
func (a Address) Overlaps(b Address) bool {
	if a.network != "tcp" || b.network != "tcp" || a.Port() != b.Port() || a.Port() == 0 {
		return false
	}
	first, second := a.host(), b.host()
	return first == second || first == "" || second == ""
}

// host returns the host of a TCP address: a name, or an IP address in its shortest form; empty for all.
func (a Address) host() string {
	host, _, _ := net.SplitHostPort(a.where)
	ip, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return strings.ToLower(host)
	case ip.Unmap().IsUnspecified():
		return ""
	}
	return ip.Unmap().String()
}

// Socket returns what names the socket of the address, whatever is served there.
func (a Address) Socket() string { return a.network + " " + a.where }

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
	if a.Secure && http3 {
		err = l.listenUDP()
	}
	if err != nil {
		return nil, errors.Join(err, l.Listener.Close())
	}
	return l, nil
}

// listenUDP listens on the UDP port of the same number, unless it is a Unix socket.
func (l *Listener) listenUDP() error {
	tcp, ok := l.Listener.Addr().(*net.TCPAddr)
	if !ok {
		return nil
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: tcp.IP, Port: tcp.Port, Zone: tcp.Zone})
	if err != nil {
		return fmt.Errorf("HTTP/3: %w", err)
	}
	l.UDP = udp
	return nil
}
