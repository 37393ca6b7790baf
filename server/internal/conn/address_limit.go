package conn

import (
	"errors"
	"net/netip"
	"sync"
)

// ErrTooMany is why a connection is refused if the client has too many.
var ErrTooMany = errors.New("too many connections from its address")

// AddressLimit bounds the connections of each address.
type AddressLimit struct {
	most int // 0: any number

	mu    sync.Mutex
	conns map[netip.Prefix]int
}

// NewAddressLimit returns a limit of so many connections from each address; 0 is none.
func NewAddressLimit(most int) *AddressLimit {
	return &AddressLimit{most: most, conns: map[netip.Prefix]int{}}
}

// Enter counts a connection of a client, see [Client.Counted], and reports whether the
// client may have it. Release: the returned function.
func (l *AddressLimit) Enter(client netip.Prefix) (release func(), ok bool) {
	if l.most == 0 || !client.IsValid() {
		return func() {}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[client] >= l.most {
		return nil, false
	}
	l.conns[client]++
	return func() { l.leave(client) }, true
}

// Full reports whether a client has as many connections as it may.
func (l *AddressLimit) Full(client netip.Prefix) bool {
	if l.most == 0 || !client.IsValid() {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns[client] >= l.most
}

func (l *AddressLimit) leave(client netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns[client]--; l.conns[client] == 0 {
		delete(l.conns, client)
	}
}
