package tracing

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"

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
// does not keep up, requests are not recorded.
type Tracer struct {
	sampler sampler
	queue   queue
	sender  sender
	every   time.Duration // after which requests are sent, however few they are
	failed  int           // requests that were not sent, since the last report
	failure error         // why the last of them were not

	closing sync.Once
	cancel  context.CancelFunc // ends what is being sent
	done    chan struct{}      // closed when nothing is sent any more
}

// New returns a tracer. It does not wait for the collector. Release: Close.
func New(ctx context.Context, c Config, getenv func(string) string) (*Tracer, error) {
	v := variables{getenv}
	t := &Tracer{every: v.time("OTEL_BSP_SCHEDULE_DELAY", 5*time.Second), done: make(chan struct{})}
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
	client := otlptracehttp.NewClient(options...)
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	t.queue = newQueue(v.requests("OTEL_BSP_MAX_QUEUE_SIZE", 2048), v.requests("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512))
	t.sender = newSender(client, serverResource(ctx), v)
	ctx, t.cancel = context.WithCancel(context.Background())
	go t.run(ctx)
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
	if s.Recorded {
		s.ID = traceparent.NewSpan()
	}
	if s.Recorded || from == (traceparent.Context{}) {
		s.Worker = traceparent.NewSpan()
	}
	return s
}

// End records a request that is over.
func (t *Tracer) End(r *server.TracedRequest) { t.queue.add(r) }

// run sends requests until the queue is closed.
func (t *Tracer) run(ctx context.Context) {
	defer close(t.done)
	timer := time.NewTicker(t.every)
	defer timer.Stop()
	for open := true; open; {
		select {
		case <-timer.C:
		case _, open = <-t.queue.ripe:
			if open {
				t.send(ctx, t.queue.batch)
				continue
			}
		}
		t.send(ctx, 1)
		t.report()
	}
}

// send sends the requests that wait, as long as there are so many at least.
func (t *Tracer) send(ctx context.Context, least int) {
	for {
		requests := t.queue.take(least)
		if len(requests) == 0 {
			return
		}
		if err := t.sender.send(ctx, requests); err != nil {
			t.failed, t.failure = t.failed+len(requests), err
		}
	}
}

// report tells of requests that were lost since the last report.
func (t *Tracer) report() {
	if n := t.queue.dropped(); n > 0 {
		otel.Handle(fmt.Errorf("%d requests: the collector does not keep up", n))
	}
	if t.failed > 0 {
		otel.Handle(fmt.Errorf("%d requests: %w", t.failed, t.failure))
		t.failed = 0
	}
}

// Close sends what has not been sent, until ctx ends. Requests that end later are not recorded.
func (t *Tracer) Close(ctx context.Context) (err error) {
	t.closing.Do(func() {
		t.queue.close()
		select {
		case <-t.done:
		case <-ctx.Done():
			err = ctx.Err()
		}
		t.cancel()
		<-t.done
		err = errors.Join(err, t.sender.client.Stop(ctx))
	})
	return err
}
