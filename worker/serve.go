package worker

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
)

// The pauses between attempts to attach. They double from the first to the last: a server
// that restarts is back soon.
const (
	minPause = 20 * time.Millisecond
	maxPause = time.Second
)

// Serve attaches to the server's worker socket, like [Attach], and serves requests with
// handler, each in a goroutine of its own. When the server goes away, Serve attaches again
// as soon as there is one. When ctx ends, Serve takes no more requests, lets those in
// progress finish within the grace time (see [WithGrace]), and returns nil.
//
// It returns an error when another attempt would fail in the same way: a [*attach.Refusal]
// if the server does not know the pool, does not let the user attach, or shares no memory
// layout with the worker; [ErrServer] if the server is not trusted.
//
// On signal 40 the process prints its stacks (see [WithoutStacks]).
func Serve(ctx context.Context, socket string, handler http.Handler, list ...Option) error {
	o := newOptions(list)
	socket = socketPath(socket)
	if !o.withoutStacks {
		if o.stacks = printer.acquire(); o.stacks != 0 {
			defer printer.release()
		}
	}
	pause := minPause
	for ctx.Err() == nil {
		link, err := connect(ctx, socket, &o)
		if err == nil {
			pause = minPause
			o.log.Info("attached", "socket", socket, "pool", o.pool, "server_pid", link.welcome.ServerPID)
			link.serve(ctx, handler, &o)
			continue
		}
		if isPermanent(err) {
			return err
		}
		if pause == minPause {
			o.log.Info("waiting for the server", "socket", socket, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxPause)
	}
	return nil
}

// isPermanent reports whether another attempt to attach would fail in the same way.
func isPermanent(err error) bool {
	if errors.Is(err, ErrServer) {
		return true
	}
	var refusal *attach.Refusal
	if !errors.As(err, &refusal) {
		return false // nobody listens, or the connection broke
	}
	return refusal.Code != attach.CodeFull && refusal.Code != attach.CodeDraining
}

// baseContext returns the parent of the contexts of requests. It has the values that
// handlers look for. In particular, httputil.ReverseProxy breaks off a truncated response
// only under an http.Server; otherwise the response would look complete.
func (l *Link) baseContext(ctx context.Context, handler http.Handler, o *options) context.Context {
	server := &http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelError)}
	ctx = context.WithValue(context.WithoutCancel(ctx), http.ServerContextKey, server)
	return context.WithValue(ctx, http.LocalAddrContextKey, l.conn.RemoteAddr())
}

// serve serves requests until the link is closed, or until ctx has ended and the last
// request with it.
func (l *Link) serve(ctx context.Context, handler http.Handler, o *options) {
	base, cancel := context.WithCancel(l.baseContext(ctx, handler, o))
	defer cancel()
	l.handlers = newHandlerPool(func(r *Request) *Request {
		serveHTTP(base, r, handler, o.log)
		return l.release()
	})
	printer.add(l.handlers)
	defer printer.remove(l.handlers)
	go l.run()
	select {
	case <-l.closed:
		o.log.Warn("link lost", "error", l.closeReason)
	case <-ctx.Done():
		grace, cancelGrace := context.WithTimeout(base, o.grace)
		defer cancelGrace()
		if err := l.Drain(grace); err != nil {
			o.log.Warn("requests cut off", "error", err)
		}
	}
}
