package http1

import (
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// corkedConn keeps what net/http writes to a connection of HTTP/1.1 while it gets the pieces
// of a body, one by one: they go out together after the last one.
type corkedConn struct {
	socket syscall.RawConn // nil: something is in between, and nothing is kept
	on     atomic.Bool

	mu     sync.Mutex
	pieces net.Buffers
	copies []byte // of what is in memory that net/http uses again
}

// reusedBytes is the most that net/http writes from its buffers (bufferSize in its
// server.go); what is longer is a piece of a body, which stays where it is until uncork.
const reusedBytes = 4 << 10

// keptBytes is the most room for copies that a connection keeps after uncork.
const keptBytes = 16 << 10

// cork begins to keep what is written. Release: uncork, by the same goroutine.
func (c *corkedConn) cork() { c.on.Store(true) }

// keep keeps what would be written, and reports whether the connection is corked.
func (c *corkedConn) keep(p []byte) bool {
	if !c.on.Load() {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.on.Load() {
		return false
	}
	if len(p) <= reusedBytes {
		start := len(c.copies)
		c.copies = append(c.copies, p...) // if it moves, the pieces before keep the old one
		p = c.copies[start:]
	}
	c.pieces = append(c.pieces, p)
	return true
}

// uncork writes what was kept, as [writev] does.
func (c *corkedConn) uncork(progress func()) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on.Store(false)
	err := writev(c.socket, c.pieces, progress)
	clear(c.pieces)
	c.pieces, c.copies = c.pieces[:0], c.copies[:0]
	if cap(c.copies) > keptBytes {
		c.copies = nil
	}
	return err
}
