package shm

import "sync/atomic"

// Lane is what a worker says about one stream that it holds. The worker writes
// it, the server reads it.
type Lane struct {
	streamID     *atomic.Uint64
	letGo        *atomic.Uint64
	published    *atomic.Uint64
	wantsRoom    *atomic.Uint64
	released     *atomic.Uint64
	wantsRequest *atomic.Uint32
}

func newLane(mem []byte) Lane {
	return Lane{
		streamID: u64at(mem, lanStreamID), letGo: u64at(mem, lanLetGo),
		published: u64at(mem, lanPublished), wantsRoom: u64at(mem, lanWantsRoom),
		released: u64at(mem, lanReleased), wantsRequest: u32at(mem, lanWantsRequest),
	}
}

// Accept makes the lane that of a stream which the worker took from its inbox.
// Worker only. Preconditions: the lane's counters were reset (the lane's
// Writer and Reader are open).
//
// J1: the reset counters pass to the server, which counts them as zero until
// it sees the stream's id (J2).
func (l *Lane) Accept(streamID uint64) {
	l.wantsRoom.Store(0)
	l.wantsRequest.Store(0)
	l.streamID.Store(streamID)
}

// LetGo ends the worker's part in a stream: it will not touch the stream's row,
// request slots or lane again. Worker only.
//
// K1: they pass to the server, which reuses them after it sees this (K2).
func (l *Lane) LetGo(streamID uint64) { l.letGo.Store(streamID) }

// Accepted reports whether the worker has accepted the stream (J2).
func (l *Lane) Accepted(streamID uint64) bool { return l.streamID.Load() == streamID }

// HasLetGo reports whether the worker has let go of the stream (K2).
func (l *Lane) HasLetGo(streamID uint64) bool { return l.letGo.Load() == streamID }

// WantRequest says whether the worker waits for request slots. Worker only: set
// it, look again, then sleep (S1).
func (l *Lane) WantRequest(on bool) { l.wantsRequest.Store(flag(on)) }

// WantRoomAt says that the worker waits for the release of response slot n, 0
// for none. Worker only: set it, look again, then sleep (S1).
func (l *Lane) WantRoomAt(n uint64) { l.wantsRoom.Store(n) }

// WantRoom says whether the worker waits for any released response slot. Worker
// only: set it, look again, then sleep (S1).
func (l *Lane) WantRoom(on bool) { l.wantsRoom.Store(uint64(flag(on))) }

// WantsRequest reports whether the worker is to be told of published request
// slots (S2).
func (l *Lane) WantsRequest() bool { return l.wantsRequest.Load() != 0 }

// WantsRoom reports whether the worker is to be told of released response slots
// (S2).
func (l *Lane) WantsRoom() bool { return l.wantsRoom.Load() != 0 }

// WantsRoomAt reports whether the worker is to be told that response slot n is
// released (S2).
func (l *Lane) WantsRoomAt(n uint64) bool {
	want := l.wantsRoom.Load()
	return want != 0 && n >= want
}
