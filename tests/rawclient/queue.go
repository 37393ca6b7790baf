package rawclient

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// AwaitRead waits until the server's process has read all that was sent: its
// kernel queue is empty (proc(5), /proc/net/tcp).
func (c *HTTP1) AwaitRead() {
	c.T.Helper()
	own, server := SocketKey(c.Conn.LocalAddr()), SocketKey(c.Conn.RemoteAddr())
	harness.Eventually(c.T, "the server to read what was sent", func() bool {
		return Queued(c.T, own, server, 0) == "00000000" && Queued(c.T, server, own, 1) == "00000000"
	})
}

// AwaitStalled waits until no more of what the server sends reaches us.
func (c *HTTP1) AwaitStalled() {
	c.T.Helper()
	own, server, before := SocketKey(c.Conn.LocalAddr()), SocketKey(c.Conn.RemoteAddr()), ""
	harness.Eventually(c.T, "the server to fill the connection", func() bool {
		now := Queued(c.T, server, own, 0) + Queued(c.T, own, server, 1)
		stalled := now == before && now != "" && !strings.HasPrefix(now, "00000000")
		before = now
		return stalled
	})
}

// SocketKey returns an IPv4 address as /proc/net/tcp spells it.
func SocketKey(a net.Addr) string {
	tcp := a.(*net.TCPAddr)
	ip := tcp.IP.To4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], tcp.Port)
}

// Queued returns how many bytes wait to be sent (which = 0) or to be read
// (which = 1) on the socket between two addresses, in hex; or nothing.
func Queued(t testing.TB, local, remote string, which int) string {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	harness.Check(t, err)
	for line := range bytes.Lines(table) {
		if fields := strings.Fields(string(line)); len(fields) > 4 && fields[1] == local && fields[2] == remote {
			return strings.Split(fields[4], ":")[which]
		}
	}
	return ""
}
