package relay

import (
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// TraceSteps takes the steps of an exchange that have to do with its trace, for benchmarks.
type TraceSteps struct {
	settings settings
	route    Route
	peer     conn.Client
	frame    proto.Request
	buffer   []byte
}

// NewTraceSteps returns the steps with a tracer, or without one if it is nil.
func NewTraceSteps(t Tracer) *TraceSteps {
	return &TraceSteps{
		settings: settings{Config: Config{Tracer: t}}, route: Route{Name: "/", PoolName: "web"},
		peer: conn.Client{Address: "192.0.2.1", Node: "192.0.2.1:40000"}, buffer: make([]byte, 0, 4096),
	}
}

// Take takes the steps for one request, and returns the frame that the worker gets.
func (b *TraceSteps) Take(r *http.Request) ([]byte, error) {
	x := exchange{settings: &b.settings, route: &b.route, request: r, start: time.Now(), worker: "web/0"}
	x.client = clientInfo{
		peer: &b.peer, address: b.peer.Address, node: b.peer.Node, scheme: "http",
		id: "0123456789abcdef0123456789abcdef",
	}
	x.readTrace()
	if err := x.fillFrame(&b.frame); err != nil {
		return nil, err
	}
	frame, err := proto.AppendRequest(b.buffer, &b.frame)
	x.endTrace(&times{total: time.Millisecond, queue: meter.Unknown, firstByte: meter.Unknown}, http.StatusOK, nil)
	return frame, err
}
