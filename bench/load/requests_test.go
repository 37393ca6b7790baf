package load

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// serveHello serves what the measurements of small requests and first bytes ask for, over
// HTTP/1.1 and HTTP/2 in the clear and over TLS.
func serveHello(t *testing.T, secure bool) (address string) {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, Hello)
		if r.Method == http.MethodGet {
			return
		}
		_ = http.NewResponseController(w).Flush()
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetHTTP2(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.EnableHTTP2 = secure
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// A busy machine may run nothing of a short measurement before its period is over.
func TestPeriodThatIsOverAtOnceHasARequestOfEachConnection(t *testing.T) {
	clear, secure := serveHello(t, false), serveHello(t, true)
	for protocol, address := range map[string]string{H1: clear, H2C: clear, TLS: secure, H2: secure} {
		target := &Target{Protocol: protocol, Address: address}
		l, err := Requests(target, 3, 0)
		if err != nil || l.Count() < 3 {
			t.Errorf("%s: small requests: %+v, %v, want 3", protocol, l, err)
		}
		if l, err = FirstBytes(target, 0); err != nil || l.Count() < 1 {
			t.Errorf("%s: first bytes: %+v, %v, want 1", protocol, l, err)
		}
	}
	result, err := RoundTrips(-time.Second, func(uint64) error { return nil })
	if err != nil || result.Count != 1 {
		t.Errorf("round trips: %+v, %v, want 1", result, err)
	}
}
