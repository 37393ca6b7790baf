package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/server/listen"
	"github.com/wavey-ai/upload-response/server/metrics"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// observation says who gets to see what the server does.
type observation struct {
	metrics []listen.Address // where /metrics is; at most one
	tracing string           // URL of a collector; empty: the variables of OpenTelemetry say it
	sample  *float64         // part of new traces that is recorded; nil: likewise
}

func (o *observation) flags() cli.Group {
	return cli.Group{Heading: "Metrics and traces", Options: append([]cli.Option{{
		Name: "metrics", Arg: "ADDRESS",
		Help:  "HOST:PORT or unix:PATH where Prometheus, and anybody else, finds /metrics",
		Parse: metricsAddress(&o.metrics),
	}}, o.tracingFlags()...)}
}

// metricsAddress takes the address of the metrics.
func metricsAddress(p *[]listen.Address) func(string) error {
	return func(s string) error {
		a, err := listen.ParseAddress(s)
		switch {
		case err != nil:
			return err
		case a.Secure:
			return errors.New("metrics are served in the clear: want HOST:PORT or unix:PATH")
		}
		*p = []listen.Address{a}
		return nil
	}
}

// scrapeTimeout bounds how long a scraper may take for its request, and for the answer.
const scrapeTimeout = 30 * time.Second

// metricsServer shows the metrics at an address of their own.
type metricsServer struct {
	listener *listen.Listener
	http     *http.Server
}

// openMetrics takes the address. It returns nil if there is none. Release: close.
func (v *service) openMetrics() (*metricsServer, error) {
	o := &v.settings.observe
	if len(o.metrics) == 0 {
		return nil, nil
	}
	l, err := v.inheritOrListen("metrics", o.metrics[0], false)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w (choose another address with --metrics)", o.metrics[0],
			systemError(err))
	}
	return &metricsServer{listener: l}, nil
}

// start begins to serve. The path is the only one there is.
func (m *metricsServer) start(sources metrics.Sources, log *slog.Logger, failed func(error)) {
	if m == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics.Handler(metrics.NewRegistry(sources)))
	m.http = &http.Server{
		Handler: mux, ReadTimeout: scrapeTimeout, WriteTimeout: 2 * scrapeTimeout, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	log.Info("metrics", "listen", m.listener.String(), "path", "/metrics")
	go func() {
		if err := m.http.Serve(m.listener.Listener); !errors.Is(err, http.ErrServerClosed) {
			failed(fmt.Errorf("serve metrics: %w", err))
		}
	}()
}

// close ends the metrics server: a scrape that is going on gets a moment.
func (m *metricsServer) close() {
	switch {
	case m == nil:
	case m.http == nil:
		_ = m.listener.Close()
	default:
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = m.http.Shutdown(ctx)
		_ = m.http.Close()
	}
}

// metricsSources returns the sources of the metrics.
func (v *service) metricsSources() metrics.Sources {
	s := metrics.Sources{
		Router: v.router, LostLogLines: v.output.lostLines, Workers: v.workerMetrics, Exits: v.exitMetrics,
		ReloadFailed: v.reloadFailed.Load,
	}
	if v.certificates != nil {
		s.Certificates = v.certificates.expiries
	}
	return s
}

// expiries returns when the certificates in use expire.
func (c *certificates) expiries() (list []metrics.Certificate) {
	add := func(name string, leaf *x509.Certificate) {
		if leaf != nil {
			list = append(list, metrics.Certificate{Name: name, Expires: leaf.NotAfter})
		}
	}
	if c.acme != nil {
		for _, domain := range c.acme.domains {
			if found := c.acme.cache.AllMatchingCertificates(domain); len(found) > 0 {
				add(domain, found[0].Leaf)
			}
		}
		return list
	}
	if current, err := c.current(nil); err == nil {
		add(c.name, current.Leaf)
	}
	return list
}

// workerMetrics returns what the worker processes do.
func (v *service) workerMetrics() (list []metrics.Worker) {
	for _, w := range v.workers.Workers() {
		list = append(list, metrics.Worker{
			App: w.Pool, Name: w.Name, State: strings.ReplaceAll(string(w.State), " ", "_"),
			StartTime: w.StartTook, Resident: w.Resident, CPU: w.CPU,
		})
	}
	return list
}

// exitMetrics returns how worker processes have ended. Each reason is there before a process has: an alert about the
// first one needs to see it come.
func (v *service) exitMetrics() (list []metrics.Exits) {
	for _, a := range v.workers.Apps() {
		for _, reason := range supervise.Reasons() {
			list = append(list, metrics.Exits{App: a.Pool, Reason: string(reason), Count: uint64(a.Exits[reason])})
		}
	}
	return list
}
