package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// connGuard closes the connection of a client that resets requests faster than it
// would take to serve them (rapid reset), or, over HTTP/3, that has none for too
// long: package http3 waits for a request's headers for ever.
type connGuard struct {
	close  func(reason string)
	resets *rate.Limiter
	most   int // requests at once; 0: net/http sees to it
	quiet  time.Duration

	mu      sync.Mutex
	running int
	timer   *time.Timer // nil: quiet does not matter
}

// A client may reset so many requests at once, and so many a second for ever:
// people who skip through a video do.
const (
	resetBurst = 100
	resetRate  = 10
)

func (g *connGuard) init(close func(reason string)) {
	g.close, g.resets = close, rate.NewLimiter(resetRate, resetBurst)
}

// await closes the connection when no request is in progress for too long: first
// for the time to the headers, then for the idle time.
func (g *connGuard) await(ctx context.Context, first, quiet time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.quiet = quiet
	g.timer = time.AfterFunc(first, func() { g.close("idle") })
	context.AfterFunc(ctx, func() { g.timer.Stop() })
}

// enter counts a request in; it reports whether the connection may have another.
func (g *connGuard) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running++
	if g.timer != nil {
		g.timer.Stop()
	}
	return g.most == 0 || g.running <= g.most
}

// alone reports whether no more than one request is in progress.
func (g *connGuard) alone() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.running <= 1
}

func (g *connGuard) leave(reset bool) {
	g.mu.Lock()
	g.running--
	if g.timer != nil && g.running == 0 {
		g.timer.Reset(g.quiet)
	}
	g.mu.Unlock()
	if reset && !g.resets.Allow() {
		g.close("too many resets")
	}
}

// guarded counts the requests of each connection.
func guarded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn := connOf(r)
		if conn == nil || r.ProtoMajor == 1 {
			handler.ServeHTTP(w, r)
			return
		}
		ok := conn.guard.enter()
		defer func() { conn.guard.leave(r.Context().Err() != nil) }()
		if !ok {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	})
}

// endsInTime bounds how long a client of HTTP/1 that does not read may keep net/http
// from writing the rest of a response, when nobody looks after its exchange any more.
// Over HTTP/2 the connection's write timeout does.
func endsInTime(handler http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if conn := connOf(r); conn != nil && conn.screened != nil && r.ProtoMajor == 1 {
			conn.screened.refusals.begin()
		}
		handler.ServeHTTP(w, r)
		if r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most)) // net/http ends it
		}
	})
}
