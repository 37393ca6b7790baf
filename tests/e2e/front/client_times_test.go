package front_test

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/metrics"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// openConnections returns how many connections of clients the server has.
func openConnections(t *testing.T, s *harness.Server) (n float64) {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.NewCollector(metrics.Sources{Router: s.Router}))
	families, err := registry.Gather()
	harness.Check(t, err)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == "ur_connections" {
				n += m.GetGauge().GetValue()
			}
		}
	}
	return n
}

// A client that takes nothing of a response that no worker makes is up to the connection.
func TestAClientTimeoutThatChangesIsThatOfOpenConnections(t *testing.T) {
	config := func(c *server.Config) {
		c.ClientTimeout = time.Hour
		c.Routes = []server.Route{{Prefix: "/", Respond: &server.Respond{Body: strings.Repeat("x", 16<<20)}}}
	}
	simple := func(fields ...string) func(s *harness.Server) (request func()) {
		return func(s *harness.Server) func() {
			c := rawclient.Dial(t, s.Addr)
			return func() { c.Begin(http.MethodGet, "/", fields...) }
		}
	}
	for name, open := range map[string]func(s *harness.Server) (request func()){
		"http/1.1, simple":          simple(),
		"http/1.1, behind net/http": simple("Pragma: no-cache"),
		"http/2":                    func(s *harness.Server) func() { return manyRequests(t, s.Addr, nil) },
		"http/2 over TLS": func(s *harness.Server) func() {
			secure := s.Secure(t)
			return manyRequests(t, secure.Addr, &tls.Config{RootCAs: secure.Roots, NextProtos: []string{"h2"},
				ServerName: "localhost"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := harness.Start(t, config)
			request := open(s)
			harness.Eventually(t, "the connection", func() bool { return openConnections(t, s) == 1 })
			next := server.DefaultConfig()
			config(&next)
			next.ClientTimeout = 200 * time.Millisecond
			harness.Check(t, s.Router.Reconfigure(next))
			request()
			harness.Eventually(t, "its end", func() bool { return openConnections(t, s) == 0 })
		})
	}
}

// manyRequests opens a connection of HTTP/2 for requests whose responses it does not read: each
// ends by itself, and all together fill the buffers of the socket. On a busy machine they end before that, and others
// follow them.
func manyRequests(t *testing.T, addr string, secure *tls.Config) (request func()) {
	t.Helper()
	c := rawclient.DialHTTP2(t, addr, secure)
	harness.Check(t, c.Frames.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 1 << 30}))
	harness.Check(t, c.Frames.WriteWindowUpdate(0, 1<<30))
	begin := func() {
		for id := uint32(1); ; time.Sleep(time.Second) {
			for range 99 {
				if c.Begin(id, true, rawclient.Fields(http.MethodGet, "/")...) != nil {
					return // the connection has ended
				}
				id += 2
			}
		}
	}
	return func() { go begin() }
}
