package tracing_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/internal/traceparent"
	"github.com/wavey-ai/upload-response/server/tracing"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// finished returns a request that a worker has served.
func finished(tracer *tracing.Tracer) *server.TracedRequest {
	return &server.TracedRequest{
		Span: tracer.Start(traceparent.Context{}), Start: time.Now(), Total: 90 * time.Microsecond,
		Queue: 10 * time.Microsecond, FirstByte: 80 * time.Microsecond,
		Method: http.MethodGet, Scheme: "http", Host: "example.com", Path: "/a", Protocol: "HTTP/1.1",
		Client: "192.0.2.1", Agent: "curl/8.0", RequestID: "0123456789abcdef0123456789abcdef",
		App: "web", Route: "/", Worker: "web/0", Status: http.StatusOK, Sent: 100,
	}
}

// BenchmarkARecordedRequest has the processor time of all threads for a request that is recorded and sent, with that
// of the collector, which throws it away.
func BenchmarkARecordedRequest(b *testing.B) {
	sent := make(chan struct{}, 1000)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		sent <- struct{}{}
	}))
	defer collector.Close()
	tracer := newTracer(b, tracing.Config{Endpoint: collector.URL}, nil)
	b.ReportAllocs()
	b.ResetTimer()
	begin := processorTime(b)
	for i := range b.N {
		tracer.End(finished(tracer))
		if i%batch == batch-1 {
			<-sent
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(processorTime(b)-begin)/float64(b.N), "cpu-ns/op")
	harness.Check(b, tracer.Close(context.Background()))
}

// batch is how many requests are sent at once by default.
const batch = 512

func processorTime(t testing.TB) time.Duration {
	var u unix.Rusage
	harness.Check(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
