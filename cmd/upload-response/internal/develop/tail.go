package develop

import (
	"io"
	"sync"
)

// tailBytes is how much of the output of a process is kept.
const tailBytes = 64 << 10

// tail passes output on, and keeps the end of it.
type tail struct {
	to io.Writer

	mu   sync.Mutex
	kept []byte
}

// Write passes bytes on, and keeps them.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - tailBytes; extra > 0 {
		t.kept = append(t.kept[:0], t.kept[extra:]...)
	}
	t.mu.Unlock()
	return t.to.Write(b)
}

// text returns what is kept.
func (t *tail) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.kept)
}
