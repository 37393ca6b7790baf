package e2etest

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// Get sends a request without a body.
func Get(t testing.TB, s *harness.Server, path string) *http.Response {
	t.Helper()
	response, err := s.Client.Get(s.URL + path)
	harness.Check(t, err)
	return response
}

// Post sends a request with a body.
func Post(t testing.TB, s *harness.Server, path, body string) *http.Response {
	t.Helper()
	response, err := s.Client.Post(s.URL+path, "application/octet-stream", strings.NewReader(body))
	harness.Check(t, err)
	return response
}

// WantStatus fails the test unless the response has this status, and returns
// its body.
func WantStatus(t testing.TB, response *http.Response, status int) string {
	t.Helper()
	body := harness.ReadAll(t, response.Body)
	if response.StatusCode != status {
		t.Fatalf("%s %q, want status %d", response.Status, body, status)
	}
	return string(body)
}

// WantRetry is wantStatus for 503 with Retry-After.
func WantRetry(t testing.TB, response *http.Response) {
	t.Helper()
	WantStatus(t, response, http.StatusServiceUnavailable)
	if response.Header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
}

// Decode reads what the app answers in JSON.
func Decode[T any](t testing.TB, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// WantOpen fails the test unless the connection serves another request.
func WantOpen(c *rawclient.HTTP1) {
	c.T.Helper()
	c.Begin("GET", "/still-open")
	if got := c.Want("GET", http.StatusOK); got != "GET /still-open" {
		c.T.Fatalf("the next response on the connection is %q", got)
	}
}

// Quickly makes so many requests on each of so many connections.
func Quickly(t *testing.T, s *harness.Server, path string, connections, requests int) {
	t.Helper()
	var all sync.WaitGroup
	for range connections {
		all.Go(func() {
			for range requests {
				response, err := s.Client.Get(s.URL + path)
				if err != nil {
					t.Errorf("a quick request: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					t.Errorf("a quick request: %s", response.Status)
				}
			}
		})
	}
	all.Wait()
}

// ClientFrom returns a client with an address of its own.
func ClientFrom(t *testing.T, ip string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	c := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}, Timeout: harness.Patience}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// Impatient is a configuration whose deadlines pass while a test waits.
func Impatient(c *server.Config) { c.ClientTimeout = 200 * time.Millisecond }
