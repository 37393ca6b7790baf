package relay

import (
	"time"

	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/shm"
)

// times are how long the parts of an exchange took.
type times struct {
	total     time.Duration
	queue     time.Duration // until a worker was found; meter.Unknown: it needed none
	firstByte time.Duration // until the response began; meter.Unknown: it did not
}

// times returns how long the exchange, which is over now, took.
func (x *exchange) times() times {
	start, now := shm.At(x.start), shm.Now()
	t := times{total: time.Duration(now - start), queue: meter.Unknown, firstByte: meter.Unknown}
	switch {
	case x.placedAt != 0:
		t.queue = time.Duration(x.placedAt - x.queuedAt)
	case x.queuedAt != 0:
		t.queue = time.Duration(now - x.queuedAt)
	}
	if x.response.begun {
		t.firstByte = time.Duration(x.response.begunAt - start)
	}
	return t
}

// measure counts an exchange that is over. One that has reached no route is counted, too.
func (x *exchange) measure(t *times, status int, err error) {
	m := x.relay.unrouted
	if x.route != nil {
		m = x.route.meter
	} else {
		m.Begin()
	}
	received, sent := x.received-x.counted.Received, x.response.sent-x.counted.Sent
	m.End(&meter.Request{
		Method: x.request.Method, Protocol: meter.ProtocolOf(x.request.ProtoMajor, x.request.ProtoMinor),
		Status: status, Reason: reasonRow(err), Received: received, Sent: sent,
		Duration: t.total, FirstByte: t.firstByte, QueueWait: t.queue,
	})
}

// reasonRow returns the number of the reason why an exchange failed, or -1 if it did not.
func reasonRow(err error) int {
	if err == nil {
		return -1
	}
	return fault.Of(err).Row()
}

// measureRefusal counts an answer to a message of HTTP/1 that never became a request.
func (r *Relay) measureRefusal(m *protocol.Refusal, sent int) {
	r.unrouted.Begin()
	r.unrouted.End(&meter.Request{
		Method: m.Method, Protocol: meter.HTTP11, Status: m.Status, Reason: fault.OfReason(m.Reason).Row(),
		Sent: int64(sent), FirstByte: meter.Unknown, QueueWait: meter.Unknown,
	})
}
