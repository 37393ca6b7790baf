package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// headerTime is how long a client may take to send its request's headers, and
// idleTime how long it may keep a connection without a request.
const (
	headerTime = 30 * time.Second
	idleTime   = 2 * time.Minute
)

// lastWords is how long, after the last exchange has ended, its response may take
// to get out.
const lastWords = time.Second

// Server serves HTTP with a router.
type Server struct {
	router *UploadResponseRouter
	http   *http.Server
}

// NewServer returns a server around a router, which it does not own.
func NewServer(router *UploadResponseRouter, log *slog.Logger) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{router: router, http: &http.Server{
		Handler:           router,
		ReadHeaderTimeout: headerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    router.config.HeaderLimit,
		ConnContext:       rememberConn,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}}
}

// Serve serves the connections of a listener until Shutdown; it then returns
// nil.
func (s *Server) Serve(listener net.Listener) error {
	if err := s.http.Serve(sniffedListener{listener}); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return nil
}

// Shutdown accepts no more connections and waits for the exchanges in progress
// until ctx ends; the rest of them is then broken off.
func (s *Server) Shutdown(ctx context.Context) error {
	closed := make(chan error, 1)
	quiet, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { closed <- s.http.Shutdown(quiet) }()
	err := s.router.Drain(ctx)
	select {
	case <-closed:
	case <-time.After(lastWords):
		cancel() // what is left has no request: connections that were opened and not used
	}
	return errors.Join(err, s.http.Close())
}
