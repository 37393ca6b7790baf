package front_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/tlscert"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// told are fields in which proxies tell applications who their client is.
var told = []string{
	"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Protocol",
	"X-Forwarded-Server", "X-Forwarded-User", "X-Forwarded-Client-Cert", "X-Forwarded-Uri", "X-Forwarded-Anything",
	"X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Client-Ip", "X-Client-Cert", "X-Client-Cert-Chain",
	"X-Ssl-Client-Cert", "X-Ssl-Client-Verify", "Ssl-Client-S-Dn", "Remote-User", "X-Remote-User",
	"X-Auth-Request-Email", "X-Original-Url", "X-Rewrite-Url", "X-Script-Name", "Front-End-Https", "X-Accel-Mapping",
}

// neverTold are those that no proxy's client gets through either.
var neverTold = []string{"Proxy", "Upload-Response-Client", "Upload-Response-Anything", "Client-Cert"}

func TestOnlyATrustedProxyTellsWorkersWhoTheClientIsThroughEachDoor(t *testing.T) {
	for _, trusted := range []bool{false, true} {
		e2etest.ThroughEachDoor(t, func(c *server.Config) {
			if trusted {
				trustLoopback(c)
			}
			c.FieldLimit = 200
		}, func(v *e2etest.Visitor) {
			request := v.Request("GET", "/seen", nil)
			for _, name := range append(told, neverTold...) {
				request.Header.Set(name, "spoof")
				request.Header[http.CanonicalHeaderKey(strings.ReplaceAll(name, "-", "_"))] = []string{"spoof"}
				mixed := strings.Replace(name, "-", "_", 1)
				request.Header[http.CanonicalHeaderKey(mixed)] = []string{"spoof"}
			}
			request.Header.Del("Proxy")
			request.Header.Set("Proxy", "spoof")
			request.Header.Set("X-Own_Name", "kept")
			got := e2etest.Decode[e2etest.Sighting](v, e2etest.WantStatus(v, v.Do(request), http.StatusOK))
			for name, values := range got.Header {
				if values[0] == "spoof" && !trusted {
					v.Errorf("the worker saw %s", name)
				}
				if strings.Contains(name, "_") && name != "X-Own_name" {
					v.Errorf("the worker saw %s", name)
				}
			}
			for _, name := range told {
				if trusted && got.Header.Get(name) != "spoof" {
					v.Errorf("the worker did not see %s of a trusted proxy", name)
				}
			}
			for _, name := range neverTold {
				if got.Header[name] != nil {
					v.Errorf("the worker saw %s", name)
				}
			}
			if got.Header["X-Own_name"] == nil {
				v.Error("a name with an underscore that stands for nothing did not come through")
			}
		})
	}
}

func TestWorkersAreToldTheAddressOfTheClientThroughEachDoor(t *testing.T) {
	e2etest.ThroughEachDoor(t, nil, func(v *e2etest.Visitor) {
		for _, path := range []string{"/seen", "/seen?%20"} { // the second not by the short way
			request := v.Request("GET", path, nil)
			request.Header.Set("X-Forwarded-For", "6.6.6.6")
			var own string
			request = request.WithContext(httptrace.WithClientTrace(request.Context(), &httptrace.ClientTrace{
				GotConn: func(got httptrace.GotConnInfo) { own = got.Conn.LocalAddr().String() },
			}))
			got := e2etest.Decode[e2etest.Sighting](v, e2etest.WantStatus(v, v.Do(request), http.StatusOK))
			if at, err := netip.ParseAddrPort(got.RemoteAddr); err != nil || at.Addr().String() != "127.0.0.1" ||
				v.Major < 3 && got.RemoteAddr != own {
				v.Errorf("the client at %s is at %s for the worker", own, got.RemoteAddr)
			}
		}
	})
}

func TestWorkersAreToldTheAddressThatATrustedProxySaysThroughEachDoor(t *testing.T) {
	e2etest.ThroughEachDoor(t, trustLoopback, func(v *e2etest.Visitor) {
		for said, want := range map[string]string{
			"203.0.113.7": "203.0.113.7:0", "6.6.6.6, 203.0.113.7:40001, 10.1.1.1": "203.0.113.7:40001",
			"6.6.6.6, [2001:db8::1]:443": "[2001:db8::1]:443",
		} {
			request := v.Request("GET", "/seen", nil)
			request.Header.Set("X-Forwarded-For", said)
			request.Header.Set("X-Forwarded-Proto", "wss")
			got := e2etest.Decode[e2etest.Sighting](v, e2etest.WantStatus(v, v.Do(request), http.StatusOK))
			if got.RemoteAddr != want || got.Header.Get("X-Forwarded-For") != said+", 127.0.0.1" ||
				got.Header.Get("X-Forwarded-Proto") != "https" {
				v.Errorf("%s: the worker saw %s, %v", said, got.RemoteAddr, got.Header)
			}
		}
	})
}

func TestAltSvcIsWhatSomebodySaysItIsThroughEachDoor(t *testing.T) {
	for said, want := range map[string]string{
		"": `h3=":PORT"; ma=86400`, server.AltSvcOff: "", "443": `h3=":443"; ma=86400`,
		`h3="a.example:1"; ma=5`: `h3="a.example:1"; ma=5`, "clear": "clear",
	} {
		limits := server.DefaultLimits()
		limits.AltSvc = said
		s := harness.StartLimited(t, limits, nil)
		worker := e2etest.StartApp(t, s)
		secure := s.Secure(t)
		for _, d := range e2etest.Doors {
			t.Run(d.Label, func(t *testing.T) {
				v := e2etest.NewVisitor(t, d, s, worker, secure)
				_, port, _ := net.SplitHostPort(secure.Addr)
				want := strings.ReplaceAll(want, "PORT", port)
				if !d.Secure || d.Major == 3 {
					want = ""
				}
				for _, path := range []string{"/seen", "/seen?%20"} { // the second not by the short way
					response := v.Get(path)
					e2etest.WantStatus(v, response, http.StatusOK)
					if got := response.Header.Get("Alt-Svc"); got != want {
						v.Errorf("with %q: Alt-Svc %q, want %q", said, got, want)
					}
				}
				response := v.Get("/reply?field=Alt-Svc:h3=%22:7%22")
				e2etest.WantStatus(v, response, http.StatusOK)
				if got := response.Header.Get("Alt-Svc"); got != `h3=":7"` {
					v.Errorf("with %q the worker's Alt-Svc is %q", said, got)
				}
			})
		}
	}
}

// lateSocket is a UDP socket that cannot be served before ready ends.
type lateSocket struct {
	*net.UDPConn
	ready context.Context
}

func (l lateSocket) SyscallConn() (syscall.RawConn, error) {
	<-l.ready.Done()
	return l.UDPConn.SyscallConn()
}

func TestTheFirstResponseOfASecureAddressTellsOfHTTP3HoweverLateThatIs(t *testing.T) {
	s := harness.Start(t, nil)
	worker := e2etest.StartApp(t, s)
	ready, answered := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer answered()
	secure := s.SecureOver(t, func(l *listen.Listener) { l.UDP = lateSocket{l.UDP.(*net.UDPConn), ready} })
	response := e2etest.NewVisitor(t, e2etest.Doors[1], s, worker, secure).Get("/seen")
	answered() // if it has come before HTTP/3 is there
	if response.Header.Get("Alt-Svc") == "" {
		t.Error("it has no Alt-Svc")
	}
}

func TestTheAltSvcOfAPortNeedsHTTP3(t *testing.T) {
	limits := server.DefaultLimits()
	limits.AltSvc = "443"
	s := harness.StartLimited(t, limits, nil)
	worker := e2etest.StartApp(t, s)
	certificate, err := tlscert.SelfSigned()
	harness.Check(t, err)
	own := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	config, err := tlscert.NewConfig(own, "")
	harness.Check(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	go func() { _ = s.HTTP.ServeTLS(listener, config) }() // until the server ends
	secure := &harness.Secure{URL: "https://" + listener.Addr().String(), Roots: x509.NewCertPool()}
	secure.Roots.AddCert(certificate.Leaf)
	v := e2etest.NewVisitor(t, e2etest.Doors[1], s, worker, secure)
	if got := v.Get("/seen").Header.Get("Alt-Svc"); got != "" {
		t.Errorf("Alt-Svc %q", got)
	}
}

func TestAPathThatOthersFindUnderAnotherRouteIs400ThroughEachDoor(t *testing.T) {
	e2etest.ThroughEachDoor(t,
		func(c *server.Config) { c.Routes = append(c.Routes, server.Route{Prefix: "/files", Pool: "files"}) },
		func(v *e2etest.Visitor) {
			for _, path := range []string{
				"/files/../seen", "/files/%2e%2e/seen", "/seen/../files", "//files/a", "/./files", "/files%2Fa",
			} {
				e2etest.WantStatus(v, v.Get(path), http.StatusBadRequest)
			}
			for _, path := range []string{"/a%2Fb", "/files;x", "/Files"} { // the other route's for everybody
				if got := e2etest.WantStatus(v, v.Get(path), http.StatusOK); got != "GET "+path {
					v.Errorf("%s reached the worker as %q", path, got)
				}
			}
		})
}
