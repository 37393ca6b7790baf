package tracing

import (
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/internal/traceparent"
)

// spansOfRequest is how many spans a request has that a worker has served.
const spansOfRequest = 4

// mostAttributes is how many attributes the spans of a request have at most.
const mostAttributes = 17

// room has the memory of the spans of a request: all of it is in one piece. The zero value is empty.
type room struct {
	whole, queue, worker, first tracepb.Span

	status     tracepb.Status
	inner      [2][8]byte // ids of the spans that are the server's alone
	attributes [mostAttributes]keyValue
	list       [mostAttributes]*commonpb.KeyValue // of those in use
	used       int
	longest    int // characters of a text; 0: any
}

// keyValue has the memory of one attribute.
type keyValue struct {
	pair   commonpb.KeyValue
	value  commonpb.AnyValue
	text   commonpb.AnyValue_StringValue
	number commonpb.AnyValue_IntValue
}

// The flags of spans say whether the parent is elsewhere.
const (
	flagsHere  = traceparent.Sampled | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK)
	flagsBelow = flagsHere | uint32(tracepb.SpanFlags_SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK)
)

// appendSpans adds the spans of a request, which share its memory.
func (m *room) appendSpans(spans []*tracepb.Span, r *server.TracedRequest) []*tracepb.Span {
	m.fillWhole(r)
	spans = append(spans, &m.whole)
	if r.Queue < 0 {
		return spans
	}
	m.inner = [2][8]byte{traceparent.NewSpan(), traceparent.NewSpan()}
	m.fill(&m.queue, r, "queue", m.inner[0][:], r.Span.ID[:], 0, r.Queue)
	spans = append(spans, &m.queue)
	if r.Worker == "" {
		return spans
	}
	m.fill(&m.worker, r, "worker", r.Span.Worker[:], r.Span.ID[:], r.Queue, r.Total)
	m.worker.Kind = tracepb.Span_SPAN_KIND_CLIENT
	at := m.used
	m.addText("upload_response.worker", r.Worker)
	m.worker.Attributes = m.list[at:m.used]
	spans = append(spans, &m.worker)
	if r.FirstByte < 0 {
		return spans
	}
	m.fill(&m.first, r, "first byte", m.inner[1][:], r.Span.Worker[:], r.Queue, max(r.FirstByte, r.Queue))
	return append(spans, &m.first)
}

// fillWhole fills the span of the whole request.
func (m *room) fillWhole(r *server.TracedRequest) {
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
	}
	m.fill(&m.whole, r, name, r.Span.ID[:], nil, 0, r.Total)
	m.whole.Kind = tracepb.Span_SPAN_KIND_SERVER
	if r.Span.From.Span != [8]byte{} {
		m.whole.ParentSpanId, m.whole.Flags = r.Span.From.Span[:], flagsBelow
	}
	if r.Reason != "" && (r.Status >= 500 || r.Begun) {
		m.status.Code, m.status.Message = tracepb.Status_STATUS_CODE_ERROR, r.Reason
		m.whole.Status = &m.status
	}
	m.addAttributes(r)
	m.whole.Attributes = m.list[:m.used:m.used]
}

// fill fills a span, which begins and ends some time after the request began.
func (m *room) fill(
	span *tracepb.Span, r *server.TracedRequest, name string, id, parent []byte, begin, end time.Duration,
) {
	start := uint64(r.Start.UnixNano())
	span.TraceId, span.SpanId, span.ParentSpanId, span.Flags = r.Span.Trace[:], id, parent, flagsHere
	span.Name, span.Kind = strings.ToValidUTF8(name, replacement), tracepb.Span_SPAN_KIND_INTERNAL
	span.StartTimeUnixNano, span.EndTimeUnixNano = start+uint64(begin), start+uint64(end)
}

// addAttributes adds what there is to say of a request, by the names of the semantic conventions of OpenTelemetry. The
// query is not among them: it may hold secrets.
func (m *room) addAttributes(r *server.TracedRequest) {
	m.addText("http.request.method", r.Method)
	m.addNumber("http.response.status_code", int64(r.Status))
	m.addText("url.scheme", r.Scheme)
	m.addText("url.path", r.Path)
	m.addText("server.address", r.Host)
	m.addText("network.protocol.version", strings.TrimPrefix(r.Protocol, "HTTP/"))
	m.addNumber("http.request.body.size", r.Received)
	m.addNumber("http.response.body.size", r.Sent)
	m.addText("upload_response.request_id", r.RequestID)
	m.addKnown("client.address", r.Client)
	m.addKnown("user_agent.original", r.Agent)
	m.addKnown("http.route", r.Route)
	m.addKnown("upload_response.app", r.App)
	m.addKnown("upload_response.worker", r.Worker)
	m.addKnown("error.type", r.Reason)
	if r.WebSocket {
		m.add("upload_response.websocket").value.Value = isTrue
	}
}

var isTrue = &commonpb.AnyValue_BoolValue{BoolValue: true}

// add adds an attribute without a value.
func (m *room) add(key string) *keyValue {
	a := &m.attributes[m.used]
	a.pair.Key, a.pair.Value = key, &a.value
	m.list[m.used] = &a.pair
	m.used++
	return a
}

func (m *room) addNumber(key string, number int64) {
	a := m.add(key)
	a.number.IntValue = number
	a.value.Value = &a.number
}

// replacement stands for bytes that are no text. A message that had them would not be sent.
const replacement = "\ufffd"

func (m *room) addText(key, text string) {
	a := m.add(key)
	a.text.StringValue = strings.ToValidUTF8(beginning(text, m.longest), replacement)
	a.value.Value = &a.text
}

// addKnown adds a text that is not empty.
func (m *room) addKnown(key, text string) {
	if text != "" {
		m.addText(key, text)
	}
}

// beginning returns the first characters of a text; 0: all of it.
func beginning(text string, characters int) string {
	if characters == 0 || len(text) <= characters {
		return text
	}
	for at := range text {
		if characters == 0 {
			return text[:at]
		}
		characters--
	}
	return text
}
