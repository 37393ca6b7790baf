package tracing

import (
	"context"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/wavey-ai/upload-response/server"
)

// End records a request that is over.
func (t *Tracer) End(r *server.TracedRequest) {
	end := r.Start.Add(r.Total)
	ctx := context.Background()
	if r.Span.From.Span != [8]byte{} {
		ctx = oteltrace.ContextWithRemoteSpanContext(ctx, spanContext(r.Span.Trace, r.Span.From.Span, true))
	}
	name := r.Method
	if r.Route != "" {
		name += " " + r.Route
	}
	ctx, whole := t.start(ctx, name, spanContext(r.Span.Trace, r.Span.ID, false), r.Start,
		oteltrace.WithSpanKind(oteltrace.SpanKindServer), oteltrace.WithAttributes(attributes(r)...))
	if r.Reason != "" && (r.Status >= 500 || r.Begun) {
		whole.SetStatus(codes.Error, r.Reason)
	}
	t.parts(ctx, r, end)
	whole.End(oteltrace.WithTimestamp(end))
}

// parts records the parts of a request.
func (t *Tracer) parts(ctx context.Context, r *server.TracedRequest, end time.Time) {
	if r.Queue < 0 {
		return
	}
	placed := r.Start.Add(r.Queue)
	_, queue := t.tracer.Start(ctx, "queue", oteltrace.WithTimestamp(r.Start))
	queue.End(oteltrace.WithTimestamp(placed))
	if r.Worker == "" {
		return
	}
	inner, worker := t.start(ctx, "worker", spanContext(r.Span.Trace, r.Span.Worker, false), placed,
		oteltrace.WithSpanKind(oteltrace.SpanKindClient),
		oteltrace.WithAttributes(attribute.String("upload_response.worker", r.Worker)))
	if r.FirstByte >= 0 {
		_, first := t.tracer.Start(inner, "first byte", oteltrace.WithTimestamp(placed))
		first.End(oteltrace.WithTimestamp(r.Start.Add(max(r.FirstByte, r.Queue))))
	}
	worker.End(oteltrace.WithTimestamp(end))
}

// start starts a span with an id of ours.
func (t *Tracer) start(
	ctx context.Context, name string, id oteltrace.SpanContext, at time.Time, more ...oteltrace.SpanStartOption,
) (context.Context, oteltrace.Span) {
	ctx = context.WithValue(ctx, idKey{}, id)
	within, span := t.tracer.Start(ctx, name, append(more, oteltrace.WithTimestamp(at))...)
	return context.WithValue(within, idKey{}, nil), span
}

func spanContext(trace [16]byte, span [8]byte, remote bool) oteltrace.SpanContext {
	return oteltrace.NewSpanContext(oteltrace.SpanContextConfig{
		TraceID: trace, SpanID: span, TraceFlags: oteltrace.FlagsSampled, Remote: remote,
	})
}

// attributes are what there is to say of a request, by the names of the semantic conventions of OpenTelemetry. The
// query is not among them: it may hold secrets.
func attributes(r *server.TracedRequest) []attribute.KeyValue {
	list := []attribute.KeyValue{
		attribute.String("http.request.method", r.Method), attribute.Int("http.response.status_code", r.Status),
		attribute.String("url.scheme", r.Scheme), attribute.String("url.path", r.Path),
		attribute.String("server.address", r.Host),
		attribute.String("network.protocol.version", strings.TrimPrefix(r.Protocol, "HTTP/")),
		attribute.Int64("http.request.body.size", r.Received), attribute.Int64("http.response.body.size", r.Sent),
		attribute.String("upload_response.request_id", r.RequestID),
	}
	for name, value := range map[string]string{
		"client.address": r.Client, "user_agent.original": r.Agent, "http.route": r.Route, "upload_response.app": r.App,
		"upload_response.worker": r.Worker, "error.type": r.Reason,
	} {
		if value != "" {
			list = append(list, attribute.String(name, value))
		}
	}
	if r.WebSocket {
		list = append(list, attribute.Bool("upload_response.websocket", true))
	}
	return list
}
