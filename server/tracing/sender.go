package tracing

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/wavey-ai/upload-response/server"
)

// sender makes messages of requests, and sends them to the collector. One goroutine uses it.
//
// The spans of OpenTelemetry's own SDK are for programs that make them while they work. Here all of a request is known
// when it is over: to make the message of that alone takes a quarter of the time.
type sender struct {
	client  otlptrace.Client
	timeout time.Duration // in which a message is sent, with repetitions
	longest int           // characters of text in an attribute; 0: any

	message []*tracepb.ResourceSpans
	scope   *tracepb.ScopeSpans // in the message
	rooms   []room              // used again
}

func newSender(client otlptrace.Client, about *resource.Resource, v variables) sender {
	scope := &tracepb.ScopeSpans{Scope: &commonpb.InstrumentationScope{
		Name: "github.com/wavey-ai/upload-response", Version: server.Version,
	}}
	return sender{
		client: client, timeout: v.time("OTEL_BSP_EXPORT_TIMEOUT", 30*time.Second),
		longest: v.number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", v.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 0)),
		scope:   scope,
		message: []*tracepb.ResourceSpans{{
			Resource: &resourcepb.Resource{Attributes: resourceAttributes(about)}, SchemaUrl: about.SchemaURL(),
			ScopeSpans: []*tracepb.ScopeSpans{scope},
		}},
	}
}

// resourceAttributes returns what is known of this process; texts and numbers.
func resourceAttributes(about *resource.Resource) (list []*commonpb.KeyValue) {
	for _, a := range about.Attributes() {
		value := &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: a.Value.String()}}
		if a.Value.Type() == attribute.INT64 {
			value.Value = &commonpb.AnyValue_IntValue{IntValue: a.Value.AsInt64()}
		}
		list = append(list, &commonpb.KeyValue{Key: string(a.Key), Value: value})
	}
	return list
}

// send sends requests.
func (s *sender) send(ctx context.Context, requests []*server.TracedRequest) error {
	if len(s.rooms) < len(requests) {
		s.rooms = make([]room, len(requests))
	}
	defer clear(s.rooms[:len(requests)]) // or it would keep what clients have sent
	s.scope.Spans = s.scope.Spans[:0]
	for i, r := range requests {
		s.rooms[i].longest = s.longest
		s.scope.Spans = s.rooms[i].appendSpans(s.scope.Spans, r)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.client.UploadTraces(ctx, s.message)
}
