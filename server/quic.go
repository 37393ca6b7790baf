package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// quicEntry is a UDP socket through which HTTP/3 comes in.
type quicEntry struct {
	transport *quic.Transport
	listener  *quic.EarlyListener
	server    *http3.Server
}

// Windows of HTTP/3: those of a stream grow from streamStart to streamWindow while its
// upload is read fast enough. A connection's holds those of several, so that an upload
// that nobody reads holds up no other, and grows within the [windowBudget].
const (
	quicStreamStart  = 128 << 10
	quicConnStart    = 2 * quicStreamStart
	quicStreamWindow = 6 << 20
	quicConnWindow   = 8 * quicStreamWindow
)

// udpBuffer is the size of the kernel's buffers that HTTP/3 wants: at 10 Gbit/s,
// 5 ms of packets.
const udpBuffer = 7 << 20

// tokenAge is how long a client may use the token that it gets on a connection, to show
// with the next one that its address is its own.
const tokenAge = time.Hour

// newQUICEntry readies a UDP socket.
func (s *Server) newQUICEntry(conn net.PacketConn, config *tls.Config) (*quicEntry, error) {
	s.enlarge(conn)
	q := &quicEntry{
		transport: &quic.Transport{Conn: conn, ConnContext: s.beginQUIC, VerifySourceAddress: s.verifyQUIC, MaxTokenAge: tokenAge},
		server: &http3.Server{
			Handler: guarded(s.router), MaxHeaderBytes: headerRoom * s.router.config.HeaderLimit,
			ConnContext: s.rememberQUIC, Logger: slog.New(slog.DiscardHandler),
		},
	}
	listener, err := q.transport.ListenEarly(http3.ConfigureTLSConfig(config), &quic.Config{
		HandshakeIdleTimeout: s.limits.HeaderTime / 2, // it counts twice
		MaxIdleTimeout:       s.limits.IdleTime,
		MaxIncomingStreams:   int64(s.limits.StreamsPerConn), MaxIncomingUniStreams: 8,
		InitialStreamReceiveWindow: quicStreamStart, MaxStreamReceiveWindow: quicStreamWindow,
		InitialConnectionReceiveWindow: quicConnStart, MaxConnectionReceiveWindow: quicConnWindow,
		AllowConnectionWindowIncrease: growQUIC,
	})
	if err != nil {
		return nil, err
	}
	q.listener = listener
	return q, nil
}

// ServeQUIC serves HTTP/3 on a UDP socket until Shutdown; it then returns nil.
// Responses of HTTPS on the TCP port of the same number tell clients of it.
func (s *Server) ServeQUIC(conn net.PacketConn, config *tls.Config) error {
	q, err := s.newQUICEntry(conn, config)
	if err != nil {
		return errors.Join(fmt.Errorf("serve HTTP/3: %w", err), conn.Close())
	}
	if !s.addQUIC(q) {
		return q.close()
	}
	if err := q.server.ServeListener(q.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve HTTP/3: %w", err)
	}
	return nil
}

// shutdown accepts no more connections, tells those there are (GOAWAY), and waits
// until their clients have closed them.
func (q *quicEntry) shutdown(ctx context.Context) {
	_ = q.listener.Close()
	_ = q.server.Shutdown(ctx)
}

// close ends the connections that are left, and closes the socket.
func (q *quicEntry) close() error {
	return errors.Join(q.server.Close(), q.transport.Close(), q.transport.Conn.Close())
}

// rememberQUIC is for http3.Server's ConnContext.
func (s *Server) rememberQUIC(ctx context.Context, q *quic.Conn) context.Context {
	client := s.router.trust.NewClient(q.RemoteAddr().String())
	c := conn.New(client)
	c.Requests.Init(newResetLimit(), func(reason string) {
		_ = q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad), reason)
	})
	go s.countQUIC(q, client)
	c.Requests.Most = 2 * s.limits.StreamsPerConn // those that were reset take a moment to end
	c.Requests.CloseIdle(q.Context(), s.limits.HeaderTime, s.limits.IdleTime)
	return conn.With(ctx, c)
}

// enlarge asks for buffers that hold what comes in while nobody reads, and says
// once when the machine does not allow it.
func (s *Server) enlarge(conn net.PacketConn) {
	udp, ok := conn.(*net.UDPConn)
	if !ok {
		return
	}
	_, _ = udp.SetReadBuffer(udpBuffer), udp.SetWriteBuffer(udpBuffer) // what came of it is looked at
	raw, err := udp.SyscallConn()
	if err != nil {
		return
	}
	got := 0
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, udpBuffer) // for those who may
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, udpBuffer)
		got, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF)
	})
	if got < udpBuffer {
		s.saidBuffers.Do(func() {
			_ = os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true") // it would say the same in its own way
			s.log.Warn("small UDP buffers: HTTP/3 will be slower than it could be", "got", got, "wanted", udpBuffer,
				"remedy", "sysctl -w net.core.rmem_max="+strconv.Itoa(udpBuffer)+" net.core.wmem_max="+strconv.Itoa(udpBuffer))
		})
	}
}

// altSvcTime is how long a client may remember that there is HTTP/3.
const altSvcTime = 24 * time.Hour

// altSvcOf returns what responses on connections over TLS say of HTTP/3 (RFC 7838), or
// nothing; see AltSvc of [Limits].
func (s *Server) altSvcOf(local net.Addr) string {
	if s.limits.AltSvc == AltSvcOff {
		return ""
	}
	if s.limits.AltSvc == "" {
		tcp, ok := local.(*net.TCPAddr)
		if !ok || !s.hasQUIC(func(port int) bool { return port == tcp.Port }) {
			return ""
		}
		return altSvc(uint64(tcp.Port))
	}
	port, err := strconv.ParseUint(s.limits.AltSvc, 10, 16)
	switch {
	case err != nil:
		return s.limits.AltSvc
	case s.hasQUIC(func(int) bool { return true }):
		return altSvc(port)
	}
	return ""
}

func altSvc(port uint64) string {
	return fmt.Sprintf(`h3=":%d"; ma=%d`, port, int(altSvcTime.Seconds()))
}

// hasQUIC reports whether HTTP/3 is served on one of the ports.
func (s *Server) hasQUIC(port func(int) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range s.quic {
		if udp, ok := q.listener.Addr().(*net.UDPAddr); ok && port(udp.Port) {
			return true
		}
	}
	return false
}
