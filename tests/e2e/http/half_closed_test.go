package http_test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// A client such as "printf ... | nc -N" sends its request, and that it sends no more.
func TestAClientThatEndsItsSendingSideGetsItsResponse(t *testing.T) {
	t.Parallel()
	path := filepath.Join(e2etest.ShortFolder(t), "http.sock")
	s, _ := e2etest.StartBoth(t, func(c *server.Config) { c.StallTime = 15 * time.Second }, e2etest.LanesVariable+"=1")
	s.Enter(t, "unix:"+path, nil)
	busy := e2etest.StartHold(t, s)
	requests := map[string]string{
		"plain":     "GET /queued HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
		"other":     "GET /queued HTTP/1.1\r\nHost: a\r\nPragma: x\r\nConnection: close\r\n\r\n",
		"upload":    "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
		"old":       "GET /queued HTTP/1.0\r\n\r\n",
		"keepalive": "GET /queued HTTP/1.1\r\nHost: a\r\n\r\n",
	}
	conns := map[string]net.Conn{}
	for name, request := range requests {
		for _, to := range [][2]string{{"tcp", s.Addr}, {"unix", path}} {
			conn, err := net.Dial(to[0], to[1])
			harness.Check(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, request)
			harness.Check(t, err)
			harness.Check(t, conn.(interface{ CloseWrite() error }).CloseWrite())
			conns[name+" over "+to[0]] = conn
		}
	}
	e2etest.AwaitWaiting(t, s, int64(len(conns)))
	time.Sleep(600 * time.Millisecond) // for as long as it takes to see that they send no more
	busy.Finish()
	busy.WantEnd()
	for name, conn := range conns {
		harness.Check(t, conn.SetReadDeadline(time.Now().Add(harness.Patience)))
		if got, err := io.ReadAll(conn); err != nil || !strings.Contains(string(got), " 200 OK\r\n") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
