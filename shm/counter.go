package shm

import "sync/atomic"

// peerCounter is a counter that the peer writes and that belongs to one stream
// at a time: while the gate shows another stream's id, otherwise is its value.
// The counters of a lane stay those of its last stream until the worker accepts
// the next one (J1 <-> J2), so for the server that is zero. A position is that
// of the next stream as soon as the server is done with the last one, so for
// the worker it is AllReleased.
type peerCounter struct {
	word      *atomic.Uint64
	gate      *atomic.Uint64
	streamID  uint64
	otherwise uint64
}

func (c *peerCounter) load() uint64 {
	if c.gate.Load() != c.streamID { // J2
		return c.otherwise
	}
	n := c.word.Load()
	if c.gate.Load() != c.streamID { // the peer moved on: n may be the next stream's
		return c.otherwise
	}
	return n
}
