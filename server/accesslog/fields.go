package accesslog

import "slices"

// field is something that a line can say of a request.
type field int

// The fields. Those before request are attributes of the record with the same name.
const (
	method field = iota
	target
	path
	host
	status
	protocol
	client
	agent
	referer
	id
	trace
	app
	route
	worker
	stream
	received
	sent
	duration
	queue
	firstByte
	failure
	reason
	websocket

	request // method, target and protocol, or nothing
	timeRFC
	timeCLF
	fields
)

// names are what the fields are called, in templates and by the server.
var names = [fields]string{
	method: "method", target: "target", path: "path", host: "host", status: "status", protocol: "protocol",
	client: "client", agent: "agent", referer: "referer", id: "id", trace: "trace", app: "app", route: "route",
	worker: "worker", stream: "stream", received: "received", sent: "sent",
	duration: "duration_s", queue: "queue_s", firstByte: "first_byte_s",
	failure: "error", reason: "reason", websocket: "websocket",
	request: "request", timeRFC: "time", timeCLF: "time_clf",
}

// byName are the fields by their names.
var byName = func() map[string]field {
	m := make(map[string]field, fields)
	for f, name := range names {
		m[name] = field(f)
	}
	return m
}()

// Fields returns the names that a template can have in braces.
func Fields() []string { return slices.Sorted(slices.Values(names[:])) }
