package conn

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Requests are the requests in progress on a connection of HTTP/2 or 3. The connection is
// closed when its client resets requests faster than it would take to serve them (rapid
// reset), or, over HTTP/3, makes none for too long: package http3 waits for the headers of
// a request without a limit.
type Requests struct {
	Most int // requests at once; 0: net/http sees to it

	close  func(reason string)
	resets *rate.Limiter
	quiet  time.Duration

	mu      sync.Mutex
	running int
	timer   *time.Timer // nil: quiet does not matter
}

// A client may reset so many requests at once, and so many a second without end: people who
// skip through a video do.
const (
	resetBurst = 100
	resetRate  = 10
)

// Init sets what closes the connection.
func (q *Requests) Init(close func(reason string)) {
	q.close, q.resets = close, rate.NewLimiter(resetRate, resetBurst)
}

// CountRequests counts the requests of each connection of HTTP/2 or 3, and breaks off those
// that are too many.
func CountRequests(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := Of(r)
		if c == nil || r.ProtoMajor == 1 {
			handler.ServeHTTP(w, r)
			return
		}
		c.noteHTTP2()
		ok := c.Requests.Enter()
		defer func() { c.Requests.Leave(r.Context().Err() != nil) }()
		if !ok {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	})
}

// CloseIdle closes the connection when no request is in progress for too long: at the
// beginning for the time to the first headers, later for the idle time. It does so until
// ctx ends, with the connection.
func (q *Requests) CloseIdle(ctx context.Context, first, quiet time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.quiet = quiet
	q.timer = time.AfterFunc(first, func() { q.close("idle") })
	context.AfterFunc(ctx, func() { q.timer.Stop() })
}

// Enter counts a request, and reports whether the connection may have another. Release:
// Leave.
func (q *Requests) Enter() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running++
	if q.timer != nil {
		q.timer.Stop()
	}
	return q.Most == 0 || q.running <= q.Most
}

// Alone reports whether no more than one request is in progress.
func (q *Requests) Alone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.running <= 1
}

// Leave ends a request, which its client may have reset.
func (q *Requests) Leave(reset bool) {
	q.mu.Lock()
	q.running--
	if q.timer != nil && q.running == 0 {
		q.timer.Reset(q.quiet)
	}
	q.mu.Unlock()
	if reset && !q.resets.Allow() {
		q.close("too many resets")
	}
}
