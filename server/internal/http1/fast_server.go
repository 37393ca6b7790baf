package http1

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// FastServer serves connections of HTTP/1.1 without net/http for as long as their requests
// are simple (see [FastRequest]), and watches these connections.
type FastServer struct {
	config  *Config
	handler http.Handler

	closing atomic.Bool // connections end after their response
	patient atomic.Bool // those without a request may send one more
	stop    chan struct{}
	once    sync.Once // of stop

	mu      sync.Mutex
	conns   map[*FastConn]struct{}
	watched bool          // the watch runs
	empty   chan struct{} // closed when there are no connections; nil: nobody waits
}

// NewFastServer returns a server whose requests the handler serves.
func NewFastServer(config *Config, handler http.Handler) *FastServer {
	return &FastServer{config: config, handler: handler, stop: make(chan struct{}), conns: map[*FastConn]struct{}{}}
}

// Serve serves a connection over a socket, a *GuardedConn or a *SecureConn. It reports whether
// net/http is to go on with it.
func (s *FastServer) Serve(outer, socket net.Conn) (goesOn bool) {
	c := newFastConn(s, outer, socket)
	s.mu.Lock()
	s.conns[c] = struct{}{}
	if !s.watched {
		s.watched = true
		go s.watch()
	}
	s.mu.Unlock()
	defer s.forget(c)
	return c.serve()
}

func (s *FastServer) forget(c *FastConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if len(s.conns) == 0 && s.empty != nil {
		close(s.empty)
		s.empty = nil
	}
}

// Conns returns how many connections there are.
func (s *FastServer) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Leave has connections end after their next response: those without a request may send one
// more, until Shutdown.
func (s *FastServer) Leave() {
	s.patient.Store(true)
	s.closing.Store(true)
}

// Shutdown ends the connections without a request; the others end after theirs. It waits for
// them until ctx ends.
func (s *FastServer) Shutdown(ctx context.Context) {
	select {
	case <-s.endIdle():
	case <-ctx.Done():
	}
}

// endIdle ends the connections without a request. It returns a channel that is closed when no
// connection is left.
func (s *FastServer) endIdle() <-chan struct{} {
	s.closing.Store(true)
	s.patient.Store(false)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		if c.state.Load() != stateActive {
			_ = c.socket.SetReadDeadline(conn.Past)
		}
	}
	empty := make(chan struct{})
	if len(s.conns) == 0 {
		close(empty)
	} else {
		s.empty = empty
	}
	return empty
}

// Close ends every connection.
func (s *FastServer) Close() {
	s.closing.Store(true)
	s.once.Do(func() { close(s.stop) })
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.socket.Close()
	}
}

// watchEvery is how often the watch looks at all connections, and so how late it may notice
// that a client is gone or has been idle for too long.
const watchEvery = 250 * time.Millisecond

// watch ends connections that are idle or have a client that does not read, and cancels the
// requests of clients that are gone.
func (s *FastServer) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-s.stop:
			return
		case now := <-ticker.C:
			s.cancelGone(s.sweep(now), now)
		}
	}
}

// sweep ends the connections that are out of time, and returns those with a request that
// takes long.
func (s *FastServer) sweep(now time.Time) (long []*FastConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		spent := time.Duration(now.UnixNano() - c.since.Load())
		switch state := c.state.Load(); {
		case state == stateActive && spent > watchEvery:
			long = append(long, c)
		case state == stateIdle && spent > s.config.IdleTime, state == stateNew && spent > s.config.HeaderTime:
			_ = c.socket.SetReadDeadline(conn.Past) // if a request comes just now, it is the last
		case state == stateClosing && spent > s.config.Times.Write():
			_ = c.socket.Close()
		}
	}
	return long
}

// cancelGone asks the kernel which clients have closed their end and are gone: net/http has a
// goroutine for each request that reads to find out. When a socket is closed meanwhile, another
// may have got its number, so cancelGone asks again while it holds the socket.
func (s *FastServer) cancelGone(conns []*FastConn, now time.Time) {
	fds := make([]unix.PollFd, len(conns))
	for i, c := range conns {
		fds[i].Fd = -1 // ignored
		withSocket(c.socket, func(fd int32) { fds[i] = unix.PollFd{Fd: fd, Events: unix.POLLRDHUP} })
	}
	if n, err := unix.Poll(fds, 0); n <= 0 || err != nil {
		return
	}
	long := halfClosedTime(s.config.Times.Stall()) - watchEvery
	for i, c := range conns {
		if fds[i].Revents == 0 {
			continue
		}
		withSocket(c.socket, func(fd int32) {
			again := []unix.PollFd{{Fd: fd, Events: unix.POLLRDHUP}}
			if n, err := unix.Poll(again, 0); n <= 0 || err != nil {
				return
			}
			if c.guarded.secure || c.half.gone(int(fd), now, long) {
				c.cancel()
			}
		})
	}
}

// withSocket calls f with the descriptor of a connection, unless it is closed.
func withSocket(c net.Conn, f func(fd int32)) {
	socket, ok := c.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := socket.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { f(int32(fd)) })
	}
}
