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
	heap                              uint64 // bytes that the garbage collector leaves
	private, shared                   uint64 // resident bytes
}

// How much memory may come with any amount of work: on the heap the log, and in all
// what the Go runtime keeps for itself.
const (
	mostHeap    = 16 << 20
	mostPrivate = 64 << 20
)

// resting returns what is there when nothing comes or goes any more.
func resting(t testing.TB) holdings {
	t.Helper()
	last := count(t)
	for same := 0; same < 20; same++ {
		time.Sleep(5 * time.Millisecond)
		now := count(t)
		if now != last {
			same = 0
		}
		last = now
	}
	return weigh(t, last)
}

// count counts what comes and goes. Mappings are those of segments.
func count(t testing.TB) holdings {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	harness.Check(t, err)
	return holdings{
		descriptors: descriptors(t), goroutines: runtime.NumGoroutine(),
		mappings: bytes.Count(maps, []byte("memfd:upload-response")),
	}
}

// weigh adds the memory.
func weigh(t testing.TB, h holdings) holdings {
	var m runtime.MemStats
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	h.heap, h.private, h.shared = m.HeapAlloc, resident(t, "RssAnon"), resident(t, "RssShmem")
	return h
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
		now := count(t)
		return now.descriptors <= before.descriptors && now.goroutines <= before.goroutines &&
			now.mappings <= before.mappings
	})
	after := weigh(t, count(t))
	t.Logf("before: %+v", before)
	t.Logf("after:  %+v", after)
	if after.heap > before.heap+mostHeap || after.private > before.private+mostPrivate && !raceDetector {
		t.Errorf("the heap grew from %d to %d MiB, private memory from %d to %d MiB", before.heap>>20, after.heap>>20,
			before.private>>20, after.private>>20)
	}
	if after.shared > budget {
		t.Errorf("%d MiB of shared memory, the budget is %d", after.shared>>20, budget>>20)
	}
}
