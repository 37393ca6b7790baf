// Package http3 serves HTTP/3 by package quic-go: its sockets and windows, what clients can
// make it keep before their address is known to be theirs, and what package http3 leaves to
// handlers.
package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// Config says how a [Server] serves.
type Config struct {
	Handler        http.Handler
	MaxHeaderBytes int
	HeaderTime     time.Duration // for a handshake, and until the first request
	IdleTime       time.Duration // for a connection without a request
	Streams        int           // requests at once on a connection
	AltSvc         string        // see [Server.AltSvc]
	NoAltSvc       bool          // responses say nothing of HTTP/3

	Trust     *conn.Trust
	Addresses *conn.AddressLimit
	Budget    *conn.Budget // of what comes in and has not been read
	Meters    *meter.Meters
	Log       *slog.Logger
}

// Server serves HTTP/3 on UDP sockets.
type Server struct {
	config      Config
	handshakes  handshakes
	warnBuffers sync.Once

	mu      sync.Mutex
	sockets []*Socket
	stopped bool
}

// NewServer returns a server without sockets.
func NewServer(c Config) *Server { return &Server{config: c} }

// Socket is a UDP socket through which HTTP/3 comes in.
type Socket struct {
	transport *quic.Transport
	listener  *quic.EarlyListener
	new       func() *http3.Server

	mu     sync.Mutex
	server *http3.Server // of new connections
	before []*earlier
}

// Windows: those of a stream grow from streamStart to streamWindow while its upload is read
// fast enough. A connection's holds those of several, so that an upload that nobody reads
// holds up no other, and grows within the budget.
const (
	streamStart  = 128 << 10
	ConnStart    = 2 * streamStart
	streamWindow = 6 << 20
	connWindow   = 8 * streamWindow
)

// tokenAge is how long a client may use the token that it gets on a connection, to show
// with the next one that its address is its own.
const tokenAge = time.Hour

// controlStreams is how many streams a client may have that carry no request.
const controlStreams = 8

// Listen readies a UDP socket, which the server closes from now on. [Server.AltSvc] tells of it
// when Listen has returned. After Shutdown, Serve of the socket returns at once.
func (s *Server) Listen(packets net.PacketConn, config *tls.Config) (*Socket, error) {
	u, err := s.open(packets, config)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve HTTP/3: %w", err), packets.Close())
	}
	if !s.add(u) {
		return u, u.close()
	}
	return u, nil
}

func (s *Server) open(packets net.PacketConn, config *tls.Config) (*Socket, error) {
	s.enlargeBuffers(packets)
	c := &s.config
	meters := c.Meters.Listener(packets.LocalAddr().String())
	u := &Socket{
		transport: &quic.Transport{
			Conn: packets, ConnContext: s.admit, VerifySourceAddress: s.asksForToken, MaxTokenAge: tokenAge,
			ConnectionIDGenerator: newIDGenerator(packets),
		},
		new: func() *http3.Server {
			return &http3.Server{
				Handler: c.Handler, MaxHeaderBytes: c.MaxHeaderBytes,
				ConnContext: func(ctx context.Context, q *quic.Conn) context.Context {
					return s.remember(ctx, q, meters)
				},
				Logger: slog.New(slog.DiscardHandler),
			}
		},
	}
	u.server = u.new()
	listener, err := u.transport.ListenEarly(http3.ConfigureTLSConfig(config), &quic.Config{
		HandshakeIdleTimeout: c.HeaderTime / 2, // it counts twice
		MaxIdleTimeout:       c.IdleTime,
		MaxIncomingStreams:   int64(c.Streams), MaxIncomingUniStreams: controlStreams,
		InitialStreamReceiveWindow: streamStart, MaxStreamReceiveWindow: streamWindow,
		InitialConnectionReceiveWindow: ConnStart, MaxConnectionReceiveWindow: connWindow,
		AllowConnectionWindowIncrease: growWindow,
	})
	if err != nil {
		return nil, err
	}
	u.listener = listener
	return u, nil
}

// Serve serves HTTP/3 on the socket until Shutdown; it then returns nil.
func (u *Socket) Serve() error {
	for {
		server := u.current()
		if err := server.ServeListener(u.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve HTTP/3: %w", err)
		}
		if server == u.current() {
			return nil
		}
	}
}

// add notes a socket, unless the server has stopped.
func (s *Server) add(u *Socket) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopped {
		s.sockets = append(s.sockets, u)
	}
	return !s.stopped
}

// stop returns the sockets there are; there will be no more.
func (s *Server) stop() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	return s.sockets
}

// take takes the sockets there are; there will be no more.
func (s *Server) take() []*Socket {
	s.mu.Lock()
	defer s.mu.Unlock()
	sockets := s.sockets
	s.sockets, s.stopped = nil, true
	return sockets
}

// Handshakes returns how many connections are being made.
func (s *Server) Handshakes() int { return s.handshakes.running() }

// Serves reports whether there are sockets.
func (s *Server) Serves() bool { return s.serves(func(int) bool { return true }) }

// Leave tells the connections there are, and those that still come, to make others (GOAWAY). They end
// when their clients have closed them, or when ctx does.
func (s *Server) Leave(ctx context.Context) {
	for _, u := range s.stop() {
		go func() { _ = u.current().Shutdown(ctx) }()
	}
}

// Shutdown accepts no more connections, tells those there are (GOAWAY), and waits until
// their clients have closed them or ctx ends.
func (s *Server) Shutdown(ctx context.Context) {
	var ending sync.WaitGroup
	for _, u := range s.stop() {
		ending.Go(func() {
			_ = u.listener.Close()
			_ = u.current().Shutdown(ctx)
			u.awaitEarlier(ctx)
		})
	}
	ending.Wait()
}

// Close ends the connections that are left, and closes the sockets.
func (s *Server) Close() (err error) {
	for _, u := range s.take() {
		err = errors.Join(err, u.close())
	}
	return err
}

func (u *Socket) close() error {
	return errors.Join(u.closeServers(), u.transport.Close(), u.transport.Conn.Close())
}

// remember is for http3.Server's ConnContext.
func (s *Server) remember(ctx context.Context, q *quic.Conn, meters *meter.Listener) context.Context {
	client := s.config.Trust.NewClient(q.RemoteAddr().String())
	c := conn.New(client)
	c.Requests.Init(func(reason string) {
		_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), reason)
	})
	meters.Open(meter.HTTP3)
	context.AfterFunc(q.Context(), func() { meters.Close(meter.HTTP3) })
	go s.count(q, client)
	c.Requests.Most = 2 * s.config.Streams // those that were reset take a moment to end
	c.Requests.CloseIdle(q.Context(), s.config.HeaderTime, s.config.IdleTime)
	return conn.With(ctx, c)
}
