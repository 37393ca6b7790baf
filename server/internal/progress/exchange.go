package progress

import (
	"sync/atomic"

	"github.com/wavey-ai/upload-response/shm"
)

// Exchange is the progress of one exchange. Three goroutines write it: the one that sends
// the response, the one that receives the upload, and the deadline loop. It is reused for
// one exchange after another; the zero value is ready for the first.
type Exchange struct {
	upload    upload
	deadlines deadlines

	// Since when the server waits, in units of shm.Now; 0: it does not.
	waitSince  atomic.Int64 // for the worker to respond
	readSince  atomic.Int64 // for the client to send
	writeSince atomic.Int64 // for the client to take

	taken   atomic.Uint64 // bytes of the response that the connection has taken
	started atomic.Bool   // the response has begun

	// What the deadline loop has found.
	expired    atomic.Uint64 // the stream whose worker has run out of time
	clientGone atomic.Bool   // the context of the client's request has ended
	clientSlow atomic.Bool   // the client has run out of time
	preempted  atomic.Bool   // likewise, because others waited for the stream or lane
	slow       atomic.Bool   // the client has used up a part of its stall budget
	wasSlow    atomic.Bool   // it had, at some time
	waited     atomic.Int64  // when the client was last seen to be waited for, shm.Now; 0: never

	// The deadline loop's own.
	budget stallBudget
	rate   uploadRate
}

// Reset readies x for a new exchange.
func (x *Exchange) Reset() {
	x.upload.reset()
	x.waitSince.Store(0)
	x.readSince.Store(0)
	x.writeSince.Store(0)
	x.taken.Store(0)
	x.started.Store(false)
	x.expired.Store(0)
	x.clientGone.Store(false)
	x.clientSlow.Store(false)
	x.preempted.Store(false)
	x.slow.Store(false)
	x.wasSlow.Store(false)
	x.waited.Store(0)
}

// StartWait notes that the server has waited for the worker's response since a time.
func (x *Exchange) StartWait(since int64) { x.waitSince.Store(since) }

// EndWait notes that it waits no more.
func (x *Exchange) EndWait() { x.waitSince.Store(0) }

// WaitingSince returns since when the server has waited for the worker, or 0.
func (x *Exchange) WaitingSince() int64 { return x.waitSince.Load() }

// StartRead notes that the server waits for the client to send.
func (x *Exchange) StartRead() { x.readSince.Store(shm.Now()) }

// EndRead notes that it waits no more.
func (x *Exchange) EndRead() { x.readSince.Store(0) }

// StartWrite notes that the server waits for the client to take what is written. When the
// client has taken a part, the next StartWrite begins a new wait.
func (x *Exchange) StartWrite() { x.writeSince.Store(shm.Now()) }

// EndWrite notes that it waits no more.
func (x *Exchange) EndWrite() { x.writeSince.Store(0) }

// Sent counts bytes of the response that the connection has taken.
func (x *Exchange) Sent(n int) { x.taken.Add(uint64(n)) }

// Taken returns how many bytes of the response the connection has taken.
func (x *Exchange) Taken() uint64 { return x.taken.Load() }

// Started reports whether the response has begun.
func (x *Exchange) Started() bool { return x.started.Load() }

// StartResponse notes that the response has begun. From then on the upload has no least
// rate.
func (x *Exchange) StartResponse() { x.started.Store(true) }

// Expire notes that the worker of a stream has run out of time.
func (x *Exchange) Expire(stream uint64) { x.expired.Store(stream) }

// Expired reports whether the worker of a stream has run out of time.
func (x *Exchange) Expired(stream uint64) bool { return x.expired.Load() == stream }

// ClientGone reports whether the deadline loop has seen that the client is gone.
func (x *Exchange) ClientGone() bool { return x.clientGone.Load() }

// ClientSlow reports whether the client was slow before it was gone: its pending reads and
// writes were ended for that, or its connection was. That the client is gone after it, as
// everybody sees then, is no news.
func (x *Exchange) ClientSlow() bool {
	if x.clientSlow.Load() || x.clientGone.Load() {
		return x.clientSlow.Load()
	}
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	x.noteStalledLocked()
	return x.clientSlow.Load()
}

// ToldToGo reports whether the client's pending reads and writes were ended because it was
// slow.
func (x *Exchange) ToldToGo() bool { return x.clientSlow.Load() }

// Preempted reports whether that was so because others waited.
func (x *Exchange) Preempted() bool { return x.preempted.Load() }

// WasSlow reports whether the client has used up a part of its stall budget at some time.
func (x *Exchange) WasSlow() bool { return x.wasSlow.Load() }

// Slow reports whether it has done so now.
func (x *Exchange) Slow() bool { return x.slow.Load() }
