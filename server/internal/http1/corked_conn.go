package http1

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// corkedConn are what net/http writes to a connection of HTTP/1.1 while the pieces of a
// body are handed to it, one by one: they go out together when the last has been.
type corkedConn struct {
	socket syscall.RawConn // nil: something is in between, and nothing is held
	on     atomic.Bool

	mu     sync.Mutex
	pieces net.Buffers
	copies []byte // what lies in memory that net/http uses again
}

// reusedBytes is the most that net/http writes from buffers of its own (bufferSize in
// its server.go); what is longer is a piece of a body, which lies where it is until
// release.
const reusedBytes = 4 << 10

// keptBytes is the most room for copies that a connection keeps.
const keptBytes = 16 << 10

// hold begins to hold. Release: release, by the same goroutine.
func (h *corkedConn) hold() { h.on.Store(true) }

// take holds what would be written, and reports whether it does.
func (h *corkedConn) take(p []byte) bool {
	if !h.on.Load() {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.on.Load() {
		return false
	}
	if len(p) <= reusedBytes {
		start := len(h.copies)
		h.copies = append(h.copies, p...) // if it moves, the pieces before keep the old one
		p = h.copies[start:]
	}
	h.pieces = append(h.pieces, p)
	return true
}

// release writes what was held, as [writev] says.
func (h *corkedConn) release(progress func()) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.on.Store(false)
	err := writev(h.socket, h.pieces, progress)
	clear(h.pieces)
	h.pieces, h.copies = h.pieces[:0], h.copies[:0]
	if cap(h.copies) > keptBytes {
		h.copies = nil
	}
	return err
}
