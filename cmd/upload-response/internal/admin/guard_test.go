package admin

import (
	"io"
	"os"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

func TestTheSocketIsForOurUserOnly(t *testing.T) {
	s := open(t, "", nil)
	info, err := os.Stat(s.at.Where)
	harness.Check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
}

func TestTCPWithoutATokenIsReadOnly(t *testing.T) {
	s := open(t, "127.0.0.1:0", nil)
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/status", 200}, {"GET", "/streams", 200}, {"HEAD", "/status", 200}, {"GET", "/livez", 200},
		{"DELETE", "/streams/1", 403}, {"POST", "/apps/default/restart", 403}, {"PUT", "/config", 403},
		{"POST", "/workers/default/0/stacks", 403}, {"POST", "/reload", 403},
		{"GET", "/config", 403}, {"GET", "/config/file", 403}, {"POST", "/config/check", 403},
	} {
		if status, body, _ := s.get(t, c.method, c.path, "Authorization", "Bearer "); status != c.status {
			t.Errorf("%s %s: %d %s", c.method, c.path, status, body)
		}
	}
}

// A page of another site can have its name lead to our address, and then is of the same origin
// as we are, for the browser.
func TestAnotherNameOfTheHostIsRefusedOverTCP(t *testing.T) {
	s := open(t, "127.0.0.1:0", nil)
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:9180": 421, "127.0.0.1.evil.example": 421, "localhost.evil.example": 421,
		"127.0.0.1": 200, "127.0.0.1:1": 200, "localhost:1": 200, "LOCALHOST": 200, "[::1]:1": 200,
		"10.1.2.3:9180": 200,
	} {
		if status, body, _ := s.get(t, "GET", "/status", "Host", host); status != want {
			t.Errorf("%s: %d %s", host, status, body)
		}
		if status, _, _ := s.get(t, "GET", "/readyz", "Host", host); status != 503 { // a probe may use any name
			t.Errorf("%s: a probe gets %d", host, status)
		}
	}
}

func TestATokenOpensEverythingOverTCPAndNothingElseDoes(t *testing.T) {
	s := open(t, "127.0.0.1:0", func(c *Config) { c.Token = "correct horse battery staple" })
	for _, c := range []struct {
		method, path, authorization string
		status                      int
	}{
		{"GET", "/status", "", 401}, {"GET", "/status", "Bearer wrong", 401}, {"GET", "/status", "Bearer ", 401},
		{"GET", "/status", "Basic correct horse battery staple", 401},
		{"GET", "/status?token=correct+horse+battery+staple", "", 401},
		{"GET", "/events", "", 401}, {"DELETE", "/streams/1", "Bearer wrong", 401},
		{"GET", "/status", "Bearer correct horse battery staple", 200},
		{"DELETE", "/streams/1", "Bearer correct horse battery staple", 404},
		{"GET", "/", "", 200}, {"GET", "/assets/page.js", "", 200}, {"GET", "/livez", "", 200},
		{"GET", "/readyz", "", 503},
		{"POST", "/livez", "", 401}, {"GET", "/config/file", "", 401}, {"PUT", "/config", "", 401},
		{"GET", "/config", "Bearer correct horse battery staple", 409}, // it has none
	} {
		status, body, header := s.get(t, c.method, c.path, "Authorization", c.authorization)
		if status != c.status {
			t.Errorf("%s %s with %q: %d %s", c.method, c.path, c.authorization, status, body)
		}
		if status == 401 && header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: nothing says what is wanted", c.method, c.path)
		}
	}
}

func TestNoOtherSiteMayReadOrCall(t *testing.T) {
	s := open(t, "127.0.0.1:0", func(c *Config) { c.Token = "a token of the test" })
	for _, method := range []string{"GET", "OPTIONS"} {
		_, _, header := s.get(t, method, "/status", "Origin", "https://evil.example",
			"Access-Control-Request-Method", "DELETE", "Authorization", "Bearer a token of the test")
		for name := range header {
			if len(name) > 14 && name[:14] == "Access-Control" {
				t.Errorf("%s: %s: %s", method, name, header.Get(name))
			}
		}
	}
}

func TestConnectionsAreBoundedAndTheNextOneWaits(t *testing.T) {
	s := open(t, "", nil)
	first := s.dialUnix(t)
	for range maxConns - 1 {
		defer s.dialUnix(t).Close()
	}
	next := s.dialUnix(t)
	defer next.Close()
	_, err := next.Write([]byte("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"))
	harness.Check(t, err)
	b := make([]byte, 15)
	harness.Check(t, next.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	if n, err := next.Read(b); err == nil {
		t.Fatalf("it is answered: %q", b[:n])
	}
	harness.Check(t, first.Close())
	harness.Check(t, next.SetReadDeadline(time.Now().Add(harness.Patience)))
	if _, err := io.ReadFull(next, b); err != nil || string(b) != "HTTP/1.1 200 OK" {
		t.Errorf("once there is a place it gets %q, %v", b, err)
	}
}
