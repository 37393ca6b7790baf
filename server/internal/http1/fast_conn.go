package http1

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// FastConn is a connection of HTTP/1.1 until the first request that the fast path does not
// take. With that one it becomes a connection of net/http.
type FastConn struct {
	server  *FastServer
	inner   net.Conn     // gives the bytes of the client
	socket  net.Conn     // the TCP connection or Unix socket below
	outer   net.Conn     // what net/http gets
	guarded *GuardedConn // the same

	request FastRequest
	writer  FastWriter
	cancel  context.CancelFunc // of the context of all requests: the client is gone
	buffer  [maxHead]byte
	ahead   []byte // of buffer: read, and not used yet

	// For the watch of the server. The state changes together with its time.
	state atomic.Int32
	since atomic.Int64 // UnixNano
	half  halfClosed   // only the watch uses it
}

// The states of a FastConn:
//
//	new -> active -> closing -> active ...
//	                         -> idle -> active ...
const (
	stateNew int32 = iota // no request has come yet
	stateIdle
	stateActive
	stateClosing // the handler has returned, and not all of the response is written
)

// newFastConn returns a connection that serves requests when serve is called. Preconditions:
// outer is a *GuardedConn or a *SecureConn over the socket.
func newFastConn(s *FastServer, outer, socket net.Conn) *FastConn {
	c := &FastConn{server: s, socket: socket, outer: outer, guarded: Guarded(outer)}
	c.inner = c.guarded.Conn
	if c.guarded.reader != nil && !c.guarded.secure {
		c.inner = socket // nothing in between has read ahead
	}
	ctx, cancel := context.WithCancel(conn.With(context.Background(), c.guarded.info))
	c.cancel = cancel
	c.request.Request = *(&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 8), Body: http.NoBody,
		RemoteAddr: outer.RemoteAddr().String(), TLS: tlsState(outer),
	}).WithContext(ctx)
	c.writer = FastWriter{
		conn: c.inner, socket: c.guarded.corked.socket, request: &c.request.Request,
		closing: &s.closing, header: make(http.Header, 8),
	}
	c.since.Store(time.Now().UnixNano())
	return c
}

func tlsState(c net.Conn) *tls.ConnectionState {
	secure, ok := c.(*SecureConn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// serve serves requests until the connection ends, or returns true before the first
// request that is for net/http, with which the guarded connection then begins.
func (c *FastConn) serve() (goesOn bool) {
	defer c.cancel()
	for served := false; c.await(); served = true {
		end := headEnd(c.ahead)
		if end == 0 || !c.request.parse(string(c.ahead[:end])) {
			c.guarded.resume(c.ahead, served)
			return true
		}
		c.ahead = c.ahead[end:]
		switch c.serveRequest() {
		case broken:
			_ = c.outer.Close()
			return false
		case closeAfter:
			c.linger()
			return false
		}
	}
	_ = c.outer.Close()
	return false
}

// await waits for the next request.
func (c *FastConn) await() bool {
	if len(c.ahead) > 0 {
		return true
	}
	if c.state.Load() != stateNew {
		c.setState(stateIdle)
	}
	if c.server.closing.Load() && !c.server.patient.Load() {
		return false
	}
	n, err := c.inner.Read(c.buffer[:])
	if err != nil {
		return false
	}
	c.setState(stateActive) // or somebody might end it as idle
	c.ahead = c.buffer[:n]
	return true
}

func (c *FastConn) setState(state int32) {
	c.since.Store(time.Now().UnixNano())
	c.state.Store(state)
}

// outcome is what becomes of a connection after a request.
type outcome int

const (
	keepAlive  outcome = iota
	closeAfter         // it ends
	broken             // it ends, and must not look as if the response were complete
)

// serveRequest serves the request that was parsed.
func (c *FastConn) serveRequest() (result outcome) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		result = broken
		if p != http.ErrAbortHandler {
			c.server.config.Log.Error("panic", "serving", c.request.RemoteAddr, "panic", p, "stack",
				string(debug.Stack()))
		}
	}()
	c.writer.reset()
	if c.state.Load() != stateActive {
		c.setState(stateActive)
	}
	c.server.handler.ServeHTTP(&c.writer, &c.request.Request)
	c.setState(stateClosing)
	switch {
	case c.writer.finish():
		return keepAlive
	case c.writer.err != nil:
		return broken
	}
	return closeAfter
}

// linger closes the connection after the last response, which could be lost if what the
// client has sent after the request were not read.
func (c *FastConn) linger() {
	_ = c.guarded.CloseWrite()
	_ = c.inner.SetReadDeadline(time.Now().Add(conn.LingerTime))
	_, _ = io.CopyN(io.Discard, c.inner, conn.LingerBytes)
	_ = c.outer.Close()
}
