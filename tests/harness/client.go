package harness

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// NewClient returns a client with connections of its own that speaks just this major
// version of HTTP: over TLS with a configuration, else in the clear. Its connections
// are closed when the test ends.
func NewClient(t testing.TB, major int, secure *tls.Config) *http.Client {
	if major == 3 {
		transport := &http3.Transport{TLSClientConfig: secure, DisableCompression: true, QUICConfig: &quic.Config{}}
		t.Cleanup(func() { _ = transport.Close() })
		return &http.Client{Transport: transport, Timeout: 3 * Patience}
	}
	transport := &http.Transport{
		TLSClientConfig: secure, DisableCompression: true, Protocols: new(http.Protocols),
		ExpectContinueTimeout: Patience, MaxIdleConnsPerHost: 256,
	}
	transport.Protocols.SetHTTP1(major == 1)
	transport.Protocols.SetHTTP2(major == 2 && secure != nil)
	transport.Protocols.SetUnencryptedHTTP2(major == 2 && secure == nil)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 3 * Patience}
}
