package harness

import (
	"crypto/tls"
	"crypto/x509"
	"testing"

	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/tlscert"
)

// Secure is an entry for HTTPS: HTTP/1.1 and 2 over TCP, and HTTP/3 over UDP on
// the same port.
type Secure struct {
	Addr  string
	URL   string // https://127.0.0.1:PORT
	Roots *x509.CertPool

	Certificate *x509.Certificate
}

// Secure opens one, with a certificate of its own. It closes with the server.
func (s *Server) Secure(t testing.TB) *Secure {
	t.Helper()
	return s.SecureOver(t, func(*listen.Listener) {})
}

// SecureOver is Secure whose sockets are changed before they are served.
func (s *Server) SecureOver(t testing.TB, change func(*listen.Listener)) *Secure {
	t.Helper()
	certificate, err := tlscert.SelfSigned()
	Check(t, err)
	own := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	config, err := tlscert.NewConfig(own, "")
	Check(t, err)
	l := listenBoth(t)
	e := &Secure{
		Addr: l.Addr().String(), URL: "https://" + l.Addr().String(), Roots: x509.NewCertPool(),
		Certificate: certificate.Leaf,
	}
	e.Roots.AddCert(certificate.Leaf)
	change(l)
	s.entry(t, func() error { return s.HTTP.ServeListener(l, config) })
	return e
}

// Enter opens an entrance at an address. The configuration is for a secure one. It
// closes with the server.
func (s *Server) Enter(t testing.TB, address string, config *tls.Config) *listen.Listener {
	t.Helper()
	a, err := listen.ParseAddress(address)
	Check(t, err)
	e, err := a.Listen(0o600, true)
	Check(t, err)
	s.entry(t, func() error { return s.HTTP.ServeListener(e, config) })
	return e
}

// entry serves until the server ends.
func (s *Server) entry(t testing.TB, serve func() error) {
	s.entries.Go(func() {
		if err := serve(); err != nil {
			t.Error(err)
		}
	})
}

// listenBoth listens on a TCP and a UDP port of the same number.
func listenBoth(t testing.TB) (l *listen.Listener) {
	t.Helper()
	a, err := listen.ParseAddress("https://127.0.0.1:0")
	Check(t, err)
	Eventually(t, "a port that is free for TCP and UDP", func() bool {
		l, err = a.Listen(0, true)
		return err == nil
	})
	return l
}
