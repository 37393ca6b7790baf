package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/http2"
)

// lastWords is how long, after the last exchange has ended, its response may take
// to get out.
const lastWords = time.Second

// Server serves HTTP/1.1, 2 and 3 with a router.
type Server struct {
	router *UploadResponseRouter
	limits Limits
	log    *slog.Logger
	http   *http.Server // HTTP/1.1 and 2, clear and secure
	plain  *plainServer // plain requests of HTTP/1.1, before net/http sees them
	count  *addressCount

	saidBuffers sync.Once
	handshakes  handshakes // of HTTP/3

	mu      sync.Mutex
	quic    []*quicEntry
	stopped bool
}

// headerRoom is how many times their limit headers may be before they are not
// looked at: the router refuses those within it, while net/http ends a connection
// of HTTP/2 over a single field that is too long.
const headerRoom = 4

// NewServer returns a server with the default limits around a router, which it does
// not own.
func NewServer(router *UploadResponseRouter, log *slog.Logger) *Server {
	return NewLimitedServer(router, DefaultLimits(), log)
}

// NewLimitedServer is NewServer with other limits.
func NewLimitedServer(router *UploadResponseRouter, limits Limits, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{router: router, limits: limits, log: log}
	s.count = newAddressCount(limits.ConnsPerAddress, router.config.trusts)
	s.plain = newPlainServer(router, &limits, router.config.ClientTimeout, router.config.halfClosedTime(), s.altSvcOf, log)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           endsInTime(guarded(router), router.config.ClientTimeout),
		ReadHeaderTimeout: limits.HeaderTime,
		IdleTimeout:       limits.IdleTime,
		MaxHeaderBytes:    headerRoom * router.config.HeaderLimit,
		ConnContext:       s.rememberConn,
		ConnState:         taken,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:         protocols,

		DisableGeneralOptionsHandler: true, // the router answers OPTIONS *, over all versions
		HTTP2:                        http2.Config(limits.StreamsPerConn, router.config.ClientTimeout),
	}
	return s
}

// rememberConn is for http.Server's ConnContext.
func (s *Server) rememberConn(ctx context.Context, conn net.Conn) context.Context {
	c := &clientConn{}
	c.guard.init(func(string) { _ = conn.Close() })
	switch conn := conn.(type) {
	case *screenedConn:
		c.screened, c.reader = conn, conn.reader
		c.known.Store(conn.known)
	case *secureConn:
		c.screened, c.reader, c.altSvc = &conn.screenedConn, conn.reader, s.altSvcOf(conn.LocalAddr())
		c.known.Store(conn.known)
	case *tls.Conn:
		if socket, ok := conn.NetConn().(*idleConn); ok {
			c.reader = socket.reader
		}
		c.altSvc = s.altSvcOf(conn.LocalAddr())
	}
	return withConn(ctx, c)
}

// Serve serves HTTP/1.1 and 2 in the clear on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) Serve(listener net.Listener) error { return s.serve(s.receive(listener, nil)) }

// ServeTLS serves HTTP/1.1 and 2 over TLS on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	return s.serve(s.receive(listener, config))
}

func (s *Server) serve(r *reception) error {
	if err := s.http.Serve(r); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// addQUIC notes an entry, unless the server has stopped.
func (s *Server) addQUIC(q *quicEntry) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.quic = append(s.quic, q)
	}
	return !s.stopped
}

// stopQUIC takes the entries there are; there will be no more.
func (s *Server) stopQUIC() []*quicEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	entries := s.quic
	s.quic, s.stopped = nil, true
	return entries
}

// Shutdown accepts no more connections and waits for the exchanges in progress
// until ctx ends; the rest of them is then broken off.
func (s *Server) Shutdown(ctx context.Context) error {
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	var closing sync.WaitGroup
	closing.Go(func() { _ = s.http.Shutdown(quiet) })
	closing.Go(func() { s.plain.shutdown(quiet) })
	entries := s.stopQUIC()
	for _, q := range entries {
		closing.Go(func() { q.shutdown(quiet) })
	}
	err := s.router.Drain(ctx)
	timer := time.AfterFunc(lastWords, cancel) // what is left has no request: connections that were opened and not used
	defer timer.Stop()
	closing.Wait()
	for _, q := range entries {
		err = errors.Join(err, q.close())
	}
	s.plain.close()
	return errors.Join(err, s.http.Close())
}
