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

	"github.com/wavey-ai/upload-response/server/internal/accept"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http1"
	"github.com/wavey-ai/upload-response/server/internal/http2"
	"github.com/wavey-ai/upload-response/server/internal/http3"
	"github.com/wavey-ai/upload-response/server/listen"
)

// lastWriteTime is how long, after the last exchange has ended, the response may take to get
// out.
const lastWriteTime = time.Second

// Server serves HTTP/1.1, 2 and 3 with a router.
type Server struct {
	router *UploadResponseRouter
	http   *http.Server // HTTP/1.1 and 2, clear and secure
	fast   *http1.FastServer
	http3  *http3.Server
	accept accept.Config

	mu        sync.Mutex
	listeners []*accept.Listener // that are served
	left      bool               // see HandOver
}

// headerRoom is how many times the header limit a request may have before nobody looks at it:
// the router refuses requests up to there, while net/http ends a connection of HTTP/2 over a
// single field that is too long.
const headerRoom = 4

// NewServer returns a server with the default limits around a router, which it does not own.
func NewServer(router *UploadResponseRouter, log *slog.Logger) *Server {
	return NewLimitedServer(router, DefaultLimits(), log)
}

// NewLimitedServer is NewServer with other limits.
func NewLimitedServer(router *UploadResponseRouter, limits Limits, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{router: router}
	addresses := conn.NewAddressLimit(limits.ConnsPerAddress)
	base := &http1.Config{
		HeaderTime: limits.HeaderTime, IdleTime: limits.IdleTime, Times: router.clientTimes, Log: log,
		Refused: router.relay.AnswerRefusal,
	}
	s.fast = http1.NewFastServer(base, router.relay)
	handler := conn.CountRequests(router.relay)
	s.http3 = http3.NewServer(http3.Config{
		Handler: handler, MaxHeaderBytes: headerRoom * router.config.HeaderLimit,
		HeaderTime: limits.HeaderTime, IdleTime: limits.IdleTime, Streams: limits.StreamsPerConn,
		AltSvc: limits.AltSvc, NoAltSvc: limits.AltSvc == AltSvcOff,
		Trust: router.trust, Addresses: addresses, Budget: router.windows, Meters: router.meters, Log: log,
	})
	s.accept = accept.Config{
		Trust: router.trust, ProxyProtocol: limits.ProxyProtocol, Addresses: addresses,
		HandshakeTime: limits.HeaderTime, AltSvc: s.http3.AltSvc, HTTP1: base, Fast: s.fast,
		Meters: router.meters, Log: log,
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           http1.BoundWrites(handler, router.clientTimes),
		ReadHeaderTimeout: limits.HeaderTime,
		IdleTimeout:       limits.IdleTime,
		MaxHeaderBytes:    headerRoom * router.config.HeaderLimit,
		ConnContext:       accept.ConnContext,
		ConnState:         http1.ConnState,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		Protocols:         protocols,

		DisableGeneralOptionsHandler: true, // the relay answers OPTIONS *, over all versions
		HTTP2:                        http2.Config(limits.StreamsPerConn, router.clientTimes.Began()),
	}
	return s
}

// Serve serves HTTP/1.1 and 2 in the clear on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) Serve(listener net.Listener) error { return s.serve(listener, nil) }

// ServeTLS serves HTTP/1.1 and 2 over TLS on the connections of a listener until
// Shutdown; it then returns nil.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	return s.serve(listener, config)
}

// ServeListener serves the connections of a listener until Shutdown; it then returns nil. The
// configuration is for a secure address. It serves HTTP/3 before it accepts the first
// connection over TLS, so that the responses of every connection tell of HTTP/3.
func (s *Server) ServeListener(l *listen.Listener, config *tls.Config) error {
	switch {
	case !l.Address.Secure:
		return s.Serve(l.Listener)
	case l.UDP == nil:
		return s.ServeTLS(l.Listener, config)
	}
	socket, err := s.http3.Listen(l.UDP, config)
	if err != nil {
		return errors.Join(err, l.Listener.Close())
	}
	failed := make(chan error, 2)
	go func() { failed <- socket.Serve() }()
	go func() { failed <- s.ServeTLS(l.Listener, config) }()
	if err := <-failed; err != nil {
		return err
	}
	return <-failed
}

// ListenWorkers is [listen.Workers].
func ListenWorkers(path string, shared bool) (*net.UnixListener, error) {
	return listen.Workers(path, shared)
}

func (s *Server) serve(listener net.Listener, config *tls.Config) error {
	l := accept.NewListener(listener, config, &s.accept)
	s.add(l)
	if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// ServeQUIC serves HTTP/3 on a UDP socket until Shutdown; it then returns nil. Responses over
// TLS on the TCP port of the same number tell clients of HTTP/3 if the connection was accepted
// later: [Server.ServeListener] sees to that.
func (s *Server) ServeQUIC(conn net.PacketConn, config *tls.Config) error {
	socket, err := s.http3.Listen(conn, config)
	if err != nil {
		return err
	}
	return socket.Serve()
}

// Shutdown accepts no more connections and waits for the exchanges in progress until ctx ends;
// it then breaks off the rest of them.
func (s *Server) Shutdown(ctx context.Context) error {
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	var closing sync.WaitGroup
	closing.Go(func() { _ = s.http.Shutdown(quiet) })
	closing.Go(func() { s.fast.Shutdown(quiet) })
	closing.Go(func() { s.http3.Shutdown(quiet) })
	err := s.router.Drain(ctx)
	timer := time.AfterFunc(lastWriteTime, cancel) // connections that are still open have no request
	defer timer.Stop()
	closing.Wait()
	err = errors.Join(err, s.http3.Close())
	s.fast.Close()
	return errors.Join(err, s.http.Close())
}
