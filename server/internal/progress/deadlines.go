package progress

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Controller sets the deadlines of a client's connection or stream. It is implemented by
// http.ResponseController.
type Controller interface {
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Limits are how long the server waits for a client.
type Limits struct {
	// ClientTimeout is how long a client may neither send nor take a byte while the server
	// waits for it.
	ClientTimeout time.Duration
	// StallTime is the whole stall budget of an exchange; 0: clients may be slow at the
	// cost of others.
	StallTime time.Duration
	// MinBodyRate is how many bytes a second an upload has to come at; 0: any.
	MinBodyRate int64
}

// deadlines are how the deadline loop sees that a client is gone, and ends its pending
// reads and writes.
type deadlines struct {
	leaving bool // the context had ended at the last check; the deadline loop's

	mu         sync.Mutex
	ctx        context.Context // of the client's request; nil: nobody has to know that it ends
	controller Controller      // nil: no exchange
	stalled    *atomic.Bool    // the connection was closed because its client took nothing; nil: it never is
	counter    TransferCounter
	counted    Moved // so far, of what has moved since Attach
}

// Attach lets the deadline loop see that the client is gone, count what moves on its
// connection, and end its reads and writes. The connection sets stalled before it ends because
// its client takes nothing; nil: it never does. Release: Detach.
func (x *Exchange) Attach(ctx context.Context, controller Controller, stalled *atomic.Bool, counter TransferCounter) {
	d := &x.deadlines
	d.mu.Lock()
	d.ctx, d.controller, d.stalled, d.counter, d.counted = ctx, controller, stalled, counter, Moved{}
	d.mu.Unlock()
}

// Detach ends what Attach has begun.
func (x *Exchange) Detach() {
	d := &x.deadlines
	d.mu.Lock()
	d.ctx, d.controller, d.stalled, d.counter = nil, nil, nil, TransferCounter{}
	d.mu.Unlock()
}

// IgnoreDeparture has nobody notice any more that the client is gone: it has got its
// whole response.
func (x *Exchange) IgnoreDeparture() {
	d := &x.deadlines
	d.mu.Lock()
	d.ctx = nil
	d.mu.Unlock()
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// InterruptRead makes the client's pending read, and every later one, fail.
func (x *Exchange) InterruptRead() {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.controller != nil {
		_ = d.controller.SetReadDeadline(longAgo)
	}
}

// Abort ends the client's pending reads and writes as those of a slow client.
func (x *Exchange) Abort() {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	x.abortLocked(true)
}

// abortLocked ends the client's reads and, if asked to, its writes.
func (x *Exchange) abortLocked(write bool) {
	controller := x.deadlines.controller
	if controller == nil {
		return
	}
	if !x.clientGone.Load() {
		x.clientSlow.Store(true) // before the deadlines: whoever sees their effect sees the cause
	}
	_ = controller.SetReadDeadline(longAgo)
	if write {
		_ = controller.SetWriteDeadline(longAgo)
	}
}

// noteStalledLocked notes that the client was slow if its connection was closed for that.
func (x *Exchange) noteStalledLocked() {
	if stalled := x.deadlines.stalled; stalled != nil && stalled.Load() && !x.clientGone.Load() {
		x.clientSlow.Store(true)
	}
}

// Preempt ends the exchange if it still is the one that is meant, and its client still
// keeps it waiting. It reports whether it did.
func (x *Exchange) Preempt(now int64, meant func() bool) bool {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if !meant() || d.controller == nil || !x.Stalled(now) || x.clientSlow.Load() || x.clientGone.Load() {
		return false
	}
	x.preempted.Store(true)
	x.abortLocked(x.writeSince.Load() != 0)
	return true
}

// Cancel ends the exchange with an error if it still is the one that is meant, and reports
// whether it did. The goroutines of the exchange see that when they are woken; their pending
// read, and a write that waits for the client, fail.
func (x *Exchange) Cancel(err error, meant func() bool) bool {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if !meant() || d.controller == nil {
		return false
	}
	x.FailUpload(err)
	x.clientGone.Store(true) // a worker with slots ready is heard no more
	if !x.UploadEnded() {
		_ = d.controller.SetReadDeadline(longAgo)
	}
	if x.writeSince.Load() != 0 {
		_ = d.controller.SetWriteDeadline(longAgo)
	}
	return true
}

// Check brings the accounts of the exchange of a stream up to date, and ends the pending
// read or write of a client that has run out of time. It reports whether the client has
// just been found gone. Preconditions: only the deadline loop calls it.
func (x *Exchange) Check(stream uint64, now int64, limits *Limits) (gone bool) {
	gone = x.checkGone(stream)
	x.checkClient(now - int64(limits.ClientTimeout))
	if x.Stalled(now) {
		x.waited.Store(now)
	}
	x.checkBudget(stream, now, limits.StallTime)
	if x.tooSlow(stream, now, limits) {
		x.abortRead()
	}
	return gone
}

// checkGone reports, once, that the client is gone. It waits for a second look: a read of
// the body that failed ends the context too, and the upload knows better what it means. If
// the worker of the stream has run out of time before, and nobody has been woken yet to say
// so, that counts.
func (x *Exchange) checkGone(stream uint64) bool {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	gone := d.ctx != nil && d.ctx.Err() != nil
	before := d.leaving
	d.leaving = gone
	if !gone || !before || x.clientGone.Load() || x.Expired(stream) && x.waitSince.Load() != 0 {
		return false
	}
	x.noteStalledLocked()
	x.clientGone.Store(true)
	return true
}

// checkClient ends the client's pending read or write if it has been pending since before
// a time. A client that is slow to send can still be told so.
func (x *Exchange) checkClient(before int64) {
	if !pending(&x.readSince, before) && !pending(&x.writeSince, before) {
		return
	}
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	write := pending(&x.writeSince, before)
	if write || pending(&x.readSince, before) { // still the same exchange
		x.abortLocked(write)
	}
}

// abortRead ends the client's pending read.
func (x *Exchange) abortRead() {
	d := &x.deadlines
	d.mu.Lock()
	defer d.mu.Unlock()
	if x.readSince.Load() != 0 {
		x.abortLocked(false)
	}
}

// pending reports whether something has been waited for since before a time.
func pending(since *atomic.Int64, before int64) bool {
	at := since.Load()
	return at != 0 && at < before
}
