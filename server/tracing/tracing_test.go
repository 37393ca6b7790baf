package tracing_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/tracing"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// receiver is a collector of spans.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	spans    []*otlp.Span
	services map[string]bool
	failures []error
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{services: map[string]bool{}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		message, err := decode(q)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil || q.URL.Path != "/v1/traces" {
			r.failures = append(r.failures, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, resource := range message.ResourceSpans {
			for _, a := range resource.Resource.Attributes {
				if a.Key == "service.name" {
					r.services[a.Value.GetStringValue()] = true
				}
			}
			for _, scope := range resource.ScopeSpans {
				r.spans = append(r.spans, scope.Spans...)
			}
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func decode(q *http.Request) (*collector.ExportTraceServiceRequest, error) {
	body, err := io.ReadAll(q.Body)
	if err == nil && q.Header.Get("Content-Encoding") == "gzip" {
		var unzip *gzip.Reader
		if unzip, err = gzip.NewReader(bytes.NewReader(body)); err == nil {
			body, err = io.ReadAll(unzip)
		}
	}
	message := &collector.ExportTraceServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(body, message)
	}
	return message, err
}

// named returns the only span of a name.
func (r *receiver) named(t *testing.T, name string) *otlp.Span {
	t.Helper()
	var found *otlp.Span
	for _, span := range r.spans {
		if span.Name != name {
			continue
		}
		if found != nil {
			t.Errorf("two spans are named %q", name)
		}
		found = span
	}
	if found == nil {
		t.Fatalf("no span is named %q: %v", name, r.spans)
	}
	return found
}

// attributesOf returns those of a span by name, numbers as text.
func attributesOf(span *otlp.Span) map[string]string {
	attributes := map[string]string{}
	for _, a := range span.Attributes {
		attributes[a.Key] = a.Value.GetStringValue()
		if _, text := a.Value.Value.(*common.AnyValue_StringValue); !text {
			attributes[a.Key] = strconv.FormatInt(a.Value.GetIntValue(), 10)
		}
	}
	return attributes
}

// stand is a server with a worker, which answers with the traceparent that it got.
type stand struct {
	*harness.Server
	log harness.Log // the access log
}

func newStand(t *testing.T, tracer server.Tracer) *stand {
	t.Helper()
	s := &stand{}
	s.Server = harness.Start(t, func(c *server.Config) {
		harness.SmallServer(c)
		c.Routes = []server.Route{{Prefix: "/", Pool: "web"}, {Prefix: "/nobody", Pool: "nobody"}}
		c.Started = func(pid int) (string, int) { return "web", pid }
		c.WorkerName = func(int) string { return "web/0" }
		c.Tracer = tracer
		c.AccessLog = slog.New(slog.NewJSONHandler(&s.log, nil))
	})
	s.ServeHere(t, "web", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Seen-State", strings.Join(r.Header["Tracestate"], "|"))
		_, _ = io.WriteString(w, strings.Join(r.Header["Traceparent"], "|"))
	}))
	return s
}

// get makes a request with these fields, and returns the traceparent and tracestate that the worker got.
func (s *stand) get(t *testing.T, path string, parents ...string) (parent, state string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, s.URL+path, nil)
	harness.Check(t, err)
	request.Header["Traceparent"] = parents
	request.Header.Set("Tracestate", "vendor=1")
	response, err := s.Client.Do(request)
	harness.Check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	harness.Check(t, err)
	return string(body), response.Header.Get("Seen-State")
}

// traces returns the traces of the lines of the access log, in their order. The server is to have ended.
func (s *stand) traces(t *testing.T) (all []string) {
	t.Helper()
	for line := range strings.Lines(s.log.String()) {
		var l struct{ Trace string }
		harness.Check(t, json.Unmarshal([]byte(line), &l))
		all = append(all, l.Trace)
	}
	return all
}

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	spanID  = "00f067aa0ba902b7"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

func TestWithoutATracerATraceIsPassedOnAndLogged(t *testing.T) {
	var s *stand
	t.Run("requests", func(t *testing.T) {
		s = newStand(t, nil)
		if got, state := s.get(t, "/", parent); got != parent || state != "vendor=1" {
			t.Errorf("the worker got %q, %q", got, state)
		}
		for _, invalid := range [][]string{{"00-x-y-01"}, {parent, parent}, {strings.ToUpper(parent)}} {
			if got, state := s.get(t, "/", invalid...); got != "" || state != "" {
				t.Errorf("%q: the worker got %q, %q", invalid, got, state)
			}
		}
		if got, _ := s.get(t, "/"); got != "" {
			t.Errorf("without a trace the worker got %q", got)
		}
	})
	if got := s.traces(t); strings.Join(got, " ") != traceID+"    " {
		t.Errorf("the log has %q", got)
	}
}

func newTracer(t testing.TB, c tracing.Config, env map[string]string) *tracing.Tracer {
	t.Helper()
	tracer, err := tracing.New(context.Background(), c, func(name string) string { return env[name] })
	harness.Check(t, err)
	return tracer
}

func TestACollectorGetsTheSpansOfARequestWithTheRightParents(t *testing.T) {
	r := newReceiver(t)
	tracer := newTracer(t, tracing.Config{Endpoint: r.URL}, nil)
	var passedOn string
	t.Run("requests", func(t *testing.T) { passedOn, _ = newStand(t, tracer).get(t, "/a?secret=1", parent) })
	harness.Check(t, tracer.Close(context.Background()))
	if len(r.failures) > 0 || len(r.spans) != 4 || !r.services["upload-response"] {
		t.Fatalf("%d spans of %v, failures %v", len(r.spans), r.services, r.failures)
	}
	whole, queue := r.named(t, "GET /"), r.named(t, "queue")
	work, first := r.named(t, "worker"), r.named(t, "first byte")
	for _, c := range []struct {
		span   *otlp.Span
		parent string
	}{
		{whole, spanID}, {queue, hex.EncodeToString(whole.SpanId)}, {work, hex.EncodeToString(whole.SpanId)},
		{first, hex.EncodeToString(work.SpanId)},
	} {
		remote := c.parent == spanID // else it is a span of this server
		if want := map[bool]uint32{false: 0x101, true: 0x301}[remote]; c.span.Flags != want {
			t.Errorf("%s: the flags are %#x, want %#x", c.span.Name, c.span.Flags, want)
		}
		if got := hex.EncodeToString(c.span.ParentSpanId); got != c.parent {
			t.Errorf("%s: the parent is %s, want %s", c.span.Name, got, c.parent)
		}
		if got := hex.EncodeToString(c.span.TraceId); got != traceID {
			t.Errorf("%s is in trace %s", c.span.Name, got)
		}
		if c.span.StartTimeUnixNano < whole.StartTimeUnixNano || c.span.EndTimeUnixNano > whole.EndTimeUnixNano ||
			c.span.StartTimeUnixNano > c.span.EndTimeUnixNano {
			t.Errorf("%s: from %d to %d, the whole from %d to %d", c.span.Name, c.span.StartTimeUnixNano,
				c.span.EndTimeUnixNano, whole.StartTimeUnixNano, whole.EndTimeUnixNano)
		}
	}
	if want := "00-" + traceID + "-" + hex.EncodeToString(work.SpanId) + "-01"; passedOn != want {
		t.Errorf("the worker got %q, want %q", passedOn, want)
	}
	if whole.Kind != otlp.Span_SPAN_KIND_SERVER || queue.EndTimeUnixNano != work.StartTimeUnixNano {
		t.Errorf("kind %v; the queue ends at %d, the worker begins at %d", whole.Kind, queue.EndTimeUnixNano,
			work.StartTimeUnixNano)
	}
	attributes := attributesOf(whole)
	if a := work.Attributes[0]; a.Key != "upload_response.worker" || a.Value.GetStringValue() != "web/0" {
		t.Errorf("the worker's span has %v", work.Attributes)
	}
	for key, want := range map[string]string{
		"http.request.method": "GET", "http.response.status_code": "200", "url.path": "/a", "http.route": "/",
		"upload_response.app": "web", "upload_response.worker": "web/0", "network.protocol.version": "1.1",
	} {
		if attributes[key] != want {
			t.Errorf("%s is %q, want %q", key, attributes[key], want)
		}
	}
	if strings.Contains(whole.String(), "secret") {
		t.Error("the query is in the span")
	}
}

func TestBytesThatAreNoTextAreReplaced(t *testing.T) { // a message with them would be lost, with all requests in it
	r := newReceiver(t)
	tracer := newTracer(t, tracing.Config{Endpoint: r.URL}, nil)
	t.Run("requests", func(t *testing.T) { newStand(t, tracer).get(t, "/a%ff%fe/\u00e4") })
	harness.Check(t, tracer.Close(context.Background()))
	if got := attributesOf(r.named(t, "GET /"))["url.path"]; got != "/a\ufffd/\u00e4" {
		t.Errorf("the path is %q", got)
	}
}

func TestTextIsAsLongAsTheVariableSays(t *testing.T) {
	const path = "/\u00e4\u00f6\u00fcabc"
	for name, c := range map[string]struct{ env, want string }{
		"limit": {"4", "/\u00e4\u00f6\u00fc"}, "no limit": {"", path}, "shorter": {"7", path}, "no number": {"x", path},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			tracer := newTracer(t, tracing.Config{Endpoint: r.URL},
				map[string]string{"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": c.env})
			request := finished(tracer)
			request.Path = path
			tracer.End(request)
			harness.Check(t, tracer.Close(context.Background()))
			if got := attributesOf(r.named(t, "GET /"))["url.path"]; got != c.want {
				t.Errorf("the path is %q, want %q", got, c.want)
			}
		})
	}
}

func TestACollectorThatDoesNotKeepUpLosesRequestsAndHoldsUpNone(t *testing.T) {
	came, goOn := make(chan int, 10), make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		message, err := decode(q)
		if err != nil {
			t.Error(err)
		}
		came <- len(message.ResourceSpans[0].ScopeSpans[0].Spans)
		<-goOn
	}))
	t.Cleanup(slow.Close)
	lost := reports(t)
	tracer := newTracer(t, tracing.Config{Endpoint: slow.URL}, map[string]string{ // in spans, of which each has four
		"OTEL_BSP_MAX_QUEUE_SIZE": "8", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
	})
	tracer.End(finished(tracer))
	if n := <-came; n != 4 {
		t.Errorf("%d spans came", n)
	}
	for range 10 {
		tracer.End(finished(tracer))
	}
	close(goOn)
	harness.Check(t, tracer.Close(context.Background()))
	tracer.End(finished(tracer)) // later than the end
	if n := len(came); n != 2 || <-came+<-came != 8 {
		t.Errorf("%d more messages came", n)
	}
	if n := len(lost); n != 1 {
		t.Fatalf("%d reports of loss", n)
	}
	if got := <-lost; !strings.HasPrefix(got, "8 requests: ") {
		t.Errorf("what is lost: %q", got)
	}
}

func TestWhatACollectorRefusesIsReported(t *testing.T) {
	refusing := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(refusing.Close)
	lost := reports(t)
	tracer := newTracer(t, tracing.Config{Endpoint: refusing.URL}, map[string]string{
		"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "4",
	})
	for range 3 {
		tracer.End(finished(tracer))
	}
	harness.Check(t, tracer.Close(context.Background()))
	if len(lost) != 1 {
		t.Fatalf("%d reports of loss", len(lost))
	}
	if got := <-lost; !strings.HasPrefix(got, "3 requests: ") || !strings.Contains(got, "404") {
		t.Errorf("what is lost: %q", got)
	}
}

// reports returns what the tracers of a test report.
func reports(t *testing.T) chan string {
	lost := make(chan string, 10)
	before := otel.GetErrorHandler()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { lost <- err.Error() }))
	t.Cleanup(func() { otel.SetErrorHandler(before) })
	return lost
}

func TestTheEndDoesNotWaitForACollectorThatHangs(t *testing.T) {
	goOn := make(chan struct{})
	hung := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-goOn }))
	t.Cleanup(hung.Close)
	t.Cleanup(func() { close(goOn) })
	tracer := newTracer(t, tracing.Config{Endpoint: hung.URL}, nil)
	tracer.End(finished(tracer))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := tracer.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the end is %v", err)
	}
}

func TestAFailureIsARecordedError(t *testing.T) {
	r := newReceiver(t)
	tracer := newTracer(t, tracing.Config{}, map[string]string{"OTEL_TRACES_SAMPLER": "always_on"})
	harness.Check(t, tracer.Close(context.Background())) // without an endpoint it goes to the default one
	tracer = newTracer(t, tracing.Config{Endpoint: r.URL + "/"}, nil)
	var s *stand
	t.Run("requests", func(t *testing.T) {
		s = newStand(t, tracer)
		s.get(t, "/nobody")
	})
	harness.Check(t, tracer.Close(context.Background()))
	whole := r.named(t, "GET /nobody")
	if whole.Status.GetCode() != otlp.Status_STATUS_CODE_ERROR || whole.Status.Message != "no_worker_attached" ||
		len(whole.ParentSpanId) != 0 {
		t.Errorf("%v", whole)
	}
	if len(r.spans) != 2 { // it has waited, in vain
		t.Errorf("%d spans", len(r.spans))
	}
	if got := s.traces(t); len(got) != 1 || got[0] != hex.EncodeToString(whole.TraceId) {
		t.Errorf("the log has %q", got)
	}
}

func TestWhoeverBeganATraceDecidesWhetherItIsRecorded(t *testing.T) {
	none := 0.0
	off := map[string]string{"OTEL_TRACES_SAMPLER": "always_off"}
	for name, c := range map[string]struct {
		config tracing.Config
		env    map[string]string
		parent string
		spans  int
		passed string // of the worker's field: the flags
	}{
		"sampled before":         {tracing.Config{Sample: &none}, nil, parent, 4, "-01"},
		"not sampled before":     {tracing.Config{}, nil, strings.TrimSuffix(parent, "1") + "0", 0, spanID + "-00"},
		"new, and no part":       {tracing.Config{Sample: &none}, nil, "", 0, "-00"},
		"new, and all":           {tracing.Config{}, nil, "", 4, "-01"},
		"new, always off":        {tracing.Config{}, off, "", 0, "-00"},
		"before, but always off": {tracing.Config{}, off, parent, 0, parent},
		"part of the ids": {tracing.Config{}, map[string]string{
			"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}, "", 0, "-00"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t)
			c.config.Endpoint = r.URL
			tracer := newTracer(t, c.config, c.env)
			var passed string
			t.Run("requests", func(t *testing.T) {
				var parents []string
				if c.parent != "" {
					parents = append(parents, c.parent)
				}
				passed, _ = newStand(t, tracer).get(t, "/", parents...)
			})
			harness.Check(t, tracer.Close(context.Background()))
			if len(r.spans) != c.spans || !strings.HasSuffix(passed, c.passed) || passed == "" {
				t.Errorf("%d spans, the worker got %q", len(r.spans), passed)
			}
		})
	}
}

func TestAMistakeInTheSettingsIsAnError(t *testing.T) {
	for name, c := range map[string]struct {
		config tracing.Config
		env    map[string]string
	}{
		"endpoint": {tracing.Config{Endpoint: "127.0.0.1:4318"}, nil},
		"scheme":   {tracing.Config{Endpoint: "grpc://127.0.0.1:4317"}, nil},
		"protocol": {tracing.Config{}, map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}},
		"sampler":  {tracing.Config{}, map[string]string{"OTEL_TRACES_SAMPLER": "sometimes"}},
		"part": {tracing.Config{}, map[string]string{
			"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}},
	} {
		_, err := tracing.New(context.Background(), c.config, func(name string) string { return c.env[name] })
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestTheVariablesSayWhetherTracesAreWanted(t *testing.T) {
	for want, envs := range map[bool][]map[string]string{
		true: {{"OTEL_EXPORTER_OTLP_ENDPOINT": "x"}, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "x"}},
		false: {{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_SDK_DISABLED": "true"},
			{"OTEL_EXPORTER_OTLP_ENDPOINT": "x", "OTEL_TRACES_EXPORTER": "none"}},
	} {
		for _, env := range envs {
			if got := tracing.Wanted(func(name string) string { return env[name] }); got != want {
				t.Errorf("%v: %v", env, got)
			}
		}
	}
}
