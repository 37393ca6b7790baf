package http_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
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
