package server

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

// plainConn is a connection of HTTP/1.1 as long as its requests are plain. With the
// first that is not it becomes net/http's.
type plainConn struct {
	server *plainServer
	conn   net.Conn      // what the client's bytes are read from
	socket net.Conn      // its TCP connection or Unix socket
	screen *screenedConn // for net/http
	whole  net.Conn      // likewise

	request plainRequest
	writer  plainWriter
	cancel  context.CancelFunc // of the requests' context: the client is gone
	buffer  [plainMost]byte
	ahead   []byte // of buffer: read, and not used yet

	half halfClosed // the watch's

	// For the server's watch. The state changes together with its time.
	state atomic.Int32
	since atomic.Int64 // UnixNano
}

// States of a plain connection.
const (
	plainFresh int32 = iota // no request has come yet
	plainIdle
	plainBusy
	plainEnding // the exchange is over, and not all of the response is written
)

// newPlainConn returns a connection that serves requests when serve is called.
// Preconditions: whole is a *screenedConn or a *secureConn over the socket.
func newPlainConn(s *plainServer, whole, socket net.Conn) *plainConn {
	c := &plainConn{server: s, socket: socket, whole: whole}
	switch w := whole.(type) {
	case *screenedConn:
		c.screen, c.conn = w, w.Conn
		if w.reader != nil {
			c.conn = socket // there is nothing in between that has read ahead
		}
	case *secureConn:
		c.screen, c.conn = &w.screenedConn, w.tls
	}
	ctx, cancel := context.WithCancel(conn.With(context.Background(), c.screen.info))
	c.cancel = cancel
	c.request.Request = *(&http.Request{
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 8), Body: http.NoBody,
		RemoteAddr: whole.RemoteAddr().String(), TLS: stateOf(whole),
	}).WithContext(ctx)
	c.writer = plainWriter{conn: c.conn, socket: c.screen.held.socket, request: &c.request.Request, closing: &s.closing, header: make(http.Header, 8)}
	c.since.Store(time.Now().UnixNano())
	return c
}

func stateOf(c net.Conn) *tls.ConnectionState {
	secure, ok := c.(*secureConn)
	if !ok {
		return nil
	}
	state := secure.ConnectionState()
	return &state
}

// serve serves plain requests. It returns true if the connection goes on with a
// request that is not, which the screened connection then begins with.
func (c *plainConn) serve() (goesOn bool) {
	defer c.cancel()
	for served := false; c.await(); served = true {
		end := headEnd(c.ahead)
		if end == 0 || !c.request.parse(string(c.ahead[:end])) {
			c.screen.takeUp(c.ahead, served)
			return true
		}
		c.ahead = c.ahead[end:]
		switch c.exchange() {
		case plainBroken:
			_ = c.whole.Close()
			return false
		case plainOver:
			c.end()
			return false
		}
	}
	_ = c.whole.Close()
	return false
}

// await waits for the next request.
func (c *plainConn) await() bool {
	if len(c.ahead) > 0 {
		return true
	}
	if c.state.Load() != plainFresh {
		c.enter(plainIdle)
	}
	if c.server.closing.Load() {
		return false
	}
	n, err := c.conn.Read(c.buffer[:])
	if err != nil {
		return false
	}
	c.enter(plainBusy) // or somebody might end it as idle
	c.ahead = c.buffer[:n]
	return true
}

func (c *plainConn) enter(state int32) {
	c.since.Store(time.Now().UnixNano())
	c.state.Store(state)
}

// What becomes of a connection after a request.
type plainFate int

const (
	plainAgain  plainFate = iota
	plainOver             // it ends
	plainBroken           // it ends, and must not look as if the response were complete
)

// exchange serves one request.
func (c *plainConn) exchange() (fate plainFate) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		fate = plainBroken
		if p != http.ErrAbortHandler {
			c.server.log.Error("panic", "serving", c.request.RemoteAddr, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	c.writer.reset()
	if c.state.Load() != plainBusy {
		c.enter(plainBusy)
	}
	c.server.handler.ServeHTTP(&c.writer, &c.request.Request)
	c.enter(plainEnding)
	switch {
	case c.writer.finish():
		return plainAgain
	case c.writer.err != nil:
		return plainBroken
	}
	return plainOver
}

// end closes the connection after its last response, which could be lost if what the
// client has sent after the request were not read.
func (c *plainConn) end() {
	_ = c.screen.CloseWrite()
	_ = c.conn.SetReadDeadline(time.Now().Add(leftoverTime))
	_, _ = io.CopyN(io.Discard, c.conn, leftoverBytes)
	_ = c.whole.Close()
}
