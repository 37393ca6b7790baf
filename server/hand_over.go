package server

import (
	"context"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/accept"
)

const (
	// handOverGrace is how long a connection without a request may still send one.
	handOverGrace = 3 * time.Second
	// quicGrace is how long connections of HTTP/3 that are just being made have at least. Clients of
	// a socket that closes before would hear nothing.
	quicGrace = time.Second
	// partingTime is how long before the end WebSockets are closed, and workers told.
	partingTime = 2 * time.Second
	// lookEvery is how often the server looks whether it is done.
	lookEvery = 20 * time.Millisecond
)

// HandOver is [Server.Shutdown] for a server whose sockets another process serves already: no
// connection is refused, and no request. The listeners close here. Connections that were
// accepted may send a request for a while, and are told to make another one; what is in
// progress goes on, also WebSockets, until shortly before ctx ends. Then Shutdown ends the rest.
// Workers that nobody here has started are let go when they have nothing to do, the last of a
// pool when no more requests come: they attach to the other process.
//
// The sockets must be such that closing them here leaves them to the other process: see Leave
// and HandOver of package listen.
func (s *Server) HandOver(ctx context.Context) error {
	listeners := s.leave()
	quiet, cancel := beforeEnd(ctx, partingTime)
	defer cancel()
	grace, cancelGrace := context.WithTimeout(quiet, handOverGrace)
	defer cancelGrace()
	if s.http3.Serves() {
		settled := time.Now().Add(quicGrace)
		waitUntil(grace, func() bool { return time.Now().After(settled) && s.http3.Handshakes() == 0 })
	}
	s.http3.Leave(ctx)
	waitUntil(grace, func() bool { return s.conns(listeners) == 0 && s.router.relay.Running() == 0 })
	waitUntil(quiet, func() bool { return s.router.Stats().Waiting == 0 })
	s.router.dispatcher.ReleaseAttached(true)
	var closing sync.WaitGroup
	closing.Go(func() { _ = s.http.Shutdown(quiet) })
	closing.Go(func() { s.fast.Shutdown(quiet) })
	waitUntil(quiet, func() bool { return s.router.relay.Running() == 0 })
	cancel()
	closing.Wait()
	return s.Shutdown(ctx)
}

// Retreat has clients make their next connection elsewhere, while the server serves on: it accepts connections, and
// refuses no request. Responses tell clients to make another connection ("Connection: close"; GOAWAY over HTTP/2 in
// the two steps by which no request is lost, and over HTTP/3 at once). It is for the time in which balancers notice
// that the server is about to end, before Shutdown or HandOver.
func (s *Server) Retreat() {
	s.router.relay.Leave()
	s.fast.Leave()
	s.http3.Renew()
}

// leave stops accepting, and returns the listeners, which still have connections.
func (s *Server) leave() []*accept.Listener {
	s.mu.Lock()
	s.left = true
	listeners := s.listeners
	s.mu.Unlock()
	for _, l := range listeners {
		_ = l.Leave()
	}
	s.router.relay.Leave()
	s.fast.Leave()
	s.router.dispatcher.ReleaseAttached(false)
	return listeners
}

// add notes a listener that is served.
func (s *Server) add(l *accept.Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
	if s.left {
		go func() { _ = l.Leave() }()
	}
}

// conns returns how many connections over TCP and Unix sockets there are.
func (s *Server) conns(listeners []*accept.Listener) (n int64) {
	for _, l := range listeners {
		n += l.Conns()
	}
	return n
}

// beforeEnd returns a context that ends so long before ctx, if ctx has an end; with less time
// left than twice that, in the middle of it.
func beforeEnd(ctx context.Context, before time.Duration) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(before, time.Until(end)/2)))
}

// waitUntil waits until done returns true, or ctx ends.
func waitUntil(ctx context.Context, done func() bool) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
