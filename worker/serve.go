package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// The pauses between attempts to attach: short at first, since a server that is
// being restarted is back soon.
const (
	firstPause = 20 * time.Millisecond
	mostPause  = time.Second
)

// Serve attaches to the server's worker socket, as [Attach], and serves requests with handler,
// each in a goroutine of its own. When the server goes away it attaches again,
// as soon as there is one. When ctx ends it takes no more requests, lets those in
// progress finish within the grace time, and returns nil.
//
// It returns an error when the server refuses the worker for good: an unknown
// pool, a user that may not attach, a layout that the two do not share; and [ErrServer]
// when it is the server that is not believed.
func Serve(ctx context.Context, socket string, handler http.Handler, list ...Option) error {
	o := gather(list)
	socket = socketPath(socket)
	pause := firstPause
	for ctx.Err() == nil {
		link, err := connect(ctx, socket, &o)
		if err == nil {
			pause = firstPause
			o.log.Info("attached", "socket", socket, "pool", o.pool, "server_pid", link.welcome.ServerPID)
			link.serve(ctx, handler, &o)
			continue
		}
		if final(err) {
			return err
		}
		if pause == firstPause {
			o.log.Info("waiting for the server", "socket", socket, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, mostPause)
	}
	return nil
}

// final reports whether another attempt to attach would end the same way.
func final(err error) bool {
	if errors.Is(err, ErrServer) {
		return true
	}
	var refusal *attach.Refusal
	if !errors.As(err, &refusal) {
		return false // nobody there, or a connection that broke
	}
	return refusal.Code != attach.CodeFull && refusal.Code != attach.CodeDraining
}

// baseContext returns what the contexts of requests come from. It has what handlers look
// for: httputil.ReverseProxy only lets a response break off under an http.Server, and
// would else let one that was cut off look whole.
func (l *Link) baseContext(ctx context.Context, handler http.Handler, o *options) context.Context {
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelError)}
	ctx = context.WithValue(context.WithoutCancel(ctx), http.ServerContextKey, server)
	return context.WithValue(ctx, http.LocalAddrContextKey, l.conn.RemoteAddr())
}

// serve serves requests until the link is dead, or ctx has ended and the last of
// them with it.
func (l *Link) serve(ctx context.Context, handler http.Handler, o *options) {
	base, cancel := context.WithCancel(l.baseContext(ctx, handler, o))
	defer cancel()
	l.hands = newHands(func(r *Request) *Request {
		serveHTTP(base, r, handler, o.log)
		return l.retire()
	})
	go l.run()
	select {
	case <-l.closed:
		o.log.Warn("link lost", "error", l.why)
	case <-ctx.Done():
		grace, cancelGrace := context.WithTimeout(base, o.grace)
		defer cancelGrace()
		if err := l.Drain(grace); err != nil {
			o.log.Warn("requests cut off", "error", err)
		}
	}
}
