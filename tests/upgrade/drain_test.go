package upgrade_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// drainDelay is longer than the requests of a test take.
const drainDelay = 3 * time.Second

// drainingSite starts a server that stays for a while when it is to end.
func drainingSite(t testing.TB) *site {
	t.Helper()
	return start(t, append(append(everywhere(), workers(t)...), "--drain-delay", drainDelay.String(),
		"--stop-timeout", "2s")...)
}

// beginToEnd asks the server to end, and waits for the begin of that.
func (s *site) beginToEnd() {
	s.t.Helper()
	harness.Check(s.t, s.first.Process.Signal(syscall.SIGTERM))
	s.found("msg=stopping signal=terminated")
	harness.Eventually(s.t, "readyz to say no", func() bool {
		output, err := s.run("status")
		return err == nil && strings.Contains(output, ", about to end:")
	})
}

// kept sends a request, and reports whether its connection had been there already, and whether the response says that
// it is the last one there.
func kept(t testing.TB, client *http.Client, url string) (reused, last bool) {
	t.Helper()
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodPut, url,
		strings.NewReader("body"))
	harness.Check(t, err)
	response, err := client.Do(request)
	harness.Check(t, err)
	if body := harness.ReadAll(t, response.Body); string(body) != "body" || response.StatusCode != http.StatusOK {
		t.Errorf("%s: status %d, %q", response.Proto, response.StatusCode, body)
	}
	return reused, response.Close
}

// In the time in which balancers notice that the server is about to end, every response tells the client to make
// another connection. Those that it makes here are served, too.
func TestClientsMoveAwayDuringTheDrainDelay(t *testing.T) {
	s := drainingSite(t)
	type client struct {
		version int
		url     string
		http    *http.Client
		upload  *upload
	}
	clients := []*client{{version: 1, url: s.clear}, {version: 1, url: s.secure}, {version: 2, url: s.clear},
		{version: 2, url: s.secure}, {version: 3, url: s.secure}}
	for _, c := range clients {
		c.http = harness.NewClient(t, c.version, trusting())
		awaitAnswer(t, c.http, c.url)
		if reused, last := kept(t, c.http, c.url); c.version < 3 && (!reused || last) {
			t.Errorf("HTTP/%d, %s: reused %v, closed %v, though the server is to stay", c.version, c.url, reused, last)
		}
		c.upload = begin(t, harness.NewClient(t, c.version, trusting()), c.url)
	}
	s.beginToEnd()
	begun := time.Now()
	for _, c := range clients {
		_, last := kept(t, c.http, c.url)
		if c.version == 1 && !last {
			t.Errorf("%s: no Connection: close", c.url)
		}
		if c.version == 2 { // GOAWAY: it takes the client a moment to see it
			harness.Eventually(t, "another connection of HTTP/2", func() bool {
				reused, _ := kept(t, c.http, c.url)
				return !reused
			})
		}
		if reused, _ := kept(t, c.http, c.url); c.version == 1 && reused {
			t.Errorf("%s: the client used the connection again", c.url)
		}
		awaitAnswer(t, harness.NewClient(t, c.version, trusting()), c.url)
	}
	for _, c := range clients {
		c.upload.end(t)
	}
	if took := time.Since(begun); took > drainDelay {
		t.Skipf("the machine is too slow: %v", took)
	}
	s.awaitEnd()
	if strings.Contains(s.log(), "requests cut off") {
		t.Error("requests were cut off")
	}
}

// Connections of HTTP/3 that there are hear of it, too, and end when their requests have: the client makes another one,
// which the server takes.
func TestConnectionsOfHTTP3EndDuringTheDrainDelay(t *testing.T) {
	s := drainingSite(t)
	var dials atomic.Int32
	transport := &http3.Transport{TLSClientConfig: trusting(), Dial: func(ctx context.Context, addr string,
		tlsConfig *tls.Config, config *quic.Config,
	) (*quic.Conn, error) {
		dials.Add(1)
		return quic.DialAddrEarly(ctx, addr, tlsConfig, config)
	}}
	t.Cleanup(func() { _ = transport.Close() })
	client := &http.Client{Transport: transport, Timeout: harness.Patience}
	awaitAnswer(t, client, s.secure)
	u := begin(t, client, s.secure)
	if n := dials.Load(); n != 1 {
		t.Fatalf("%d connections", n)
	}
	s.beginToEnd()
	harness.Eventually(t, "another connection of HTTP/3", func() bool {
		kept(t, client, s.secure)
		return dials.Load() == 2
	})
	kept(t, client, s.secure)
	u.end(t)
	if n := dials.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
	s.awaitEnd()
}

// Clients of all kinds under load see nothing of it.
func TestNoRequestIsLostDuringTheDrainDelay(t *testing.T) {
	s := drainingSite(t)
	l := startLoad(s)
	l.awaitMore()
	s.beginToEnd()
	begun := time.Now()
	l.awaitMore()
	if took := time.Since(begun); took > drainDelay-time.Second/2 {
		l.cancel()
		t.Skipf("the machine is too slow: %v", took)
	}
	l.end()
	s.awaitEnd()
	if strings.Contains(s.log(), "requests cut off") {
		t.Error("requests were cut off")
	}
}
