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

// FastConn is a connection of HTTP/1.1 as long as its requests are plain. With the
// first that is not it becomes net/http's.
type FastConn struct {
	server  *FastServer
	conn    net.Conn     // what the client's bytes are read from
	socket  net.Conn     // its TCP connection or Unix socket
	guarded *GuardedConn // for net/http
	whole   net.Conn     // likewise

	request FastRequest
	writer  FastWriter
	cancel  context.CancelFunc // of the requests' context: the client is gone
	buffer  [maxHead]byte
	ahead   []byte // of buffer: read, and not used yet

	half halfClosed // the watch's

	// For the server's watch. The state changes together with its time.
	state atomic.Int32
	since atomic.Int64 // UnixNano
}

// States of a plain connection.
const (
	stateNew int32 = iota // no request has come yet
	stateIdle
	stateActive
	stateClosing // the exchange is over, and not all of the response is written
)

// newFastConn returns a connection that serves requests when serve is called.
// Preconditions: whole is a *GuardedConn or a *SecureConn over the socket.
func newFastConn(s *FastServer, whole, socket net.Conn) *FastConn {
	c := &FastConn{server: s, socket: socket, whole: whole}
	switch w := whole.(type) {
	case *GuardedConn:
		c.guarded, c.conn = w, w.Conn
		if w.reader != nil {
			c.conn = socket // there is nothing in between that has read ahead
		}
	case *SecureConn:
		c.guarded, c.conn = &w.GuardedConn, w.tls
	}
	ctx, cancel := context.WithCancel(conn.With(context.Background(), c.guarded.info))
	c.cancel = cancel
	c.request.Request = *(&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 8), Body: http.NoBody,
		RemoteAddr: whole.RemoteAddr().String(), TLS: stateOf(whole),
	}).WithContext(ctx)
	c.writer = FastWriter{conn: c.conn, socket: c.guarded.held.socket, request: &c.request.Request, closing: &s.closing, header: make(http.Header, 8)}
	c.since.Store(time.Now().UnixNano())
	return c
}

func stateOf(c net.Conn) *tls.ConnectionState {
	secure, ok := c.(*SecureConn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// serve serves plain requests. It returns true if the connection goes on with a
// request that is not, which the guarded connection then begins with.
func (c *FastConn) serve() (goesOn bool) {
	defer c.cancel()
	for served := false; c.await(); served = true {
		end := headEnd(c.ahead)
		if end == 0 || !c.request.parse(string(c.ahead[:end])) {
			c.guarded.takeUp(c.ahead, served)
			return true
		}
		c.ahead = c.ahead[end:]
		switch c.exchange() {
		case broken:
			_ = c.whole.Close()
			return false
		case closeAfter:
			c.end()
			return false
		}
	}
	_ = c.whole.Close()
	return false
}

// await waits for the next request.
func (c *FastConn) await() bool {
	if len(c.ahead) > 0 {
		return true
	}
	if c.state.Load() != stateNew {
		c.enter(stateIdle)
	}
	if c.server.closing.Load() {
		return false
	}
	n, err := c.conn.Read(c.buffer[:])
	if err != nil {
		return false
	}
	c.enter(stateActive) // or somebody might end it as idle
	c.ahead = c.buffer[:n]
	return true
}

func (c *FastConn) enter(state int32) {
	c.since.Store(time.Now().UnixNano())
	c.state.Store(state)
}

// What becomes of a connection after a request.
type outcome int

const (
	keepAlive  outcome = iota
	closeAfter         // it ends
	broken             // it ends, and must not look as if the response were complete
)

// exchange serves one request.
func (c *FastConn) exchange() (fate outcome) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		fate = broken
		if p != http.ErrAbortHandler {
			c.server.config.Log.Error("panic", "serving", c.request.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.writer.reset()
	if c.state.Load() != stateActive {
		c.enter(stateActive)
	}
	c.server.handler.ServeHTTP(&c.writer, &c.request.Request)
	c.enter(stateClosing)
	switch {
	case c.writer.finish():
		return keepAlive
	case c.writer.err != nil:
		return broken
	}
	return closeAfter
}

// end closes the connection after its last response, which could be lost if what the
// client has sent after the request were not read.
func (c *FastConn) end() {
	_ = c.guarded.CloseWrite()
	_ = c.conn.SetReadDeadline(time.Now().Add(conn.LingerTime))
	_, _ = io.CopyN(io.Discard, c.conn, conn.LingerBytes)
	_ = c.whole.Close()
}
