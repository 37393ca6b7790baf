package shm

import "sync/atomic"

// Row is one row of the stream table: what the server says about one stream.
// The server writes it, the stream's worker reads it. A row is reused only
// after its worker has let go of the stream or the worker's link is dead.
type Row struct {
	index     uint32
	streamID  *atomic.Uint64
	cancel    *atomic.Uint32
	published *atomic.Uint64
	wantsRoom *atomic.Uint64
}

func newRow(index uint32, mem []byte) Row {
	return Row{
		index:    index,
		streamID: u64at(mem, rowStreamID), cancel: u32at(mem, rowCancel),
		published: u64at(mem, rowPublished), wantsRoom: u64at(mem, rowWantsRoom),
	}
}

// Index returns the row's place in the stream table.
func (r *Row) Index() uint32 { return r.index }

// Open makes the row that of a new stream. Server only. The worker learns of it
// by the inbox entry (E1).
func (r *Row) Open(streamID uint64) {
	r.cancel.Store(0)
	r.wantsRoom.Store(0)
	r.streamID.Store(streamID)
}

// Close marks the row as free. Server only.
func (r *Row) Close() { r.streamID.Store(0) }

// Cancel tells the worker that nobody wants the stream any more (L1 -> L2). The
// first reason stays. Server only.
func (r *Row) Cancel(why Reason) bool { return r.cancel.CompareAndSwap(0, uint32(why)) }

// Cancelled returns the reason of the cancellation of the stream, or
// ReasonFinished if the row belongs to another stream by now (L2).
func (r *Row) Cancelled(streamID uint64) Reason {
	why := Reason(r.cancel.Load())
	if r.streamID.Load() != streamID { // after the reason: else it may be another stream's
		return ReasonFinished
	}
	return why
}

// Serves reports whether the row is still that of a stream: what its worker read before
// was written for that stream.
func (r *Row) Serves(streamID uint64) bool { return r.streamID.Load() == streamID }

// WantRoomAt says that the server waits for the release of request slot n, 0 for
// none. Server only: set it, look again, then sleep (S1).
func (r *Row) WantRoomAt(n uint64) { r.wantsRoom.Store(n) }

// WantRoom says whether the server waits for any released request slot. Server
// only: set it, look again, then sleep (S1).
func (r *Row) WantRoom(on bool) { r.wantsRoom.Store(uint64(flag(on))) }

// WantsRoom reports whether the server is to be told of released request slots
// (S2).
func (r *Row) WantsRoom() bool { return r.wantsRoom.Load() != 0 }

// WantsRoomAt reports whether the server is to be told that request slot n is
// released (S2).
func (r *Row) WantsRoomAt(n uint64) bool {
	want := r.wantsRoom.Load()
	return want != 0 && n >= want
}

func flag(on bool) uint32 {
	if on {
		return 1
	}
	return 0
}
