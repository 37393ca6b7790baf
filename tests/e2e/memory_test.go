package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// The configuration that the project was asked for has to work on a machine with
// 4 GiB, although its numbers multiply to 100 GiB.
func TestTheExampleConfigurationServes(t *testing.T) {
	s, _ := startBoth(t, func(c *server.Config) {
		c.NumStreams, c.SlotSize, c.SlotsPerStream, c.ResponseTimeout = 100, 64<<10, 16384, 30*time.Second
	})
	body := testPattern(1).all(3 << 20)
	response, err := s.Client.Post(s.URL+"/copy", "", bytes.NewReader(body))
	harness.Check(t, err)
	if got := harness.ReadAll(t, response.Body); !bytes.Equal(got, body) {
		t.Errorf("%d bytes came back, want %d", len(got), len(body))
	}
}

func TestAGiBGoesThroughAServerThatStaysWithinItsBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("1 GiB takes several seconds")
	}
	socket := filepath.Join(shortFolder(t), "w.sock")
	config := smallServer()
	p := startServer(t, socket, config, harness.Patience)
	startAppFor(t, p, socket)
	const size = 1 << 30
	sum := sha256.New()
	client := &http.Client{Timeout: 5 * harness.Patience}
	request, err := http.NewRequest("POST", p.url("/digest"), io.TeeReader(&patternReader{left: size}, sum))
	harness.Check(t, err)
	request.ContentLength = size
	response, err := client.Do(request)
	harness.Check(t, err)
	got := decode[digested](t, wantStatus(t, response, http.StatusOK))
	if want := (digested{hex.EncodeToString(sum.Sum(nil)), size}); got != want {
		t.Errorf("the worker read %+v, want %+v", got, want)
	}
	if peak, most := peakMemory(t, p.PID()), config.Memory+64<<20; peak > most {
		t.Errorf("the server used %d MiB at its peak, want at most %d: the budget and 64", peak>>20, most>>20)
	} else {
		t.Logf("the server used %d MiB at its peak, with a budget of %d", peak>>20, config.Memory>>20)
	}
}

// peakMemory returns the most that a process has had resident (proc(5), VmHWM),
// shared memory included.
func peakMemory(t *testing.T, pid int) (bytes uint64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	harness.Check(t, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscanf(rest, "%d kB", &bytes); !found || err != nil {
		t.Fatalf("no VmHWM: %v", err)
	}
	return bytes << 10
}

// shortFolder returns a folder with a path short enough for a socket.
func shortFolder(t testing.TB) string {
	dir, err := os.MkdirTemp("", "ur")
	harness.Check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
