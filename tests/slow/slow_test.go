//go:build slow

package slow_test

import (
	"bytes"
	"io"
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

// How long healthy clients are watched without the slow ones, and with them.
const (
	calm  = 4 * time.Second
	under = 8 * time.Second
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

// underAttack watches healthy clients while there are slow ones. It returns how many
// connections those had in the middle.
func (a *attack) underAttack(t *testing.T, address string) (*latencies, int) {
	t.Helper()
	n := strconv.Itoa(slowClients)
	args := append([]string{"slowhttptest", "-c", n, "-r", n, "-l", "120", "-u", address + a.path}, a.args...)
	p := harness.StartProgram(t, io.Discard, args)
	for deadline := time.Now().Add(3 * time.Second); connections(t, address) < slowClients*9/10 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond) // those who are answered at once are never all there
	}
	connected := make(chan int, 1)
	time.AfterFunc(under/2, func() { connected <- connections(t, address) })
	l := measure(address, under)
	p.Kill()
	return l, harness.Receive(t, "the count", connected)
}

// try measures each attack. With bound, healthy clients must not suffer: their p99 is at
// most twice the larger of those before and after it, since machines are not calm.
func try(t *testing.T, bound bool, env ...string) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			address := startServer(t, env...)
			measure(address, time.Second) // to warm up
			before := measure(address, calm)
			during, connected := a.underAttack(t, address)
			harness.Eventually(t, "the slow clients to be gone", func() bool { return connections(t, address) < healthyClients })
			after := measure(address, calm)
			t.Logf("before: %v", before)
			t.Logf("with %d slow connections: %v", connected, during)
			t.Logf("after: %v", after)
			if most := 2 * max(before.quantile(0.99), after.quantile(0.99)); bound && (during.quantile(0.99) > most || during.failed > 0 || len(during.all) == 0) {
				t.Errorf("want a p99 of at most %v", most)
			}
		})
	}
}

// Where there are streams and lanes for all of them, slow clients cost nobody anything.
func TestSlowClientsHoldUpNobody(t *testing.T) { try(t, true, streamsVariable+"=1500") }

// With the defaults there are not: slow bodies, and slow readers, take all there are.
func TestSlowClientsAtAServerWithItsDefaults(t *testing.T) { try(t, false) }
