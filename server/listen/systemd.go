package listen

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstDescriptor is that of the first socket from systemd (SD_LISTEN_FDS_START).
const firstDescriptor = 3

// mostSockets bounds how many sockets a variable can make us look at.
const mostSockets = 1024

// Systemd has the sockets that systemd has opened for this process (sd_listen_fds(3)). An
// address takes each of them at most once: fd:NAME the first one left of that name, which is
// the FileDescriptorName= of the socket unit, or else the name of the unit; fd:N the one with
// the descriptor N. A secure address takes a datagram socket of the same name for HTTP/3, too.
// A nil one has none. It is for one goroutine.
type Systemd struct{ sockets []activated }

// activated is a socket from systemd.
type activated struct {
	name     string
	fd       int
	datagram bool
	address  string // empty: it has none, or is no socket
	taken    bool
}

// NewSystemd returns the sockets that the variables of systemd are about, if they are for this
// process.
func NewSystemd(getenv func(string) string) *Systemd {
	s := &Systemd{}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range systemdCount(getenv) {
		a := activated{name: "unknown", fd: firstDescriptor + i} // as sd_listen_fds_with_names(3) has it
		if i < len(names) && names[i] != "" {
			a.name = names[i]
		}
		a.look()
		s.sockets = append(s.sockets, a)
	}
	return s
}

// systemdCount returns how many sockets systemd has opened for this process.
func systemdCount(getenv func(string) string) int {
	if getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return 0
	}
	n, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	return min(n, mostSockets)
}

// SystemdSockets returns the addresses, by descriptor, of the sockets that systemd has opened
// for this process, if any.
func SystemdSockets(getenv func(string) string) (list []Address) {
	for i := range systemdCount(getenv) {
		list = append(list, Address{false, "fd", strconv.Itoa(firstDescriptor + i)})
	}
	return list
}

// look finds out what the socket is.
func (a *activated) look() {
	kind, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_TYPE)
	a.datagram = err == nil && kind == unix.SOCK_DGRAM
	name, err := unix.Getsockname(a.fd)
	if err != nil {
		return
	}
	switch n := name.(type) {
	case *unix.SockaddrInet4:
		a.address = netip.AddrPortFrom(netip.AddrFrom4(n.Addr), uint16(n.Port)).String()
	case *unix.SockaddrInet6:
		a.address = netip.AddrPortFrom(netip.AddrFrom16(n.Addr), uint16(n.Port)).String()
	case *unix.SockaddrUnix:
		a.address = "unix:" + n.Name
	}
}

// Listen is [Address.Listen] for an address that may be a socket from systemd.
func (s *Systemd) Listen(a Address, mode os.FileMode, http3 bool) (*Listener, error) {
	if a.network != "fd" {
		return a.Listen(mode, http3)
	}
	socket := s.find(a.where)
	switch {
	case socket == nil && isNumber(a.where): // from another manager
		return a.Listen(mode, http3)
	case socket == nil:
		return nil, fmt.Errorf("no socket of that name %s", s.all())
	case socket.datagram:
		return nil, fmt.Errorf("%s is a datagram socket, which HTTP/3 takes together with a stream socket of the same "+
			"name, as https+fd:%s: ListenStream= opens that", socket, socket.name)
	}
	stream, err := socket.take()
	if err != nil {
		return nil, err
	}
	var udp *os.File
	if packets := s.packetsFor(socket); packets != nil && a.Secure && http3 {
		if udp, err = packets.take(); err != nil {
			return nil, errors.Join(err, stream.Close())
		}
	}
	return a.Inherit(stream, udp, http3)
}

// find returns the stream socket that an address takes, or nil. If there is none but a
// datagram socket, it returns that.
func (s *Systemd) find(where string) (found *activated) {
	if s == nil {
		return nil
	}
	for i := range s.sockets {
		socket := &s.sockets[i]
		if socket.taken || socket.name != where && strconv.Itoa(socket.fd) != where {
			continue
		}
		if !socket.datagram {
			return socket
		}
		found = socket
	}
	return found
}

// packetsFor returns the datagram socket for HTTP/3 beside a stream socket: of those with the
// same name the one at the same address, or else the first. Nil: there is none.
func (s *Systemd) packetsFor(stream *activated) (found *activated) {
	for i := range s.sockets {
		socket := &s.sockets[i]
		if socket.taken || !socket.datagram || socket.name != stream.name {
			continue
		}
		if socket.address == stream.address {
			return socket
		}
		if found == nil {
			found = socket
		}
	}
	return found
}

// errConnected is returned for a stream socket that accepts no connections.
var errConnected = errors.New("does not listen: the socket unit wants ListenStream= and Accept=no")

// take returns the socket as a file, which owns the descriptor. Release: Close.
func (a *activated) take() (*os.File, error) {
	listens, err := unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", a, err)
	case !a.datagram && listens == 0:
		return nil, fmt.Errorf("%s %w", a, errConnected)
	}
	a.taken = true
	unix.CloseOnExec(a.fd)
	return os.NewFile(uintptr(a.fd), a.name), nil
}

// String names the socket for people.
func (a *activated) String() string {
	kind := "stream"
	if a.datagram {
		kind = "datagram"
	}
	return fmt.Sprintf("%s (%s, descriptor %d)", a.name, strings.TrimSpace(kind+" "+a.address), a.fd)
}

// all says for an error which sockets there are to take.
func (s *Systemd) all() string {
	if s == nil || len(s.sockets) == 0 {
		return "was passed on to this process"
	}
	left := s.Left()
	if len(left) == 0 {
		return "is left: all that systemd has opened are taken"
	}
	return "is left: systemd has opened " + strings.Join(left, ", ")
}

// Left returns the sockets that no address has taken: each with its name, what it is, and its
// descriptor.
func (s *Systemd) Left() (list []string) {
	if s == nil {
		return nil
	}
	for i := range s.sockets {
		if !s.sockets[i].taken {
			list = append(list, s.sockets[i].String())
		}
	}
	slices.Sort(list)
	return list
}

// Named reports whether the address is a socket from systemd by its name, which several can have.
func (a Address) Named() bool { return a.network == "fd" && !isNumber(a.where) }

// isName reports whether text can be the name of a socket from systemd.
func isName(text string) bool {
	const longest = 255
	return text != "" && len(text) <= longest && !strings.ContainsFunc(text, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || c == ':'
	})
}
