package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// reception is a listener whose connections are received before net/http sees
// them: a PROXY header is read, the connections of an address are counted, TLS
// shakes hands. Each is received in a goroutine of its own, so that a slow client
// holds up nobody.
type reception struct {
	net.Listener
	tls      *tls.Config // nil: clear text
	proxied  bool        // trusted proxies may send a PROXY header
	trust    *conn.Trust
	count    *conn.AddressLimit
	altSvcOf func(net.Addr) string
	patience time.Duration
	log      *slog.Logger
	plain    *plainServer
	router   *UploadResponseRouter
	conns    atomic.Int64

	once   sync.Once
	ready  chan received
	ctx    context.Context // ends with the listener
	cancel context.CancelFunc
}

// received is a connection, or the error that ended the listener.
type received struct {
	conn net.Conn
	err  error
}

func (s *Server) receive(l net.Listener, config *tls.Config) *reception {
	r := &reception{
		Listener: l, tls: config, proxied: s.limits.ProxyProtocol, trust: &s.router.trust, count: s.count, altSvcOf: s.http3.AltSvc, patience: s.limits.HeaderTime,
		log: s.log, plain: s.plain, router: s.router, ready: make(chan received),
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Accept returns the next connection that is ready to carry requests, but for plain
// ones, which have been served: a
// [*screenedConn], a [*secureConn], or a [*tls.Conn] that speaks HTTP/2.
func (r *reception) Accept() (net.Conn, error) {
	r.once.Do(func() { go r.acceptAll() })
	select {
	case next := <-r.ready:
		return next.conn, next.err
	case <-r.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener, and the connections that are not ready yet.
func (r *reception) Close() error {
	r.cancel()
	return r.Listener.Close()
}

func (r *reception) acceptAll() {
	for {
		conn, err := r.Listener.Accept()
		if err != nil {
			r.offer(received{err: err})
			if temporary(err) {
				continue
			}
			return
		}
		go r.admit(conn)
	}
}

// temporary reports whether accepting may succeed later, as net/http asks it.
func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

// offer hands a connection to Accept, or closes it.
func (r *reception) offer(next received) {
	select {
	case r.ready <- next:
	case <-r.ctx.Done():
		if next.conn != nil {
			_ = next.conn.Close()
		}
	}
}

// admit makes a connection ready.
func (r *reception) admit(socket net.Conn) {
	stop := context.AfterFunc(r.ctx, func() { _ = socket.Close() })
	ready, err := r.prepare(socket)
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		r.log.Debug("connection refused", "from", socket.RemoteAddr(), "error", err)
		_ = socket.Close()
		return
	}
	if _, http2 := ready.(*tls.Conn); http2 || r.plain.serve(ready, socket) {
		r.offer(received{conn: ready})
	}
}

func (r *reception) prepare(socket net.Conn) (net.Conn, error) {
	wrapped, err := r.unwrap(socket)
	if err != nil {
		return nil, err
	}
	client := r.trust.NewClient(wrapped.RemoteAddr().String())
	release, ok := r.count.Enter(client.Counted())
	if !ok {
		return nil, conn.ErrTooMany
	}
	boundUnsent(socket, unsentShare(r.conns.Add(1)))
	counted := &countedConn{Conn: wrapped, info: conn.New(client), release: func() { r.conns.Add(-1); release() }}
	if wrapped == socket {
		counted.info.Reader = conn.NewIdleReader(socket)
	}
	if r.tls == nil {
		return newScreenedConn(counted, counted.info, r.router), nil
	}
	secure, err := r.secure(counted)
	if err != nil {
		_ = counted.Close()
	}
	return secure, err
}

// unwrap reads the PROXY header of a trusted proxy, if there is one.
func (r *reception) unwrap(socket net.Conn) (net.Conn, error) {
	if !r.proxied || !r.trust.NewClient(socket.RemoteAddr().String()).Trusted {
		return socket, nil
	}
	p := proxyproto.NewConn(socket, proxyproto.WithPolicy(proxyproto.USE), proxyproto.SetReadHeaderTimeout(r.patience))
	if _, err := p.Read(nil); err != nil {
		return nil, err
	}
	if header := p.ProxyHeader(); header != nil && namesNobody(header) {
		return &namelessConn{p}, nil
	}
	return p, nil
}

// namesNobody reports whether a PROXY header is that of a client without an address:
// "UNKNOWN" in version 1, a Unix socket of the proxy's in version 2. With LOCAL, in
// version 2, the proxy speaks for itself.
func namesNobody(header *proxyproto.Header) bool {
	if header.Command.IsLocal() {
		return header.Version == 1
	}
	_, unix := header.SourceAddr.(*net.UnixAddr)
	return unix || header.SourceAddr == nil
}

// namelessConn is a connection of whose client a proxy knows no address. The proxy's own
// in its place would make what the client says count as the proxy's word.
type namelessConn struct{ net.Conn }

// RemoteAddr returns an address that nobody trusts.
func (c *namelessConn) RemoteAddr() net.Addr { return namelessAddr{} }

type namelessAddr struct{}

func (namelessAddr) Network() string { return conn.Nameless }
func (namelessAddr) String() string  { return conn.Nameless }

// secure shakes hands.
func (r *reception) secure(counted *countedConn) (net.Conn, error) {
	secure := tls.Server(counted, r.tls)
	if err := counted.SetDeadline(time.Now().Add(r.patience)); err != nil {
		return nil, err
	}
	if err := secure.HandshakeContext(r.ctx); err != nil {
		sayPlain(err)
		return nil, err
	}
	if err := counted.SetDeadline(time.Time{}); err != nil {
		return nil, err
	}
	counted.info.AltSvc = r.altSvcOf(counted.LocalAddr())
	if secure.ConnectionState().NegotiatedProtocol == "h2" {
		return secure, nil // net/http looks for this very type
	}
	return newSecureConn(secure, counted.info, r.router), nil
}

// sayPlain tells a client that speaks HTTP in the clear what is wrong.
func sayPlain(err error) {
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil && record.RecordHeader[0] >= 'A' && record.RecordHeader[0] <= 'Z' {
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\n400 Bad Request: this port speaks HTTPS\n")
	}
}

// countedConn is a client's connection as it comes from the network. It is counted until it
// closes, and tells before it waits.
type countedConn struct {
	net.Conn
	info    *conn.Conn
	once    sync.Once
	release func()
}

// Read reads, and tells before it waits.
func (c *countedConn) Read(p []byte) (int, error) {
	if c.info.Reader != nil {
		if idle := c.info.Reader.Idle(); idle != nil {
			return c.info.Reader.Read(p, *idle)
		}
	}
	return c.Conn.Read(p)
}

// Close closes the connection.
func (c *countedConn) Close() error {
	c.once.Do(c.release)
	return c.Conn.Close()
}

// CloseWrite closes half of it.
func (c *countedConn) CloseWrite() error { return conn.CloseWrite(c.Conn) }
