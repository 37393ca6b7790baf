package metrics_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/metrics"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// stand is a running server with a worker of its own, and its metrics.
type stand struct {
	*harness.Server
	t      *testing.T
	scrape string // URL of the metrics
}

// newStand starts a server whose pool "web" is served by handler, with a route that leads to nobody, too.
func newStand(t *testing.T, handler http.Handler, sources metrics.Sources) *stand {
	t.Helper()
	s := &stand{t: t, Server: harness.Start(t, func(c *server.Config) {
		harness.SmallServer(c)
		c.Routes = []server.Route{{Prefix: "/web", Pool: "web"}, {Prefix: "/nobody", Pool: "nobody"}}
	})}
	s.ServeHere(t, "web", handler)
	sources.Router = s.Router
	admin := httptest.NewServer(metrics.Handler(metrics.NewRegistry(sources)))
	t.Cleanup(admin.Close)
	s.scrape = admin.URL
	return s
}

// families returns all metrics, as a scraper gets them.
func (s *stand) families() map[string]*dto.MetricFamily {
	s.t.Helper()
	response, err := http.Get(s.scrape)
	harness.Check(s.t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	all, err := parser.TextToMetricFamilies(response.Body)
	harness.Check(s.t, err)
	return all
}

// value returns the metric of a name with labels "a=b c=d", or -1: the number of a counter or gauge, the count of a
// histogram.
func value(all map[string]*dto.MetricFamily, name, labels string) float64 {
	for _, m := range all[name].GetMetric() {
		has := map[string]bool{}
		for _, pair := range m.GetLabel() {
			has[pair.GetName()+"="+pair.GetValue()] = true
		}
		match := true
		for _, want := range strings.Fields(labels) {
			match = match && has[want]
		}
		switch {
		case !match:
		case m.Histogram != nil:
			return float64(m.GetHistogram().GetSampleCount())
		case m.Gauge != nil:
			return m.GetGauge().GetValue()
		default:
			return m.GetCounter().GetValue()
		}
	}
	return -1
}

// await waits until a metric has a value.
func (s *stand) await(name, labels string, want float64) {
	s.t.Helper()
	var got float64
	for end := time.Now().Add(harness.Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = value(s.families(), name, labels); got == want {
			return
		}
	}
	s.t.Errorf("%s{%s} is %v, want %v", name, labels, got, want)
}

// awaitAtLeast waits until a metric has a value, or a greater one.
func (s *stand) awaitAtLeast(name, labels string, least float64) {
	s.t.Helper()
	var got float64
	for end := time.Now().Add(harness.Patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = value(s.families(), name, labels); got >= least {
			return
		}
	}
	s.t.Errorf("%s{%s} is %v, want at least %v", name, labels, got, least)
}

// send makes a request and returns the status.
func (s *stand) send(method, path string, body io.Reader) int {
	s.t.Helper()
	request, err := http.NewRequest(method, "http://"+s.Addr+path, body)
	harness.Check(s.t, err)
	response, err := http.DefaultTransport.RoundTrip(request)
	harness.Check(s.t, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}

// count answers with as many bytes as it was sent.
var count = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	n, _ := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(w, "%0*d", n, 0)
})

func TestEveryAnswerIsCounted(t *testing.T) {
	s := newStand(t, count, metrics.Sources{})
	const size = 100_000
	for range 3 {
		if got := s.send("PUT", "/web/x", strings.NewReader(strings.Repeat("x", size))); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
	}
	if got := s.send("GET", "/elsewhere", nil); got != http.StatusNotFound {
		t.Errorf("status %d without a route", got)
	}
	if got := s.send("BREW", "/nobody", nil); got != http.StatusServiceUnavailable {
		t.Errorf("status %d without a worker", got)
	}
	c, err := net.Dial("tcp", s.Addr)
	harness.Check(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
	harness.Check(t, err)
	refused, err := http.ReadResponse(bufio.NewReader(c), nil)
	harness.Check(t, err)
	_ = refused.Body.Close()
	if refused.StatusCode != http.StatusBadRequest {
		t.Errorf("status %d of a message that is no request", refused.StatusCode)
	}

	const put = "app=web route=/web method=PUT code=200 protocol=HTTP/1.1"
	s.await("ur_http_requests_total", put, 3)
	for _, want := range []struct {
		name, labels string
		value        float64
	}{
		{"ur_http_requests_total", "app= route= method=GET code=404 protocol=HTTP/1.1", 1},
		{"ur_http_requests_total", "app=nobody route=/nobody method=other code=503", 1},
		{"ur_http_requests_total", "app= route= code=400", 1},
		{"ur_http_request_duration_seconds", "app=web route=/web", 3},
		{"ur_http_time_to_first_byte_seconds", "app=web route=/web", 3},
		{"ur_http_time_to_first_byte_seconds", "app=nobody", 0},
		{"ur_http_requests_in_flight", "app=web", 0},
		{"ur_http_received_bytes_total", "app=web", 3 * size},
		{"ur_http_sent_bytes_total", "app=web", 3 * size},
		{"ur_http_errors_total", "app=web reason=queue_full", 0},
		{"ur_http_errors_total", "app=nobody reason=no_worker_attached", 1},
		{"ur_http_errors_total", "app= reason=no_route", 1},
		{"ur_http_errors_total", "app= reason=bad_request", 1},
		{"ur_app_queue_wait_seconds", "app=web", 3},
		{"ur_app_links", "app=web", 1},
		{"ur_app_links", "app=nobody", 0},
		{"ur_links_attached_total", "", 1},
		{"ur_connections", "listener=" + s.Addr + " protocol=HTTP/3", 0},
	} {
		s.await(want.name, want.labels, want.value)
	}
}

func TestWhatGoesOnIsShownWhileItGoesOn(t *testing.T) {
	more := make(chan bool)
	s := newStand(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.CopyN(w, r.Body, 5000)
		_ = http.NewResponseController(w).Flush()
		<-more
	}), metrics.Sources{})
	body, upload := io.Pipe()
	over := make(chan int)
	go func() { over <- s.send("POST", "/web", body) }()
	_, err := io.WriteString(upload, strings.Repeat("x", 5000))
	harness.Check(t, err)
	s.await("ur_http_received_bytes_total", "app=web", 5000)
	s.await("ur_http_sent_bytes_total", "app=web", 5000)
	s.await("ur_http_requests_in_flight", "app=web", 1)
	s.await("ur_app_lanes_busy", "app=web", 1)
	s.await("ur_streams", "state=used", 1)
	s.await("ur_connections", "listener="+s.Addr+" protocol=HTTP/1.1", 1)
	s.awaitAtLeast("ur_app_busy_seconds_total", "app=web", 1e-9)
	harness.Check(t, upload.Close())
	close(more)
	if got := <-over; got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	s.await("ur_http_received_bytes_total", "app=web", 5000)
	s.await("ur_http_sent_bytes_total", "app=web", 5000)
	s.await("ur_http_requests_in_flight", "app=web", 0)
	s.await("ur_app_lanes_busy", "app=web", 0)
	s.await("ur_connections", "listener="+s.Addr+" protocol=HTTP/1.1", 0)
}

func TestWhoHoldsUpWhomIsMeasured(t *testing.T) {
	read := make(chan bool)
	s := newStand(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			<-read
			_, _ = io.Copy(io.Discard, r.Body)
			return
		}
		for piece := make([]byte, 1<<20); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	}), metrics.Sources{})
	over := make(chan int)
	go func() { over <- s.send("POST", "/web", io.LimitReader(zeros{}, 64<<20)) }()
	s.awaitAtLeast("ur_backpressure_seconds_total", "app=web held=worker", 0.05)
	if got := value(s.families(), "ur_backpressure_seconds_total", "app=web held=client"); got != 0 {
		t.Errorf("the client is said to hold up its own upload for %v s", got)
	}
	close(read)
	<-over

	c, err := net.Dial("tcp", s.Addr)
	harness.Check(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /web HTTP/1.1\r\nHost: a\r\n\r\n")
	harness.Check(t, err)
	s.awaitAtLeast("ur_backpressure_seconds_total", "app=web held=client", 0.05)
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// all are sources of everything.
func all() metrics.Sources {
	return metrics.Sources{
		Workers: func() []metrics.Worker {
			return []metrics.Worker{
				{
					App: "web", Name: "web/0", State: "running", StartTime: time.Second, Resident: 1 << 20,
					CPU: time.Minute,
				},
				{App: "web", Name: "web/1", State: "starting"},
				{App: "web", Name: "web/1", State: "stopping", Resident: 5},
			}
		},
		Exits: func() []metrics.Exits {
			return []metrics.Exits{{App: "web", Reason: "stuck", Count: 1}, {App: "web", Reason: "stuck", Count: 1}}
		},
		Certificates: func() []metrics.Certificate {
			return []metrics.Certificate{{Name: "a\xffb.pem", Expires: time.Unix(2e9, 0)}}
		},
		ReloadFailed: func() bool { return true },
		LostLogLines: func() int64 { return 7 },
	}
}

func TestWorkersAndTheServerItselfAreShown(t *testing.T) {
	s := newStand(t, count, all())
	families := s.families()
	for _, want := range []struct {
		name, labels string
		value        float64
	}{
		{"ur_app_workers", "app=web state=running", 1}, {"ur_app_workers", "app=web state=starting", 1},
		{"ur_app_workers", "app=web state=failed", 0}, {"ur_app_workers", "app=web state=stopping", 1},
		{"ur_worker_resident_memory_bytes", "worker=web/1", 0}, {"ur_worker_exits_total", "app=web reason=stuck", 2},
		{"ur_worker_resident_memory_bytes", "worker=web/0", 1 << 20},
		{"ur_worker_cpu_seconds_total", "worker=web/0", 60},
		{"ur_worker_start_seconds", "worker=web/0", 1}, {"ur_worker_start_seconds", "worker=web/1", -1},
		{"ur_tls_certificate_expiry_timestamp_seconds", "certificate=a\uFFFDb.pem", 2e9},
		{"ur_config_reload_success", "", 0}, {"ur_log_lines_lost_total", "", 7},
		{"ur_build_info", "version=" + server.Version, 1},
	} {
		if got := value(families, want.name, want.labels); got != want.value {
			t.Errorf("%s{%s} is %v, want %v", want.name, want.labels, got, want.value)
		}
	}
	if families["process_resident_memory_bytes"] == nil || families["go_goroutines"] == nil {
		t.Error("the metrics of the process are missing")
	}
}

func TestTheMetricsAreCleanForPromlint(t *testing.T) {
	s := newStand(t, count, all())
	s.send("GET", "/web", nil)
	response, err := http.Get(s.scrape)
	harness.Check(t, err)
	defer response.Body.Close()
	problems, err := promlint.New(response.Body).Lint()
	harness.Check(t, err)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestTheMetricsCanOnlyBeRead(t *testing.T) {
	s := newStand(t, count, metrics.Sources{})
	response, err := http.Post(s.scrape, "text/plain", nil)
	harness.Check(t, err)
	_ = response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("status %d, Allow: %s", response.StatusCode, response.Header.Get("Allow"))
	}
}
