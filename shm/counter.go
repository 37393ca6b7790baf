package shm

import "sync/atomic"

// peerCounter is a counter that the peer writes and that belongs to one stream
// at a time: until the gate shows the stream's id it counts as zero.
// The counters of a lane stay those of its last stream until the worker accepts
// the next one (J1 <-> J2).
type peerCounter struct {
	word     *atomic.Uint64
	gate     *atomic.Uint64 // nil: always open
	streamID uint64
}

func (c *peerCounter) load() uint64 {
	if c.word == nil || (c.gate != nil && c.gate.Load() != c.streamID) { // J2
		return 0
	}
	return c.word.Load()
}
