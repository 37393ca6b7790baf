package slots_test

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
	"github.com/wavey-ai/upload-response/tests/e2e/internal/e2etest"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// The configuration that the project was asked for has to work on a machine with
// 4 GiB, although its numbers multiply to 100 GiB.
func TestTheExampleConfigurationServes(t *testing.T) {
	s, _ := e2etest.StartBoth(t, func(c *server.Config) {
		c.NumStreams, c.SlotSize, c.SlotsPerStream, c.ResponseTimeout = 100, 64<<10, 16384, 30*time.Second
	})
	body := e2etest.TestPattern(1).All(3 << 20)
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
	socket := filepath.Join(e2etest.ShortFolder(t), "w.sock")
	config := e2etest.SmallServer()
	p := e2etest.StartServer(t, socket, config, harness.Patience)
	e2etest.StartAppFor(t, p, socket)
	const size = 1 << 30
	sum := sha256.New()
	client := &http.Client{Timeout: 5 * harness.Patience}
	request, err := http.NewRequest("POST", p.URL("/digest"), io.TeeReader(&e2etest.PatternReader{Left: size}, sum))
	harness.Check(t, err)
	request.ContentLength = size
	response, err := client.Do(request)
	harness.Check(t, err)
	got := e2etest.Decode[e2etest.Digested](t, e2etest.WantStatus(t, response, http.StatusOK))
	if want := (e2etest.Digested{SHA256: hex.EncodeToString(sum.Sum(nil)), Bytes: size}); got != want {
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
