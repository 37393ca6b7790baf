package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/internal/traceparent"
)

// Config says where spans go. What it leaves open, the variables of OpenTelemetry say: OTEL_EXPORTER_OTLP_*,
// OTEL_TRACES_SAMPLER, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*.
type Config struct {
	// Endpoint is the URL of a collector: http://127.0.0.1:4318 or, with a path, where it takes traces.
	Endpoint string
	// Sample is which part of the traces is recorded, 0 to 1, unless whoever began a trace has decided. Nil: the
	// variables say so, or all are.
	Sample *float64
}

// Wanted reports whether the variables of OpenTelemetry ask for traces.
func Wanted(getenv func(string) string) bool {
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || getenv("OTEL_TRACES_EXPORTER") == "none" {
		return false
	}
	return getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// Tracer makes spans of requests, and sends them in the background. It never holds up a request: when the collector
// does not keep up, spans are lost.
type Tracer struct {
	sampler  sampler
	provider *sdk.TracerProvider
	tracer   oteltrace.Tracer
}

// New returns a tracer. It does not wait for the collector. Release: Close.
func New(ctx context.Context, c Config, getenv func(string) string) (*Tracer, error) {
	t := &Tracer{}
	var err error
	if t.sampler, err = samplerOf(getenv("OTEL_TRACES_SAMPLER"), getenv("OTEL_TRACES_SAMPLER_ARG")); err != nil {
		return nil, err
	}
	if c.Sample != nil {
		t.sampler = ratio(*c.Sample, true)
	}
	options, err := c.options(getenv)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, err
	}
	t.provider = sdk.NewTracerProvider(sdk.WithSampler(sdk.AlwaysSample()), sdk.WithIDGenerator(givenIDs{}),
		sdk.WithBatcher(exporter), sdk.WithResource(serverResource(ctx)))
	t.tracer = t.provider.Tracer("github.com/wavey-ai/upload-response",
		oteltrace.WithInstrumentationVersion(server.Version))
	return t, nil
}

// ErrEndpoint is returned for an endpoint that is none.
var ErrEndpoint = errors.New("want the URL of a collector, such as http://127.0.0.1:4318")

// options returns where the exporter sends spans.
func (c *Config) options(getenv func(string) string) ([]otlptracehttp.Option, error) {
	if c.Endpoint == "" {
		for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
			if protocol := getenv(name); protocol != "" && protocol != "http/protobuf" {
				return nil, fmt.Errorf("%s=%s: only http/protobuf is spoken here", name, protocol)
			}
		}
		return nil, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, ErrEndpoint
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u.String())}, nil
}

// serverResource says who sends the spans; the variables win.
func serverResource(ctx context.Context) *resource.Resource {
	own := resource.NewSchemaless(
		attribute.String("service.name", server.Name), attribute.String("service.version", server.Version))
	r, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID(),
		resource.WithFromEnv())
	if r == nil {
		return own
	}
	_ = err // some of it could not be found
	if merged, err := resource.Merge(own, r); err == nil {
		return merged
	}
	return own
}

// Start decides whether a request is recorded, and gives its spans their ids.
func (t *Tracer) Start(from traceparent.Context) (s server.Span) {
	s.From, s.Trace = from, from.Trace
	if s.Trace == [16]byte{} {
		s.Trace = traceparent.NewTrace()
	}
	s.Recorded = t.sampler.records(s.Trace, from)
	if s.Recorded || from == (traceparent.Context{}) {
		s.ID, s.Worker = traceparent.NewSpan(), traceparent.NewSpan()
	}
	return s
}

// Close sends what has not been sent, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error { return t.provider.Shutdown(ctx) }

// idKey is the key, in a context, of the id that the next span gets.
type idKey struct{}

// givenIDs gives spans the ids that the server has told others before, and new ones to the rest.
type givenIDs struct{}

// NewIDs returns those of a span without a parent.
func (g givenIDs) NewIDs(ctx context.Context) (oteltrace.TraceID, oteltrace.SpanID) {
	if s, ok := ctx.Value(idKey{}).(oteltrace.SpanContext); ok {
		return s.TraceID(), s.SpanID()
	}
	return traceparent.NewTrace(), traceparent.NewSpan()
}

// NewSpanID returns that of a span with a parent.
func (g givenIDs) NewSpanID(ctx context.Context, _ oteltrace.TraceID) oteltrace.SpanID {
	if s, ok := ctx.Value(idKey{}).(oteltrace.SpanContext); ok {
		return s.SpanID()
	}
	return traceparent.NewSpan()
}
