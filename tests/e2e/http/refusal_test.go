package http_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// logged is a line of the access log.
type logged struct {
	Method, Path, Client, ID, Error string
	Status                          int
	Sent                            int64
	Seconds                         *float64 `json:"duration_s"`
}

func TestWhatIsRefusedBeforeItIsARequestIsLoggedAndAnsweredAsOthersAre(t *testing.T) {
	t.Parallel()
	lines := &harness.Log{}
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.AccessLog = slog.New(slog.NewJSONHandler(lines, nil)) })
	for _, c := range []struct {
		send, method, path string
		status             int
	}{
		{"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/%zz", 400},
		{"GE(T /a?b HTTP/1.1\r\nHost: a\r\n\r\n", "GE(T", "/a", 400},
		{"GET /no-host HTTP/1.1\r\n\r\n", "GET", "/no-host", 400},
		{"GET /bare HTTP/1.1\nHost: a\r\n\r\n", "GET", "/bare", 400},
		{"POST /both HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
			"POST", "/both", 400},
		{"GET /new HTTP/9.9\r\nHost: a\r\n\r\n", "GET", "/new", 505},
		{"GET /" + strings.Repeat("a", 300_000) + " HTTP/1.1\r\n", "GET", "", 414},
		{"GET /big HTTP/1.1\r\nX-A: " + strings.Repeat("a", 300_000), "GET", "/big", 431},
		{"GET /served HTTP/1.1\r\nHost: a\r\nPragma: x\r\n\r\nGET /%zy HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET", "/%zy", 400},
	} {
		conn := rawclient.Dial(t, s.Addr)
		go func() { _, _ = io.WriteString(conn.Conn, c.send) }() // all of it may not be read
		response := conn.Response("GET")
		if response.StatusCode == http.StatusOK {
			_ = harness.ReadAll(t, response.Body)
			response = conn.Response("GET")
		}
		body := harness.ReadAll(t, response.Body)
		id := response.Header.Get("X-Request-Id")
		if response.StatusCode != c.status || response.Header.Get("Date") == "" || id == "" {
			t.Errorf("%.40q: %s, %v", c.send, response.Status, response.Header)
		}
		var line logged
		for text := range strings.Lines(lines.String()) {
			if id != "" && strings.Contains(text, id) {
				harness.Check(t, json.Unmarshal([]byte(text), &line))
			}
		}
		if line.Status != c.status || line.Method != c.method || c.path != "" && line.Path != c.path ||
			line.Client != "127.0.0.1" || line.Error == "" || line.Sent != int64(len(body)) || line.Seconds == nil {
			t.Errorf("%.40q is logged as %+v", c.send, line)
		}
	}
}

func TestTheAnswersOfTheServerAreCountedInTheLog(t *testing.T) {
	t.Parallel()
	lines := &harness.Log{}
	s := harness.Start(t, func(c *server.Config) { c.AccessLog = slog.New(slog.NewJSONHandler(lines, nil)) })
	response, err := s.Client.Get(s.URL)
	harness.Check(t, err)
	body := harness.ReadAll(t, response.Body)
	var line logged
	harness.Check(t, json.Unmarshal([]byte(lines.String()), &line))
	if line.Sent != int64(len(body)) || len(body) == 0 || line.Seconds == nil || *line.Seconds <= 0 {
		t.Errorf("%d bytes came, and the log says %+v", len(body), line)
	}
}

func TestHTTPInTheClearOnAPortForHTTPSIsLoggedAndAnsweredWithAnID(t *testing.T) {
	t.Parallel()
	lines := &harness.Log{}
	s := harness.Start(t, func(c *server.Config) { c.AccessLog = slog.New(slog.NewJSONHandler(lines, nil)) })
	conn := rawclient.Dial(t, s.Secure(t).Addr)
	_, err := io.WriteString(conn.Conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	harness.Check(t, err)
	response := conn.Response("GET")
	body := harness.ReadAll(t, response.Body)
	var line logged
	harness.Check(t, json.Unmarshal([]byte(lines.String()), &line))
	if response.StatusCode != http.StatusBadRequest || line.Status != http.StatusBadRequest || line.Error == "" ||
		line.ID == "" || line.ID != response.Header.Get("X-Request-Id") || line.Sent != int64(len(body)) {
		t.Errorf("%s, %v, and the log says %+v", response.Status, response.Header, line)
	}
}

func TestWhatIsRefusedBeforeItIsARequestIsAnsweredInTheFormatThatIsWanted(t *testing.T) {
	const get = "GET /%zz HTTP/1.1\r\nHost: a\r\n"
	page := filepath.Join(t.TempDir(), "400.html")
	harness.Check(t, os.WriteFile(page, []byte("<p>$request_id"+strings.Repeat(" ", 700_000)), 0o600))
	const text, html, problem = "text/plain; charset=utf-8", "text/html; charset=utf-8", "application/problem+json"
	for _, c := range []struct {
		format, page, send, kind string
		status                   int
	}{
		{"", "", get + "\r\n", text, 400},
		{"", "", get + "ACCEPT:\ttext/html \r\n\r\n", html, 400},
		{"", "", get + "Accept: application/json\r\nAccept: text/html;q=0.5\r\n\r\n", problem, 400},
		{"", "", get + "Accept: application/json;q=0.5\r\nAccept: text/html\r\n\r\n", html, 400},
		{"", "", get + "Accept: " + strings.Repeat("a/b,", 500) + "\r\nAccept: text/html\r\n\r\n", html, 400},
		{"", "", "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nX-A: b\n\r\n", html, 400},
		{"", "", "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\n\r\n" + get + "\r\n", text, 400},
		{"", "", "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nX-A: " + strings.Repeat("a", 300_000), html, 431},
		{"", "", "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nTransfer-Encoding: x\r\n\r\n", html, 501},
		{"", "", "GET / HTTP/3.7\r\nHost: a\r\nAccept: application/json\r\n\r\n", problem, 505},
		{"", "", "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\nAccept: application/json\r\n\r\n", problem, 417},
		{"json", "", "GET /" + strings.Repeat("a", 300_000), problem, 414},
		{"html", "", "GE(T / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n", html, 400},
		{"json", page, get + "\r\n" + strings.Repeat("x", 200_000), html, 400},
		{"auto", page, get + "Accept: application/json\r\n\r\n", problem, 400},
		{"auto", page, "<script> HTTP/1.1\r\n\r\n", html, 400},
	} {
		s := harness.Start(t, func(config *server.Config) {
			config.ErrorPages.Format = c.format
			if c.page != "" {
				config.ErrorPages.Pages = map[string]string{"4xx": c.page}
			}
		})
		conn := rawclient.Dial(t, s.Addr)
		go func() { _, _ = io.WriteString(conn.Conn, c.send) }() // all of it may not be read
		response := conn.Response("GET")
		for response.StatusCode == http.StatusServiceUnavailable { // it was a request: there is no worker
			_ = harness.ReadAll(t, response.Body)
			response = conn.Response("GET")
		}
		body := string(harness.ReadAll(t, response.Body))
		kind, vary := response.Header.Get("Content-Type"), response.Header.Get("Vary")
		varies := c.format == "" || c.format == "auto"
		if kind != c.kind || response.StatusCode != c.status || (vary == "Accept") != varies ||
			response.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s, %.70q: %d %s, Vary %q", c.format, c.send, response.StatusCode, kind, vary)
		}
		if id := response.Header.Get("X-Request-Id"); kind != text && !strings.Contains(body, id) || id == "" ||
			strings.Contains(body, "script") || strings.Contains(body, "zz") {
			t.Errorf("%s, %.70q: %s, %.300s", c.format, c.send, id, body)
		}
	}
}
