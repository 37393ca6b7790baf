package chaos_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// holdings is what this process holds: the server, and its clients.
type holdings struct {
	descriptors, goroutines, mappings int
	private, shared                   uint64 // resident bytes
}

// mostGrowth is how much private memory may come with any amount of work: what the
// Go runtime keeps for itself, and the log.
const mostGrowth = 64 << 20

// resting counts what is there when nothing comes or goes any more.
func resting(t testing.TB) (h holdings) {
	t.Helper()
	last := look(t)
	for same := 0; same < 20; {
		time.Sleep(5 * time.Millisecond)
		h = look(t)
		if h.descriptors == last.descriptors && h.goroutines == last.goroutines {
			same++
		} else {
			same = 0
		}
		last = h
	}
	return h
}

// look counts. Mappings are those of segments.
func look(t testing.TB) holdings {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	harness.Check(t, err)
	return holdings{
		descriptors: descriptors(t), goroutines: runtime.NumGoroutine(), mappings: bytes.Count(maps, []byte("memfd:upload-response")),
		private: resident(t, "RssAnon"), shared: resident(t, "RssShmem"),
	}
}

func descriptors(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	harness.Check(t, err)
	return len(list)
}

// resident returns a number of /proc/self/status (proc(5)).
func resident(t testing.TB, name string) (bytes uint64) {
	status, err := os.ReadFile("/proc/self/status")
	harness.Check(t, err)
	_, rest, found := strings.Cut(string(status), name+":")
	if _, err := fmt.Sscanf(rest, "%d kB", &bytes); !found || err != nil {
		t.Fatalf("no %s: %v", name, err)
	}
	return bytes << 10
}

// rest waits until the server holds no more than before.
func (before holdings) rest(t testing.TB, budget uint64) {
	t.Helper()
	harness.Eventually(t, "descriptors, goroutines and mappings to go", func() bool {
		now := look(t)
		return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines && now.mappings <= before.mappings
	})
	debug.FreeOSMemory()
	after := look(t)
	t.Logf("before: %+v", before)
	t.Logf("after:  %+v", after)
	if after.private > before.private+mostGrowth {
		t.Errorf("private memory grew from %d to %d MiB", before.private>>20, after.private>>20)
	}
	if after.shared > budget {
		t.Errorf("%d MiB of shared memory, the budget is %d", after.shared>>20, budget>>20)
	}
}
