package http1

import (
	"crypto/tls"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// SecureConn is HTTP/1.1 over TLS.
type SecureConn struct {
	GuardedConn
	tls *tls.Conn
}

// NewSecureConn returns a connection whose handshake is over.
func NewSecureConn(inner *tls.Conn, info *conn.Conn, config *Config) *SecureConn {
	info.Guarded = true
	return &SecureConn{
		GuardedConn: GuardedConn{Conn: inner, info: info, reader: info.Reader, secure: true, config: config},
		tls:         inner,
	}
}

// ConnectionState makes net/http see that the connection is secure.
func (c *SecureConn) ConnectionState() tls.ConnectionState { return c.tls.ConnectionState() }
