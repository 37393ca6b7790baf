// Package metrics shows what a server measures to Prometheus.
//
//	registry := metrics.NewRegistry(metrics.Sources{Router: router})
//	http.Handle("/metrics", metrics.Handler(registry))
//
// The server counts in memory of its own. Only when somebody asks are metrics made of that, so that those who do not
// ask pay nothing. Labels are bounded: they come from the configuration, or from a short list.
package metrics
