package accept

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http1"
)

// socket is the connection of a client below TLS and HTTP. It counts against the address of
// the client until it closes.
type socket struct {
	net.Conn
	info    *conn.Conn
	once    sync.Once
	release func()
	count   connCount
	stretch *conn.ClientTimes // of HTTP/2 over TLS; nil: it is none
}

// SetWriteDeadline bounds writes.
func (s *socket) SetWriteDeadline(deadline time.Time) error {
	if s.stretch != nil {
		deadline = s.stretch.Stretch(deadline)
	}
	return s.Conn.SetWriteDeadline(deadline)
}

// Write writes p. After a write over TLS that meets its deadline, also if a part was taken,
// there is no other: the goodbye of TLS would wait for seconds, and the requests of the
// connection with it.
func (s *socket) Write(p []byte) (int, error) {
	if s.info.Stalled.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	n, err := s.Conn.Write(p)
	if err != nil && s.stretch != nil {
		s.info.NoteWrite(0, err)
	}
	return n, err
}

// Read tells before it waits, if somebody wants to know.
func (s *socket) Read(p []byte) (int, error) {
	if reader := s.info.Reader; reader != nil {
		if idle := reader.Idle(); idle != nil {
			return reader.Read(p, *idle)
		}
	}
	return s.Conn.Read(p)
}

// Close closes the connection.
func (s *socket) Close() error {
	s.once.Do(func() { s.release(); s.count.end() })
	return s.Conn.Close()
}

// CloseWrite ends what the client reads.
func (s *socket) CloseWrite() error { return conn.CloseWrite(s.Conn) }

// ConnContext notes a connection of a [Listener] in the context of its requests, as
// http.Server asks.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	closing := func(string) { _ = c.Close() }
	if guarded := http1.Guarded(c); guarded != nil {
		guarded.Info().Requests.Init(closing)
		return guarded.With(ctx)
	}
	info := c.(*tls.Conn).NetConn().(*socket).info
	info.Requests.Init(closing)
	return conn.With(ctx, info)
}
