package conn

import "sync"

// Window is what the requests of a connection hold together: no more than the window of
// the connection.
type Window struct {
	mu   sync.Mutex
	held int64 // what they would hold without it
}

// Add adds n, and returns what that adds to what they hold together.
func (w *Window) Add(n, most int64) int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := min(w.held, most)
	w.held += n
	return min(w.held, most) - before
}
