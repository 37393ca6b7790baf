package relay

import (
	"encoding/hex"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/traceparent"
)

// Tracer makes spans of requests. Many goroutines call it.
type Tracer interface {
	// Start decides whether a request is recorded, and gives its spans their ids. The context is that which the
	// request came with; its zero value is none.
	Start(from traceparent.Context) Span
	// End records a request that is over, which the tracer may keep. It is called for those that are recorded only.
	End(*TracedRequest)
}

// Span is the trace of one request.
type Span struct {
	From     traceparent.Context // with which the request came
	Trace    [16]byte
	ID       [8]byte // of the span of the whole request
	Worker   [8]byte // of the span of the worker's part, from which the worker's own spans come
	Recorded bool
}

// TracedRequest is a request that is over.
type TracedRequest struct {
	Span Span

	Start     time.Time
	Total     time.Duration
	Queue     time.Duration // until a worker was found; negative: it needed none
	FirstByte time.Duration // until the response began; negative: it did not

	Method, Scheme, Host, Path, Protocol string
	Client, Agent, RequestID             string
	App, Route                           string // empty: the request has reached none
	Worker                               string // empty: none has served it
	Status                               int
	Received, Sent                       int64
	WebSocket                            bool
	Reason                               string // label of the fault; empty: the request did not fail
	Begun                                bool   // the response had begun when it failed
}

// trace is how an exchange stands in a trace.
type trace struct {
	span  Span   // the Trace in it is zero: none
	field string // of ours, which the worker gets; empty: that of the request goes on, or there is none
}

// id returns the id of the trace for the log, or nothing.
func (t *trace) id() string {
	if t.span.Trace == [16]byte{} {
		return ""
	}
	return hex.EncodeToString(t.span.Trace[:])
}

// readTrace finds out in which trace the request is. A field that is not valid is not passed on (W3C Trace Context
// section 3.2.2.5). When requests are traced, and this one is recorded or comes with no trace, the worker gets a field
// of ours.
func (x *exchange) readTrace() {
	values, tracer := x.request.Header[traceparent.Field], x.settings.Tracer
	if values == nil && tracer == nil {
		return
	}
	var from traceparent.Context
	valid := false
	if len(values) == 1 {
		from, valid = traceparent.Parse(values[0])
	}
	if !valid && values != nil {
		delete(x.request.Header, traceparent.Field)
		delete(x.request.Header, traceparent.State)
	}
	if x.trace.span.Trace = from.Trace; tracer != nil {
		x.startTrace(tracer, from, valid)
	}
}

// startTrace has the tracer decide, and makes the field for the worker.
func (x *exchange) startTrace(tracer Tracer, from traceparent.Context, valid bool) {
	s := tracer.Start(from)
	x.trace.span = s
	if valid && !s.Recorded {
		return
	}
	to := traceparent.Context{Trace: s.Trace, Span: s.Worker}
	if s.Recorded {
		to.Flags = traceparent.Sampled
	}
	if valid {
		delete(x.request.Header, traceparent.Field)
	}
	x.trace.field = to.String()
}

// appendField adds the field for the worker, if it is ours. It never is in the header of the request, which would cost
// a place in the map, and a list.
func (t *trace) appendField(fields []proto.Field) []proto.Field {
	if t.field == "" {
		return fields
	}
	return append(fields, proto.Field{Name: "traceparent", Value: t.field})
}

// endTrace records the exchange, which is over, if it is to be recorded.
func (x *exchange) endTrace(took *times, status int, err error) {
	if !x.trace.span.Recorded {
		return
	}
	r := x.request
	t := &TracedRequest{
		Span: x.trace.span, Start: x.start, Total: took.total, Queue: took.queue, FirstByte: took.firstByte,
		Method: r.Method, Scheme: x.client.scheme, Host: r.Host, Path: r.URL.Path,
		Protocol: meter.ProtocolOf(r.ProtoMajor, r.ProtoMinor).String(),
		Client:   x.client.address, Agent: r.Header.Get("User-Agent"), RequestID: x.client.id,
		Worker: x.worker, Status: status, Received: x.received, Sent: x.response.sent,
		WebSocket: x.response.websocket != nil, Begun: x.response.begun,
	}
	if x.route != nil {
		t.App, t.Route = x.route.PoolName, x.route.Name
	}
	if err != nil {
		t.Reason = fault.Of(err).Label()
	}
	x.settings.Tracer.End(t)
}
