//go:build slow

package slow_test

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// slowClients is how many there are at the same time.
const slowClients = 1000

// attack is a way to be slow.
type attack struct {
	name string
	path string
	args []string
}

var attacks = []attack{
	{"slow headers", "/", []string{"-H"}},
	{"slow bodies", "/", []string{"-B", "-s", "8192"}},
	{"many ranges", "/", []string{"-R", "-a", "1", "-b", "3000"}},
	{"slow reading", "/big", []string{"-X", "-n", "2", "-z", "32", "-w", "512", "-y", "1024"}},
}

// How long healthy clients are watched without the slow ones, while these connect, which
// takes them a second, and with them.
const (
	calm    = 4 * time.Second
	connect = 3 * time.Second / 2
	under   = 8 * time.Second
)

// startServer starts a server and a worker, and returns the server's address.
func startServer(t *testing.T, env ...string) string {
	t.Helper()
	socket := harness.SocketVariable + "=" + filepath.Join(t.TempDir(), "w")
	s := harness.StartProcess(t, "server", append(env, socket)...)
	addr := ""
	harness.Eventually(t, "the server to listen", func() bool {
		_, rest, _ := strings.Cut(s.Output(), listening)
		line, _, whole := strings.Cut(rest, "\n")
		addr = line
		return whole
	})
	harness.StartProcess(t, "worker", append(env, socket)...)
	harness.Eventually(t, "the worker to attach", func() bool { return strings.Contains(s.Output(), "link attached") })
	return "http://" + addr
}

// connections returns how many a server has.
func connections(t *testing.T, address string) int {
	t.Helper()
	u, err := url.Parse(address)
	harness.Check(t, err)
	port, err := strconv.Atoi(u.Port())
	harness.Check(t, err)
	table, err := os.ReadFile("/proc/net/tcp")
	harness.Check(t, err)
	local := strings.ToUpper("0100007F:" + leftPad(strconv.FormatInt(int64(port), 16)))
	n := 0
	for line := range bytes.Lines(table) {
		if f := strings.Fields(string(line)); len(f) > 3 && f[1] == local && f[3] == "01" { // established
			n++
		}
	}
	return n
}

func leftPad(hex string) string { return strings.Repeat("0", 4-len(hex)) + hex }

// underAttack watches healthy clients while slow ones connect, and when they have. It
// also returns how many connections there were then.
func (a *attack) underAttack(t *testing.T, address string, h *healthy) (connecting, during []*latencies, open int) {
	t.Helper()
	n := strconv.Itoa(slowClients)
	p := harness.StartProgram(t, io.Discard,
		append([]string{"slowhttptest", "-c", n, "-r", n, "-l", "120", "-u", address + a.path}, a.args...))
	counted := make(chan int, 1)
	time.AfterFunc(connect, func() { counted <- connections(t, address) })
	start := time.Now()
	during, connecting = h.watch(start, start.Add(connect), connect+under)
	p.Kill()
	return connecting, during, harness.Receive(t, "the count", counted)
}

// try measures each attack. Healthy clients must not suffer: their p99 is at most twice
// the larger of those before and after it, since machines are not calm. New connections
// of the address of the slow ones cannot be told from theirs, and are only reported.
func try(t *testing.T, env ...string) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			address := startServer(t, env...)
			h := newHealthy(t, address)
			h.measure(time.Second) // to warm up
			before := h.measure(calm)
			connecting, during, connected := a.underAttack(t, address, h)
			harness.Eventually(t, "the slow clients to be gone", func() bool {
				return connections(t, address) < slowClients/10
			})
			after := h.measure(calm)
			t.Logf("%d connections", connected)
			for i, s := range sorts {
				t.Logf("%s:\n\tbefore:     %v\n\tconnecting: %v\n\tduring:     %v\n\tafter:      %v", s.name, before[i],
					connecting[i], during[i], after[i])
				most := 2 * max(before[i].quantile(0.99), after[i].quantile(0.99))
				if suspect := s.fresh && s.from.Equal(slowAddress); !suspect &&
					(during[i].quantile(0.99) > most || during[i].failed > 0) {
					t.Errorf("%s: want a p99 of at most %v", s.name, most)
				}
			}
		})
	}
}

// slowAddress is the client address of slowhttptest.
var slowAddress = net.IPv4(127, 0, 0, 1)

// With the defaults slow clients want all the streams there are, and more.
func TestSlowClientsHoldUpNobodyAtAServerWithItsDefaults(t *testing.T) { try(t) }

// Where there are streams and lanes for all of them, they cost nobody anything.
func TestSlowClientsHoldUpNobodyWhereThereIsRoom(t *testing.T) { try(t, streamsVariable+"=1500") }
