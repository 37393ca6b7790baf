package front_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/tlscert"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// over returns a client whose connections dial makes.
func over(t *testing.T, secure *tls.Config, dial func() (net.Conn, error)) *http.Client {
	transport := &http.Transport{
		DialContext:     func(context.Context, string, string) (net.Conn, error) { return dial() },
		TLSClientConfig: secure, DisableKeepAlives: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: harness.Patience}
}

// sightingOf is what the worker sees of a GET by a client.
func sightingOf(t *testing.T, client *http.Client, url string, fields ...string) e2etest.Sighting {
	t.Helper()
	request, err := http.NewRequest("GET", url+"/seen", nil)
	harness.Check(t, err)
	for i := 0; i < len(fields); i += 2 {
		request.Header.Add(fields[i], fields[i+1])
	}
	response, err := client.Do(request)
	harness.Check(t, err)
	return e2etest.Decode[e2etest.Sighting](t, e2etest.WantStatus(t, response, http.StatusOK))
}

func TestClientsComeInThroughAUnixSocket(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	path := filepath.Join(e2etest.ShortFolder(t), "http.sock")
	stale, err := net.Listen("unix", path)
	harness.Check(t, err)
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	harness.Check(t, stale.Close())
	s.Enter(t, "unix:"+path, nil)
	client := over(t, nil, func() (net.Conn, error) { return net.Dial("unix", path) })
	got := sightingOf(t, client, "http://host", "X-Forwarded-For", "6.6.6.6")
	if got.Host != "host" || got.RemoteAddr != "@" || got.Header["X-Forwarded-For"] != nil ||
		got.Header.Get("Forwarded") != `for=unknown;host="host";proto=http` {
		t.Errorf("the worker saw %+v", got)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v, %v", info, err)
	}
	a, err := listen.ParseAddress("unix:" + path)
	harness.Check(t, err)
	if _, err := a.Listen(0o600, false); !errors.Is(err, listen.ErrSocketBusy) ||
		!strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second listener: %v", err)
	}
}

func TestClientsComeInThroughASocketThatWasPassedOn(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	file, err := listener.(*net.TCPListener).File()
	harness.Check(t, err)
	harness.Check(t, listener.Close())
	number, err := unix.Dup(int(file.Fd()))
	harness.Check(t, err)
	harness.Check(t, file.Close())
	s.Enter(t, fmt.Sprint("fd:", number), nil)
	response, err := s.Client.Get("http://" + listener.Addr().String() + "/passed-on")
	harness.Check(t, err)
	e2etest.WantStatus(t, response, http.StatusOK)
}

func trustLoopback(c *server.Config) {
	c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
}

func TestATrustedProxyIsBelieved(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { trustLoopback(c); c.TrustUnix = true })
	path := filepath.Join(e2etest.ShortFolder(t), "http.sock")
	s.Enter(t, "unix:"+path, nil)
	fields := []string{
		"X-Forwarded-For", "6.6.6.6, 1.2.3.4", "X-Forwarded-For", "10.1.1.1", "X-Forwarded-Proto", "https",
		"X-Forwarded-Host", "public.example", "Forwarded", "for=1.2.3.4", "Via", "1.1 edge", "X-Request-Id", "abc-1",
	}
	got := sightingOf(t, s.Client, s.URL, fields...)
	for name, want := range map[string]string{
		"X-Forwarded-For": "6.6.6.6, 1.2.3.4, 10.1.1.1, 127.0.0.1", "X-Forwarded-Proto": "https",
		"X-Forwarded-Host": "public.example",
		"Forwarded":        `for=1.2.3.4, for=127.0.0.1;host="` + s.Addr + `";proto=http`,
		"Via":              "1.1 edge, 1.1 upload-response", "X-Request-Id": "abc-1",
	} {
		if value := strings.Join(got.Header[name], "|"); value != want {
			t.Errorf("the worker saw %s: %q, want %q", name, value, want)
		}
	}
	client := over(t, nil, func() (net.Conn, error) { return net.Dial("unix", path) })
	got = sightingOf(t, client, "http://host", fields...)
	if via := got.Header.Get("X-Forwarded-For"); via != "6.6.6.6, 1.2.3.4, 10.1.1.1" {
		t.Errorf("over a Unix socket the worker saw %q", via)
	}
}

func TestATrustedProxyThatSaysForwardedIsBelieved(t *testing.T) {
	s, _ := e2etest.StartBoth(t, trustLoopback)
	got := sightingOf(t, s.Client, s.URL, "Forwarded", `for="[2001:db8::1]:99"`,
		"Forwarded", `for=10.1.1.1;proto=https;host=public.example`)
	for name, want := range map[string]string{
		"X-Forwarded-For": "2001:db8::1, 10.1.1.1, 127.0.0.1", "X-Forwarded-Proto": "https",
		"X-Forwarded-Host": "public.example",
		"Forwarded": `for="[2001:db8::1]:99", for=10.1.1.1;proto=https;host=public.example, for=127.0.0.1;host="` +
			s.Addr + `";proto=http`,
	} {
		if value := strings.Join(got.Header[name], "|"); value != want {
			t.Errorf("the worker saw %s: %q, want %q", name, value, want)
		}
	}
}

func TestAnIdThatDoesNotFitALogIsReplaced(t *testing.T) {
	s, _ := e2etest.StartBoth(t, trustLoopback)
	for _, id := range []string{"two words", strings.Repeat("x", 129), "\xff"} {
		if got := sightingOf(t, s.Client, s.URL, "X-Request-Id", id).Header.Get("X-Request-Id"); len(got) != 32 {
			t.Errorf("%q became %q", id, got)
		}
	}
}

func TestOnlyATrustedProxySaysWhoseAConnectionIs(t *testing.T) {
	headers := map[string]string{
		"v1": "PROXY TCP4 1.2.3.4 5.6.7.8 1111 80\r\n",
		"v2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\x01\x02\x03\x04\x05\x06\x07\x08\x04\x57\x00\x50",
	}
	limits := server.DefaultLimits()
	limits.ProxyProtocol = true
	trusting := harness.StartLimited(t, limits, trustLoopback)
	e2etest.StartApp(t, trusting)
	secure := trusting.Secure(t)
	wary := harness.StartLimited(t, limits, nil)
	worker := e2etest.StartApp(t, wary)
	for name, header := range headers {
		begin := func(addr string) func() (net.Conn, error) {
			return func() (net.Conn, error) {
				conn, err := net.Dial("tcp", addr)
				if err == nil {
					_, err = io.WriteString(conn, header)
				}
				return conn, err
			}
		}
		client := over(t, nil, begin(trusting.Addr))
		sighting := sightingOf(t, client, trusting.URL, "X-Forwarded-For", "6.6.6.6")
		if got := sighting.Header.Get("X-Forwarded-For"); got != "1.2.3.4" {
			t.Errorf("%s: the worker saw %q", name, got)
		}
		client = over(t, &tls.Config{RootCAs: secure.Roots}, begin(secure.Addr))
		sighting = sightingOf(t, client, secure.URL)
		if got := sighting.Header.Get("X-Forwarded-For"); got != "1.2.3.4" {
			t.Errorf("%s over TLS: the worker saw %q", name, got)
		}
		c := rawclient.Dial(t, wary.Addr)
		c.Send(header + "GET /bad HTTP/1.1\r\nHost: test\r\n\r\n")
		if answer, _ := io.ReadAll(c.In); len(answer) > 0 && !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") {
			t.Errorf("%s from a stranger was answered %q", name, answer)
		}
	}
	if got := worker.Requests(t, wary, "/bad"); len(got) != 0 {
		t.Errorf("the worker saw %q", got)
	}
	if got := sightingOf(t, trusting.Client, trusting.URL).Header.Get("X-Forwarded-For"); got != "127.0.0.1" {
		t.Errorf("without a header the worker saw %q", got)
	}
}

func TestAnUnixSocketSaysWhoseAConnectionIsOnlyIfItIsTrusted(t *testing.T) {
	limits := server.DefaultLimits()
	limits.ProxyProtocol = true
	for _, trusted := range []bool{false, true} {
		s := harness.StartLimited(t, limits, func(c *server.Config) { trustLoopback(c); c.TrustUnix = trusted })
		e2etest.StartApp(t, s)
		path := filepath.Join(e2etest.ShortFolder(t), "http.sock")
		s.Enter(t, "unix:"+path, nil)
		for _, address := range []string{"203.0.113.7", "10.9.9.9"} {
			conn, err := net.Dial("unix", path)
			harness.Check(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			harness.Check(t, conn.SetDeadline(time.Now().Add(harness.Patience)))
			_, err = io.WriteString(conn, "PROXY TCP4 "+address+" 5.6.7.8 1111 80\r\nGET /seen HTTP/1.1\r\n"+
				"Host: test\r\nConnection: close\r\n\r\n")
			harness.Check(t, err)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			harness.Check(t, err)
			if !trusted {
				e2etest.WantStatus(t, response, http.StatusBadRequest)
			} else if got := e2etest.Decode[e2etest.Sighting](t,
				e2etest.WantStatus(t, response, http.StatusOK)); got.RemoteAddr != address+":1111" {
				t.Errorf("the worker saw %s", got.RemoteAddr)
			}
		}
	}
}

// A balancer names the proxy before it, which names the client: each vouches for the one
// before it, if it is trusted itself.
func TestAProxyThatAProxyHeaderNamesIsBelievedIfItIsTrusted(t *testing.T) {
	limits := server.DefaultLimits()
	limits.ProxyProtocol = true
	s := harness.StartLimited(t, limits, func(c *server.Config) { trustLoopback(c); c.TrustUnix = true })
	e2etest.StartApp(t, s)
	unspecified := "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00" // LOCAL
	unix := "\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8" + strings.Repeat("\x00", 216)
	for header, want := range map[string]string{
		"PROXY TCP4 10.9.9.9 5.6.7.8 1111 80\r\n":            "203.0.113.5:7",
		"PROXY TCP4 198.51.100.1 5.6.7.8 1111 80\r\n":        "198.51.100.1:1111",
		"PROXY TCP6 2001:db8::1 2001:db8::2 1111 80\r\n":     "[2001:db8::1]:1111",
		"PROXY TCP6 ::ffff:10.9.9.9 2001:db8::2 1111 80\r\n": "203.0.113.5:7",
		"PROXY UNKNOWN\r\n":                                  "@",
		unspecified:                                          "203.0.113.5:7",
		unix:                                                 "@",
	} {
		c := rawclient.Dial(t, s.Addr)
		c.Send(header + "GET /seen HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 203.0.113.5:7\r\n" +
			"X-Forwarded-Prefix: /p\r\nConnection: close\r\n\r\n")
		got := e2etest.Decode[e2etest.Sighting](t, c.Want("GET", http.StatusOK))
		if believed := want == "203.0.113.5:7"; got.RemoteAddr != want ||
			(got.Header["X-Forwarded-Prefix"] != nil) != believed {
			t.Errorf("%q: the worker saw %s, %v", header, got.RemoteAddr, got.Header)
		}
	}
}

func TestAnAddressHasOnlySoManyConnections(t *testing.T) {
	limits := server.DefaultLimits()
	limits.ConnsPerAddress = 3
	s := harness.StartLimited(t, limits, nil)
	e2etest.StartApp(t, s)
	secure := s.Secure(t)
	var open []*rawclient.HTTP1
	for range 3 {
		c := rawclient.Dial(t, s.Addr)
		e2etest.WantOpen(c)
		open = append(open, c)
	}
	for _, addr := range []string{s.Addr, secure.Addr} {
		if got := rawclient.Dial(t, addr).WantClosed(); got != "" {
			t.Errorf("one too many was told %q", got)
		}
	}
	_ = open[0].Conn.Close()
	harness.Eventually(t, "another connection to be served", func() bool {
		c := rawclient.Dial(t, s.Addr)
		// The server may have closed it already.
		_, _ = io.WriteString(c.Conn, "GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
		got, _ := io.ReadAll(c.In)
		return strings.HasPrefix(string(got), "HTTP/1.1 200")
	})
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	a.cert, a.key = a.issue("authority", true)
	return a
}

var serials int64

// issue makes a certificate; the first one signs itself.
func (a *authority) issue(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	harness.Check(a.t, err)
	serials++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore:   time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: ca,
		BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	harness.Check(a.t, err)
	cert, err := x509.ParseCertificate(der)
	harness.Check(a.t, err)
	return cert, key
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// write puts a certificate and its key into files. A reader may see one of them
// before the other.
func write(t *testing.T, certFile, keyFile string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	harness.Check(t,
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600))
	if key != nil {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		harness.Check(t, err)
		harness.Check(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	}
}

func TestACertificateIsReadAgainWhenItsFilesChange(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	a := newAuthority(t)
	certFile, keyFile := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	cert, key := a.issue("first", false)
	write(t, certFile, keyFile, cert, key)
	files, err := tlscert.Load(certFile, keyFile, slog.New(slog.NewTextHandler(s.Log, nil)))
	harness.Check(t, err)
	config, err := tlscert.NewConfig(files.Get, "")
	harness.Check(t, err)
	e := s.Enter(t, "https://127.0.0.1:0", config)
	shown := func() string {
		conn, err := tls.Dial("tcp", e.Addr().String(), &tls.Config{RootCAs: a.pool()})
		harness.Check(t, err)
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := shown(); got != "first" {
		t.Fatalf("the server shows %q", got)
	}
	harness.Check(t, os.WriteFile(certFile, []byte("nonsense"), 0o600))
	harness.Eventually(t, "the nonsense to be noticed", func() bool {
		return shown() == "first" && strings.Contains(s.Log.String(), "stays what it was")
	})
	cert, key = a.issue("second", false)
	write(t, certFile, keyFile, cert, key)
	harness.Eventually(t, "the second certificate", func() bool { return shown() == "second" })
	cert, key = a.issue("third", false)
	write(t, certFile, keyFile, cert, key)
	harness.Check(t, files.Reload()) // as SIGHUP does: at once
	if got := shown(); got != "third" {
		t.Errorf("the server shows %q", got)
	}
}

func TestClientsWithoutACertificateOfTheAuthorityAreRefused(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	a, stranger := newAuthority(t), newAuthority(t)
	caFile := filepath.Join(t.TempDir(), "ca")
	write(t, caFile, "", a.cert, nil)
	own, ownKey := a.issue("server", false)
	get := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return &tls.Certificate{Certificate: [][]byte{own.Raw}, PrivateKey: ownKey}, nil
	}
	config, err := tlscert.NewConfig(get, caFile)
	harness.Check(t, err)
	e := s.Enter(t, "https://127.0.0.1:0", config)
	url := e.String()
	through := func(major int, certificates ...tls.Certificate) (*http.Response, error) {
		v := &e2etest.Visitor{
			Door: e2etest.Door{Major: major, Secure: true}, T: t, Server: s, TLS: &harness.Secure{Roots: a.pool()},
			Certificates: certificates,
		}
		return v.NewClient().Get(url + "/seen")
	}
	for major := 1; major <= 3; major++ {
		for name, issuer := range map[string]*authority{"none": nil, "a stranger's": stranger} {
			var certificates []tls.Certificate
			if issuer != nil {
				cert, key := issuer.issue("client", false)
				certificates = []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}
			}
			if response, err := through(major, certificates...); err == nil {
				t.Errorf("HTTP/%d with certificate %s: %s", major, name, response.Status)
			}
		}
		cert, key := a.issue("client", false)
		response, err := through(major, tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key})
		harness.Check(t, err)
		got := e2etest.Decode[e2etest.Sighting](t, e2etest.WantStatus(t, response, http.StatusOK))
		if want := ":" + base64.StdEncoding.EncodeToString(cert.Raw) + ":"; got.Header.Get("Client-Cert") != want {
			t.Errorf("HTTP/%d: the worker saw Client-Cert %q", major, got.Header.Get("Client-Cert"))
		}
	}
}

func TestOldTLSIsRefusedAndClearTextIsTold(t *testing.T) {
	s, _ := e2etest.StartBoth(t, nil)
	secure := s.Secure(t)
	conn, err := tls.Dial("tcp", secure.Addr, &tls.Config{RootCAs: secure.Roots, MaxVersion: tls.VersionTLS11})
	if err == nil {
		t.Error("TLS 1.1 is served")
		_ = conn.Close()
	}
	c := rawclient.Dial(t, secure.Addr)
	c.Begin("GET", "/")
	if got := c.WantClosed(); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, "HTTPS") {
		t.Errorf("clear text is told %q", got)
	}
}

func TestAHandshakeThatStallsHoldsUpNobody(t *testing.T) {
	limits := server.DefaultLimits()
	limits.HeaderTime = 300 * time.Millisecond
	s := harness.StartLimited(t, limits, nil)
	e2etest.StartApp(t, s)
	secure := s.Secure(t)
	stalled := rawclient.Dial(t, secure.Addr)
	v := e2etest.NewVisitor(t, e2etest.Doors[3], s, nil, secure)
	e2etest.WantStatus(t, v.Get("/meanwhile"), http.StatusOK)
	stalled.WantClosed()
}
