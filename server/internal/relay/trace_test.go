package relay_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/wavey-ai/upload-response/server/internal/relay"
	"github.com/wavey-ai/upload-response/server/tracing"
)

// newTracer returns a tracer that records a part of the requests, and sends them to a collector that forgets them.
func newTracer(t testing.TB, part float64) *tracing.Tracer {
	t.Helper()
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	t.Cleanup(collector.Close)
	tracer, err := tracing.New(context.Background(),
		tracing.Config{Endpoint: collector.URL, Sample: &part}, os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tracer.Close(context.Background()) })
	return tracer
}

func newRequest() *http.Request {
	r := httptest.NewRequest(http.MethodGet, "http://example.com/a", nil)
	r.Header.Set("User-Agent", "curl/8.0")
	r.Header.Set("Accept", "*/*")
	return r
}

// BenchmarkTheTraceOfARequest is what a trace costs while a request goes on, with the frame of its head; what spans
// cost in the background is not in it. The first is what there is without traces.
func BenchmarkTheTraceOfARequest(b *testing.B) {
	for _, c := range []struct {
		name   string
		tracer relay.Tracer
	}{{"not configured", nil}, {"not recorded", newTracer(b, 0)}, {"recorded", newTracer(b, 1)}} {
		b.Run(c.name, func(b *testing.B) {
			steps, r := relay.NewTraceSteps(c.tracer), newRequest()
			b.ReportAllocs()
			for b.Loop() {
				delete(r.Header, "Traceparent") // some put one there
				if _, err := steps.Take(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestARequestThatIsNotRecordedCostsOneAllocation(t *testing.T) {
	allocations := func(tracer relay.Tracer) float64 {
		steps, r := relay.NewTraceSteps(tracer), newRequest()
		return testing.AllocsPerRun(100, func() {
			if _, err := steps.Take(r); err != nil {
				t.Fatal(err)
			}
		})
	}
	if without, with := allocations(nil), allocations(newTracer(t, 0)); with > without+1 {
		t.Errorf("%v allocations, %v without a tracer", with, without)
	}
}
