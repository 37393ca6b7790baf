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

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http1"
	"github.com/wavey-ai/upload-response/server/internal/http2"
	"github.com/wavey-ai/upload-response/server/listen"
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
	http1  *http1.Config
	fast   *http1.FastServer // simple requests of HTTP/1.1, before net/http sees them
	count  *conn.AddressLimit

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
	s.count = conn.NewAddressLimit(limits.ConnsPerAddress)
	s.http1 = &http1.Config{
		HeaderTime: limits.HeaderTime, IdleTime: limits.IdleTime, WriteTime: router.config.ClientTimeout,
		HalfClosedTime: http1.HalfClosedTime(router.config.StallTime), Log: log, Refused: router.logRefusal,
	}
	s.fast = http1.NewFastServer(s.http1, router)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           http1.BoundWrites(guarded(router), router.config.ClientTimeout),
		ReadHeaderTimeout: limits.HeaderTime,
		IdleTimeout:       limits.IdleTime,
		MaxHeaderBytes:    headerRoom * router.config.HeaderLimit,
		ConnContext:       rememberConn,
		ConnState:         http1.ConnState,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:         protocols,

		DisableGeneralOptionsHandler: true, // the router answers OPTIONS *, over all versions
		HTTP2:                        http2.Config(limits.StreamsPerConn, router.config.ClientTimeout),
	}
	return s
}

// rememberConn is for http.Server's ConnContext.
func rememberConn(ctx context.Context, c net.Conn) context.Context {
	var info *conn.Conn
	switch c := c.(type) {
	case *http1.GuardedConn:
		info, ctx = c.Info(), c.With(ctx)
	case *http1.SecureConn:
		info, ctx = c.Info(), c.With(ctx)
	case *tls.Conn:
		info = c.NetConn().(*countedConn).info
		ctx = conn.With(ctx, info)
	}
	info.Requests.Init(newResetLimit(), func(string) { _ = c.Close() })
	return ctx
}

// Serve serves HTTP/1.1 and 2 in the clear on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) Serve(listener net.Listener) error { return s.serve(s.receive(listener, nil)) }

// ServeTLS serves HTTP/1.1 and 2 over TLS on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	return s.serve(s.receive(listener, config))
}

// ServeListener serves what comes in through a listener until Shutdown; it then returns nil.
// The configuration is for a secure address.
func (s *Server) ServeListener(l *listen.Listener, config *tls.Config) error {
	if !l.Address.Secure {
		return s.Serve(l.Listener)
	}
	failed := make(chan error, 2)
	serving := 1
	if l.UDP != nil {
		serving++
		go func() { failed <- s.ServeQUIC(l.UDP, config) }()
	}
	go func() { failed <- s.ServeTLS(l.Listener, config) }()
	var err error
	for ; serving > 0 && err == nil; serving-- {
		err = <-failed
	}
	return err
}

// ListenWorkers is [listen.Workers].
func ListenWorkers(path string, shared bool) (*net.UnixListener, error) {
	return listen.Workers(path, shared)
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
	closing.Go(func() { s.fast.Shutdown(quiet) })
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
	s.fast.Close()
	return errors.Join(err, s.http.Close())
}
