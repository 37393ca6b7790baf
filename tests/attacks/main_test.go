//go:build attacks

// Package attacks_test has clients and workers make a server hold what they can, and
// measures what that is: "make test-attacks". docs/reliability.md has the figures, and
// docs/design/border.md the bounds.
package attacks_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/tlscert"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/worker"
)

func TestMain(m *testing.M) {
	harness.Main(m, map[string]func(){"server": serverRole, "worker": workerRole, "idler": idlerRole})
}

// memory is the budget of the servers.
const memory = 64 << 20

// rateField is the field whose value counts as a client.
const rateField = "X-Api-Key"

// doors are the addresses of a server.
type doors struct{ Plain, Secure string }

// serverRole is a server with all its doors. It prints where they are.
func serverRole() {
	c := server.DefaultConfig()
	c.Memory, c.Log = memory, slog.New(slog.NewTextHandler(os.Stderr, nil))
	c.RequestRate, c.RequestRateHeader = 1<<20, rateField
	router, err := server.NewRouter(c)
	must(err)
	workers, err := server.ListenWorkers(os.Getenv(harness.SocketVariable), false)
	must(err)
	go func() { must(router.ServeWorkers(workers)) }()
	s := server.NewServer(router, c.Log)
	certificate, err := tlscert.SelfSigned()
	must(err)
	own := func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate, nil }
	config, err := tlscert.NewConfig(own, "")
	must(err)
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	udp, secure := listenBoth()
	go func() { must(s.Serve(plain)) }()
	go func() { must(s.ServeTLS(secure, config)) }()
	must(json.NewEncoder(os.Stdout).Encode(doors{plain.Addr().String(), secure.Addr().String()}))
	must(s.ServeQUIC(udp, config))
}

// listenBoth listens on a UDP and a TCP port of the same number.
func listenBoth() (net.PacketConn, net.Listener) {
	for {
		udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		must(err)
		if tcp, err := net.Listen("tcp", udp.LocalAddr().String()); err == nil {
			return udp, tcp
		}
		must(udp.Close())
	}
}

// workerRole answers whatever it is asked.
func workerRole() {
	must(worker.Serve(context.Background(), os.Getenv(harness.SocketVariable),
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintln(w, "hello")
		})))
}

// idlerRole attaches and takes no request.
func idlerRole() {
	_, err := worker.Attach(context.Background(), os.Getenv(harness.SocketVariable))
	must(err)
	select {}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// target is a server under attack, in a process of its own.
type target struct {
	*harness.Process
	doors
	socket string
	t      testing.TB
}

func newTarget(t testing.TB) *target {
	folder, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	s := &target{t: t, socket: filepath.Join(folder, "w.sock")}
	s.Process = harness.StartProcess(t, "server", harness.SocketVariable+"="+s.socket)
	harness.Eventually(t, "the server to listen", func() bool {
		at := strings.Index(s.Output(), "{")
		return at >= 0 && json.NewDecoder(strings.NewReader(s.Output()[at:])).Decode(&s.doors) == nil
	})
	return s
}

// attach starts a worker in a role and waits until it is attached.
func (s *target) attach(role string) {
	before := strings.Count(s.Output(), "link attached")
	harness.StartProcess(s.t, role, harness.SocketVariable+"="+s.socket)
	harness.Eventually(s.t, "the worker to attach", func() bool {
		return strings.Count(s.Output(), "link attached") > before
	})
}

// reached checks that the server answers somebody else.
func (s *target) reached() {
	s.t.Helper()
	client := &http.Client{Timeout: harness.Patience, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 200)}}).DialContext}}
	start := time.Now()
	response, err := client.Get("http://" + s.Plain)
	harness.Check(s.t, err)
	_ = response.Body.Close()
	s.t.Logf("another address is answered %d after %v", response.StatusCode, time.Since(start).Round(time.Millisecond))
}
