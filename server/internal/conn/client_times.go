package conn

import (
	"sync/atomic"
	"time"
)

// ClientTimes are how long clients may take, beyond single exchanges. They change while the
// server runs, for connections that are open, too. Make one with [NewClientTimes].
type ClientTimes struct {
	began        time.Duration // what Write was first
	write, stall atomic.Int64  // nanoseconds
}

// NewClientTimes returns the times of a configuration.
func NewClientTimes(client, stall time.Duration) *ClientTimes {
	t := &ClientTimes{began: client}
	t.Set(client, stall)
	return t
}

// Set changes the times.
func (t *ClientTimes) Set(client, stall time.Duration) {
	t.write.Store(int64(client))
	t.stall.Store(int64(stall))
}

// Write is how long a client may take for what is left of a response.
func (t *ClientTimes) Write() time.Duration { return time.Duration(t.write.Load()) }

// Stall is how long it may do nothing while others wait; 0: as long as otherwise.
func (t *ClientTimes) Stall() time.Duration { return time.Duration(t.stall.Load()) }

// Began is what Write was when the server began.
func (t *ClientTimes) Began() time.Duration { return t.began }

// Stretch returns the deadline for a write that net/http has set for HTTP/2, as it has to be now:
// net/http knows only Began.
func (t *ClientTimes) Stretch(deadline time.Time) time.Time {
	if deadline.IsZero() {
		return deadline
	}
	return deadline.Add(t.Write() - t.began)
}
