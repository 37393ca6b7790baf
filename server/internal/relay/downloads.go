package relay

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// downloads are the files that are being sent. They need no worker, so the dispatcher does
// not know of them.
type downloads struct {
	openFiles *conn.Budget // how many there may be

	mu      sync.Mutex
	writers map[*fileWriter]struct{}
	failed  bool // no more is sent
}

func newDownloads() downloads {
	return downloads{openFiles: conn.NewBudget(mostOpenFiles()), writers: map[*fileWriter]struct{}{}}
}

// mostOpenFiles returns a quarter of the descriptors that the process may have: connections
// and workers need theirs.
func mostOpenFiles() int64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || limit.Cur > 1<<20 {
		return 1 << 18
	}
	return int64(max(limit.Cur/4, 1))
}

// add notes that a file is being sent. Release: remove.
func (d *downloads) add(w *fileWriter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writers[w] = struct{}{}
	if d.failed {
		w.abort()
	}
}

func (d *downloads) remove(w *fileWriter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.writers, w)
}

// fail ends all of them.
func (d *downloads) fail() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failed = true
	for w := range d.writers {
		w.abort()
	}
}
