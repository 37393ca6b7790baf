// Package accept takes the connections of clients from a listener and makes them ready to
// carry requests: it reads a PROXY header, counts the connections of each address, shakes
// hands over TLS, and chooses who serves the connection.
package accept

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http1"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// Config is what all listeners of a server have in common.
type Config struct {
	Trust         *conn.Trust
	ProxyProtocol bool // trusted proxies may send a PROXY header
	Addresses     *conn.AddressLimit
	HandshakeTime time.Duration         // for a PROXY header, and for TLS
	AltSvc        func(net.Addr) string // what responses say of HTTP/3, by the local address
	HTTP1         *http1.Config
	Fast          *http1.FastServer // serves connections of HTTP/1.1 before net/http does
	Meters        *meter.Meters
	Log           *slog.Logger
}

// Listener is a listener whose connections are ready to carry requests. Each is made ready
// in a goroutine of its own, so that a slow client does not hold up others.
type Listener struct {
	net.Listener
	config *Config
	tls    *tls.Config // nil: clear text
	conns  atomic.Int64
	making atomic.Int64  // connections that are not ready
	left   atomic.Bool   // see Leave
	ended  chan struct{} // closed when no more connections are accepted
	meter  *meter.Listener

	once   sync.Once
	ready  chan accepted
	ctx    context.Context // ends with the listener
	cancel context.CancelFunc
}

// accepted is a connection, or the error that ended the listener.
type accepted struct {
	conn net.Conn
	err  error
}

// NewListener returns a listener that makes the connections of another one ready; without
// a tls.Config they are in the clear.
func NewListener(inner net.Listener, secure *tls.Config, config *Config) *Listener {
	l := &Listener{Listener: inner, config: config, tls: secure, ready: make(chan accepted),
		ended: make(chan struct{})}
	l.meter = config.Meters.Listener(inner.Addr().String())
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// Accept returns the next connection that net/http is to serve: an [*http1.GuardedConn], an
// [*http1.SecureConn], or a [*tls.Conn] that carries HTTP/2. Connections that the fast path
// has served to their end are not among them.
func (l *Listener) Accept() (net.Conn, error) {
	l.once.Do(func() { go l.acceptAll() })
	select {
	case next := <-l.ready:
		return next.conn, next.err
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Leave accepts no more connections. Those that were accepted go on: Accept returns them until
// Close.
func (l *Listener) Leave() error {
	l.left.Store(true)
	err := l.Listener.Close()
	l.once.Do(func() { close(l.ended) }) // nobody has called Accept
	<-l.ended
	return err
}

// Conns returns how many connections there are, also such that are not ready.
func (l *Listener) Conns() int64 { return l.making.Load() + l.conns.Load() }

// Close ends the listener, and the connections that are not ready yet.
func (l *Listener) Close() error {
	l.cancel()
	return l.Listener.Close()
}

func (l *Listener) acceptAll() {
	defer close(l.ended)
	for {
		c, err := l.Listener.Accept()
		if err != nil && l.left.Load() {
			return
		}
		if err != nil {
			l.pass(accepted{err: err})
			if temporary(err) {
				continue
			}
			return
		}
		l.making.Add(1)
		go l.serve(c)
	}
}

// temporary reports whether accepting may succeed later, as net/http asks it.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// pass hands a connection to Accept, or closes it.
func (l *Listener) pass(next accepted) {
	select {
	case l.ready <- next:
	case <-l.ctx.Done():
		if next.conn != nil {
			_ = next.conn.Close()
		}
	}
}

// serve makes a connection ready. The fast path serves it first, if it carries HTTP/1.1,
// and net/http from the first request that the fast path does not take.
func (l *Listener) serve(inner net.Conn) {
	stop := context.AfterFunc(l.ctx, func() { _ = inner.Close() })
	ready, err := l.prepare(inner)
	l.making.Add(-1)
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		l.config.Log.Debug("connection refused", "from", inner.RemoteAddr(), "error", err)
		_ = inner.Close()
		return
	}
	if _, http2 := ready.(*tls.Conn); http2 || l.config.Fast.Serve(ready, inner) {
		l.pass(accepted{conn: ready})
	}
}

// prepare finds out who the client is, and makes the connection ready unless the client has
// too many.
func (l *Listener) prepare(inner net.Conn) (net.Conn, error) {
	outer, err := l.readProxyHeader(inner)
	if err != nil {
		return nil, err
	}
	client := l.config.Trust.NewClient(outer.RemoteAddr().String())
	release, ok := l.config.Addresses.Enter(client.Counted())
	if !ok {
		return nil, conn.ErrTooMany
	}
	setNotSentLimit(inner, notSentLimit(l.conns.Add(1)))
	s := &socket{Conn: outer, info: conn.New(client), release: func() { l.conns.Add(-1); release() }}
	s.count.begin(l.meter)
	s.info.OnHTTP2 = func() { s.count.speaks(meter.HTTP2) }
	if outer == inner {
		s.info.Reader = conn.NewIdleReader(inner)
	}
	if l.tls == nil {
		return http1.NewGuardedConn(s, s.info, l.config.HTTP1), nil
	}
	secure, err := l.shakeHands(s)
	if err != nil {
		_ = s.Close()
	}
	return secure, err
}
