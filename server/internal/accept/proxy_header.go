package accept

import (
	"net"

	"github.com/pires/go-proxyproto"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// readProxyHeader reads the PROXY header of a trusted proxy, if there is one.
func (l *Listener) readProxyHeader(inner net.Conn) (net.Conn, error) {
	if !l.config.ProxyProtocol || !l.config.Trust.NewClient(inner.RemoteAddr().String()).Trusted {
		return inner, nil
	}
	p := proxyproto.NewConn(inner,
		proxyproto.WithPolicy(proxyproto.USE), proxyproto.SetReadHeaderTimeout(l.config.HandshakeTime))
	if _, err := p.Read(nil); err != nil {
		return nil, err
	}
	if header := p.ProxyHeader(); header != nil && namesNobody(header) {
		return &namelessConn{p}, nil
	}
	return p, nil
}

// namesNobody reports whether a PROXY header is that of a client without an address:
// "UNKNOWN" in version 1, a Unix socket of the proxy in version 2. With LOCAL, in version 2,
// the proxy speaks for itself.
func namesNobody(header *proxyproto.Header) bool {
	if header.Command.IsLocal() {
		return header.Version == 1
	}
	_, unix := header.SourceAddr.(*net.UnixAddr)
	return unix || header.SourceAddr == nil
}

// namelessConn is a connection of a client whose address the proxy does not know. With the
// address of the proxy in its place, what the client says would count as what the proxy says.
type namelessConn struct{ net.Conn }

// RemoteAddr returns an address that nobody trusts.
func (c *namelessConn) RemoteAddr() net.Addr { return namelessAddr{} }

type namelessAddr struct{}

func (namelessAddr) Network() string { return conn.Nameless }
func (namelessAddr) String() string  { return conn.Nameless }
