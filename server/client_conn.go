package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"syscall"
)

// clientConn is what the server keeps of a client's connection, whatever its
// protocol.
type clientConn struct {
	screened *screenedConn // nil: it cannot carry HTTP/1
	reader   *idleReader   // of its socket; nil: it has none of its own
	altSvc   string        // what its responses say of HTTP/3; empty: nothing
	guard    connGuard
	known    atomic.Bool // see client
	peer     atomic.Pointer[peer]
	window   connWindow // of the bodies of its requests
}

// raw returns the connection's socket, or nil.
func (c *clientConn) raw() syscall.RawConn {
	if c.reader == nil {
		return nil
	}
	return c.reader.raw
}

// connKey is the key of a request's connection in its context.
type connKey struct{}

// withConn notes the connection in the context of its requests.
func withConn(ctx context.Context, c *clientConn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// connOf returns the connection of a request, or nil if it came in through a
// server that is not ours.
func connOf(r *http.Request) *clientConn {
	c, _ := r.Context().Value(connKey{}).(*clientConn)
	return c
}
