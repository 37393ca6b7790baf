package metrics

import (
	"runtime"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/internal/meter"
)

// Collector makes metrics of what a server measures, for each scrape.
type Collector struct{ sources Sources }

// NewCollector returns a collector for a registry of the caller. Preconditions: the sources have a router.
func NewCollector(s Sources) *Collector { return &Collector{sources: s} }

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, f := range families {
		to <- f.desc
	}
}

// Collect sends all metrics, as they are now.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	out := sink{to}
	m := c.sources.Router.Measure()
	out.requests(&m)
	out.connections(&m)
	out.pools(&m)
	out.memory(&m)
	out.stats(c.sources.Router.Stats())
	out.workers(&c.sources)
	out.server(&c.sources)
}

// sink sends metrics.
type sink struct{ to chan<- prometheus.Metric }

func (s sink) gauge(f *family, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, v, valid(labels)...)
}

func (s sink) counter(f *family, v float64, labels ...string) {
	s.to <- prometheus.MustNewConstMetric(f.desc, prometheus.CounterValue, v, valid(labels)...)
}

func (s sink) histogram(f *family, h *meter.Histogram, labels ...string) {
	d := h.Read()
	s.to <- prometheus.MustNewConstHistogram(f.desc, d.Count, d.Sum, d.Buckets, valid(labels)...)
}

// valid makes labels of names that may be anything, such as paths of files: Prometheus takes UTF-8 only.
func valid(labels []string) []string {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "\uFFFD")
	}
	return labels
}

// requests sends what is measured of requests.
func (s sink) requests(m *server.Measurements) {
	running := map[*meter.App]int64{}
	for _, r := range m.Meters.Routes() {
		app := r.App.Name
		r.EachCount(func(method, code string, p meter.Protocol, n uint64) {
			s.counter(requests, float64(n), app, r.Name, method, code, p.String())
		})
		running[r.App] += r.InFlight()
		s.histogram(requestDuration, &r.Duration, app, r.Name)
		s.histogram(firstByte, &r.FirstByte, app, r.Name)
	}
	for _, a := range m.Meters.Apps() {
		s.gauge(inFlight, float64(running[a]), a.Name)
		for row, reason := range m.Meters.Reasons {
			s.counter(errorsTotal, float64(a.Errors[row].Load()), a.Name, reason)
		}
		if a.Name == "" {
			continue
		}
		s.gauge(websockets, float64(a.WebSockets.Load()), a.Name)
		s.histogram(queueWait, &a.QueueWait, a.Name)
	}
	s.bytes(m)
}

// bytes sends how much has moved: in exchanges that are over, and in those that go on.
func (s sink) bytes(m *server.Measurements) {
	for _, a := range m.Meters.Apps() {
		moved := m.Moved[a.Name]
		s.counter(received, float64(moved.Received)+float64(a.Received.Load()), a.Name)
		s.counter(sent, float64(moved.Sent)+float64(a.Sent.Load()), a.Name)
	}
}

// connections sends how many connections are open.
func (s sink) connections(m *server.Measurements) {
	for _, l := range m.Meters.Listeners() {
		l.EachOpen(func(p meter.Protocol, open int64) {
			s.gauge(connections, float64(open), l.Name, p.String())
		})
	}
}

// pools sends what the pools of workers do.
func (s sink) pools(m *server.Measurements) {
	for i := range m.Pools {
		p := &m.Pools[i]
		s.gauge(queueLength, float64(p.Waiting), p.Name)
		s.gauge(lanes, float64(p.Lanes), p.Name)
		s.gauge(busy, float64(p.Busy), p.Name)
		s.gauge(links, float64(p.Links), p.Name)
		s.counter(busySeconds, p.BusyTime.Seconds(), p.Name)
		s.counter(backpressure, p.HeldByClient.Seconds(), p.Name, "client")
		s.counter(backpressure, p.HeldByWorker.Seconds(), p.Name, "worker")
	}
}

// memory sends how the shared memory is used.
func (s sink) memory(m *server.Measurements) {
	s.gauge(streams, float64(m.Streams.Used), "used")
	s.gauge(streams, float64(m.Streams.Total-m.Streams.Used), "free")
	s.gauge(streamQueue, float64(m.Streams.Waiting))
	s.gauge(shmBytes, float64(m.Memory.RequestUsed), "request", "used")
	s.gauge(shmBytes, float64(m.Memory.RequestFree), "request", "free")
	s.gauge(shmBytes, float64(m.Memory.ResponseUsed), "response", "used")
	s.gauge(shmBytes, float64(m.Memory.ResponseFree), "response", "free")
}

// stats sends what has happened to requests and workers since the start.
func (s sink) stats(all server.Stats) {
	for f, n := range map[*family]int64{
		retried: all.Retried, preempted: all.Reclaimed, linksAttached: all.Attached, linksRefused: all.Refused,
		linksLost: all.Lost, linksEvicted: all.Evicted,
	} {
		s.counter(f, float64(n))
	}
}

// workers sends what the worker processes do.
func (s sink) workers(from *Sources) {
	if from.Exits != nil {
		s.exits(from.Exits())
	}
	if from.Workers == nil {
		return
	}
	all := from.Workers()
	s.states(all)
	seen := map[string]bool{}
	for _, w := range all {
		if seen[w.Name] {
			continue
		}
		seen[w.Name] = true
		s.gauge(workerMemory, float64(w.Resident), w.App, w.Name)
		s.counter(workerCPU, w.CPU.Seconds(), w.App, w.Name)
		if w.StartTime > 0 {
			s.gauge(workerStart, w.StartTime.Seconds(), w.App, w.Name)
		}
	}
}

// exits sends how many processes have ended.
func (s sink) exits(all []Exits) {
	type labels struct{ app, reason string }
	count := map[labels]uint64{}
	for _, e := range all {
		count[labels{e.App, e.Reason}] += e.Count
	}
	for l, n := range count {
		s.counter(workerExits, float64(n), l.app, l.reason)
	}
}

// states sends how many workers of each app are in each state.
func (s sink) states(all []Worker) {
	count := map[string]map[string]int{}
	for _, w := range all {
		if count[w.App] == nil {
			count[w.App] = map[string]int{}
		}
		count[w.App][w.State]++
	}
	for app, states := range count {
		for _, state := range States {
			s.gauge(workers, float64(states[state]), app, state)
		}
	}
}

// server sends what there is to say of the server itself.
func (s sink) server(from *Sources) {
	s.gauge(buildInfo, 1, server.Version, runtime.Version())
	if from.LostLogLines != nil {
		s.counter(lostLogLines, float64(from.LostLogLines()))
	}
	if from.ReloadFailed != nil {
		ok := 1.0
		if from.ReloadFailed() {
			ok = 0
		}
		s.gauge(reloadSuccess, ok)
	}
	if from.Certificates != nil {
		for _, c := range from.Certificates() {
			s.gauge(certificateExpiry, float64(c.Expires.UnixNano())/float64(time.Second), c.Name)
		}
	}
}
