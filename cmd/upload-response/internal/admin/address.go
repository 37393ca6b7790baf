package admin

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/server/listen"
)

// Address is where the admin listener is. The zero value is nowhere.
type Address struct {
	Network string // unix or tcp; empty: there is no listener
	Where   string // PATH, or HOST:PORT
}

// socketSuffix makes the path of the admin socket from that of the workers' socket.
const socketSuffix = ".admin"

// longestPath is the longest that fits the kernel's sockaddr_un.
const longestPath = 107

// errAddress says what an address is.
var errAddress = errors.New("want unix:PATH, HOST:PORT or off, such as unix:/run/ur/admin.sock or 127.0.0.1:9180")

// DefaultAddress returns where the admin listener of a server is whose workers connect to a
// socket: beside that. There is none if its path would be too long.
func DefaultAddress(workerSocket string) Address {
	if path := workerSocket + socketSuffix; len(path) <= longestPath {
		return Address{"unix", path}
	}
	return Address{}
}

// ParseAddress reads the text of an address: unix:PATH, HOST:PORT or off.
func ParseAddress(text string) (Address, error) {
	if text == "off" {
		return Address{}, nil
	}
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		if path == "" || len(path) > longestPath {
			return Address{}, fmt.Errorf("want unix: and a path of 1 to %d bytes", longestPath)
		}
		return Address{"unix", path}, nil
	}
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return Address{}, errAddress
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return Address{}, errAddress
	}
	return Address{"tcp", text}, nil
}

// String returns the text of the address.
func (a Address) String() string {
	switch a.Network {
	case "":
		return "off"
	case "unix":
		return "unix:" + a.Where
	}
	return a.Where
}

// Listen listens on the address, which is not off. A socket file that a dead server left behind
// is replaced; ours has mode 0600.
func (a Address) Listen() (net.Listener, error) {
	text := a.Where
	if a.Network == "unix" {
		text = a.String()
	}
	address, err := listen.ParseAddress(text)
	if err != nil {
		return nil, err
	}
	l, err := address.Listen(0o600, false)
	if err != nil {
		return nil, err
	}
	return l.Listener, nil
}

// Public reports whether other machines may reach the address.
func (a Address) Public() bool {
	if a.Network != "tcp" {
		return false
	}
	host, _, _ := net.SplitHostPort(a.Where)
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.IsLoopback())
}
