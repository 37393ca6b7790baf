package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// NewRegistry returns the metrics of a server, and those of its process and of the Go runtime, which have the names
// that they have in every program (process_ and go_). Preconditions: the sources have a router.
func NewRegistry(s Sources) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		NewCollector(s), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// Bounds of what scrapers can take.
const (
	scrapesAtOnce = 4
	scrapeTime    = 30 * time.Second
)

// Handler returns a handler that shows metrics in the formats of Prometheus and OpenMetrics. It changes nothing, and
// answers GET and HEAD only.
func Handler(from prometheus.Gatherer) http.Handler {
	show := promhttp.HandlerFor(from, promhttp.HandlerOpts{
		MaxRequestsInFlight: scrapesAtOnce, Timeout: scrapeTime, EnableOpenMetrics: true,
		ErrorHandling: promhttp.ContinueOnError,
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "405 Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		show.ServeHTTP(w, r)
	})
}
