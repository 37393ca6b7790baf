package metrics

import "github.com/prometheus/client_golang/prometheus"

// family is the metrics of one name.
type family struct {
	name   string
	kind   string // as Prometheus calls it
	help   string
	labels []string
	desc   *prometheus.Desc
}

// families are all that there are of ours.
var families []*family

func newFamily(kind, name, help string, labels ...string) *family {
	f := &family{
		name: name, kind: kind, help: help, labels: labels,
		desc: prometheus.NewDesc(name, help, labels, nil),
	}
	families = append(families, f)
	return f
}

// What clients get.
var (
	requests = newFamily("counter", "ur_http_requests_total",
		"Requests that are over, also those that reached no route (their app and route are empty).",
		"app", "route", "method", "code", "protocol")
	requestDuration = newFamily("histogram", "ur_http_request_duration_seconds",
		"Time from the head of a request until it is over.", "app", "route")
	firstByte = newFamily("histogram", "ur_http_time_to_first_byte_seconds",
		"Time from the head of a request until the response begins. Failures that the server answers are not in it.",
		"app", "route")
	inFlight = newFamily("gauge", "ur_http_requests_in_flight",
		"Requests that have begun and are not over.", "app")
	received = newFamily("counter", "ur_http_received_bytes_total",
		"Bytes of request bodies and WebSocket messages from clients.", "app")
	sent = newFamily("counter", "ur_http_sent_bytes_total",
		"Bytes of response bodies and WebSocket messages to clients, before compression.", "app")
	errorsTotal = newFamily("counter", "ur_http_errors_total",
		"Requests that failed, by the reason that the client is told.", "app", "reason")
	websockets  = newFamily("gauge", "ur_websockets", "Open WebSockets.", "app")
	connections = newFamily("gauge", "ur_connections",
		"Open connections of clients, by the address at which they came in. Without TLS, HTTP/2 is seen with its "+
			"first request.", "listener", "protocol")
	retried = newFamily("counter", "ur_http_requests_retried_total",
		"Requests that another worker has served because theirs was lost.")
	preempted = newFamily("counter", "ur_http_requests_preempted_total",
		"Requests of slow clients that were ended because others waited for their place.")
)

// Apps and queues.
var (
	queueLength = newFamily("gauge", "ur_app_queue_length", "Requests that wait for a worker.", "app")
	queueWait   = newFamily("histogram", "ur_app_queue_wait_seconds",
		"Time that a request has waited for a worker, also in vain. Below 100 microseconds it counts as none.", "app")
	lanes = newFamily("gauge", "ur_app_lanes", "Requests that the attached workers can serve at once.", "app")
	busy  = newFamily("gauge", "ur_app_lanes_busy", "Those of the lanes that serve a request.", "app")
	// Those that were assigned ahead of need count, too.
	busySeconds = newFamily("counter", "ur_app_busy_seconds_total",
		"Time that requests have spent with workers, all lanes together, running ones included.", "app")
	links        = newFamily("gauge", "ur_app_links", "Attached workers.", "app")
	backpressure = newFamily("counter", "ur_backpressure_seconds_total",
		"Time that requests were held up: by clients that take the response slowly (held=client), or by workers that "+
			"read the upload slowly (held=worker). Sampled every 10 milliseconds.", "app", "held")
)

// Memory.
var (
	streams = newFamily("gauge", "ur_streams",
		"Requests that there is room for at once, by whether the room is used.", "state")
	streamQueue = newFamily("gauge", "ur_stream_queue_length",
		"Requests that wait for a stream, or for memory, before they wait for a worker.")
	shmBytes = newFamily("gauge", "ur_shm_bytes",
		"Shared memory for requests and responses, by whether it is used. A response segment is used as a whole, by "+
			"the worker that it belongs to.", "segment", "state")
	linksAttached = newFamily("counter", "ur_links_attached_total", "Workers that have attached.")
	linksRefused  = newFamily("counter", "ur_links_refused_total", "Attempts to attach that were refused.")
	linksLost     = newFamily("counter", "ur_links_lost_total", "Attached workers that went away without a goodbye.")
	linksEvicted  = newFamily("counter", "ur_links_evicted_total",
		"Attached workers that were cut off: they broke the protocol, or made no progress.")
)

// Worker processes that the server has started.
var (
	workers     = newFamily("gauge", "ur_app_workers", "Worker processes, by what they do.", "app", "state")
	workerExits = newFamily("counter", "ur_worker_exits_total",
		"Worker processes that have ended, by the reason.", "app", "reason")
	workerMemory = newFamily("gauge", "ur_worker_resident_memory_bytes",
		"Memory that the process of a worker has.", "app", "worker")
	workerCPU = newFamily("counter", "ur_worker_cpu_seconds_total",
		"Processor time that the process of a worker has used. A new process begins at 0.", "app", "worker")
	workerStart = newFamily("gauge", "ur_worker_start_seconds",
		"Time that the process of a worker took from its start until it attached.", "app", "worker")
)

// The server itself.
var (
	certificateExpiry = newFamily("gauge", "ur_tls_certificate_expiry_timestamp_seconds",
		"When a certificate expires, in seconds since 1970.", "certificate")
	reloadSuccess = newFamily("gauge", "ur_config_reload_success",
		"1 if the configuration was loaded without an error the last time, 0 if not: nothing has changed then.")
	lostLogLines = newFamily("counter", "ur_log_lines_lost_total", "Lines of the logs that could not be written.")
	buildInfo    = newFamily("gauge", "ur_build_info",
		"Always 1. The labels say which version runs, and what it was built with.", "version", "goversion")
)
