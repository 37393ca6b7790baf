package http3

import (
	"context"
	"errors"

	"github.com/quic-go/quic-go/http3"
)

// earlier is a server whose connections were told to end, while another takes new ones: package http3 of quic-go tells
// connections to end only when it accepts no more.
type earlier struct {
	server *http3.Server
	ended  chan struct{} // closed when it has no connections any more
}

// Renew tells the connections there are to make others (GOAWAY), and takes new ones as before. What is in progress
// goes on. A request that comes in just when they are told is refused as one that nobody has looked at, which its
// client may send again (RFC 9114 section 5.2): quic-go has no GOAWAY that announces another.
func (s *Server) Renew() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	for _, u := range s.sockets {
		u.renew()
	}
}

func (u *Socket) renew() {
	u.mu.Lock()
	defer u.mu.Unlock()
	old := &earlier{server: u.server, ended: make(chan struct{})}
	u.server, u.before = u.new(), append(u.before, old)
	go func() {
		defer close(old.ended)
		_ = old.server.Shutdown(context.Background()) // returns after closeServers, too
	}()
}

// current returns the server of new connections.
func (u *Socket) current() *http3.Server {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.server
}

// awaitEarlier waits until the connections before Renew have ended, or ctx ends.
func (u *Socket) awaitEarlier(ctx context.Context) {
	u.mu.Lock()
	before := u.before
	u.mu.Unlock()
	for _, old := range before {
		select {
		case <-old.ended:
		case <-ctx.Done():
			return
		}
	}
}

// closeServers ends all connections.
func (u *Socket) closeServers() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	err := u.server.Close()
	for _, old := range u.before {
		err = errors.Join(err, old.server.Close())
		<-old.ended
	}
	return err
}
