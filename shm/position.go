package shm

import "sync/atomic"

// Position is how far the server has read the response on one lane of a link.
// The server writes it, the link's worker reads it. Unlike the stream's row it
// stays the stream's until the lane is assigned again, so that a worker that
// has let go can still learn which of its buffers are free.
type Position struct {
	streamID      *atomic.Uint64
	released      *atomic.Uint64
	wantsResponse *atomic.Uint32
}

func newPosition(mem []byte) Position {
	return Position{streamID: u64at(mem, posStreamID), released: u64at(mem, posReleased),
		wantsResponse: u32at(mem, posWantsResponse)}
}

// Open makes the position that of a stream's response. Server only; the stream
// is not in the inbox yet.
//
// The worker may still look at the position for the lane's last stream. It is
// nobody's while it changes, so that a count is never read with the wrong id.
func (p *Position) Open(streamID uint64) {
	p.streamID.Store(0)
	p.wantsResponse.Store(0)
	p.released.Store(0)
	p.streamID.Store(streamID)
}

// Finish says that the server will not look at the response any more: every
// slot of it is the worker's again (D1). Server only.
func (p *Position) Finish() { p.released.Store(AllReleased) }

// WantResponse says whether the server waits for response slots. Server only:
// set it, look again, then sleep (S1).
func (p *Position) WantResponse(on bool) { p.wantsResponse.Store(flag(on)) }

// WantsResponse reports whether the server is to be told of published response
// slots (S2).
func (p *Position) WantsResponse() bool { return p.wantsResponse.Load() != 0 }
