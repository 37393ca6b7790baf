package config

import "github.com/goccy/go-yaml/token"

// File is a configuration file. A key that does not stand in the file has its default, and
// so has the whole of a section that does not.
type File struct {
	// Addresses at which clients connect: HOST:PORT, https://HOST:PORT, unix:PATH, fd:NAME or
	// https+fd:NAME. One address need not be a list. Without any, the server takes the sockets
	// that systemd passes on.
	Listen []string `yaml:"listen" upgrade:"1" flag:"listen" default:"127.0.0.1:8080" hint:"bind,port,address"`
	// Permissions of Unix sockets for clients.
	ListenMode Mode `yaml:"listen-mode" upgrade:"1" flag:"listen-mode" default:"0600"`
	// Certificates, and HTTP/3.
	TLS TLS `yaml:"tls" upgrade:"1" hint:"ssl,https"`
	// Proxies that stand in front of the server.
	Proxies Proxies `yaml:"proxies" upgrade:"1"`
	// Unix socket to which workers attach. By default it is in $XDG_RUNTIME_DIR, or in a folder
	// of the user.
	Socket Path `yaml:"socket" upgrade:"1" flag:"socket"`
	// Shared memory, in which requests and responses pass between server and workers. A size
	// alone is the total.
	Memory SharedMemory `yaml:"memory" upgrade:"1"`
	// Applications, by name: a pool of workers, and the processes that serve it.
	Apps map[string]App `yaml:"apps" hint:"applications,services,pools,workers"`
	// Which requests go where. The first route that matches wins. Without routes, the only app
	// gets all requests.
	Routes []Route `yaml:"routes" hint:"locations,paths"`
	// How clients are told that the server could not serve a request. What apps answer passes as
	// it is.
	Errors Errors `yaml:"errors" hint:"error-pages,error-page"`
	// Bounds of what clients and workers may take.
	Limits Limits `yaml:"limits"`
	// How long the server waits.
	Timeouts Timeouts `yaml:"timeouts"`
	// Compression of responses. The value true alone turns it on.
	Compress Compress `yaml:"compress" hint:"gzip,compression"`
	// Users, besides that of the server, whose workers may attach to any app.
	Attach Attach `yaml:"attach"`
	// Pass TRACE requests to workers; else they get 405.
	AllowTrace bool `yaml:"allow-trace" flag:"allow-trace" default:"false"`
	// Let processes of the same user read the memory of the server, and allow core dumps.
	Dumpable bool `yaml:"dumpable" upgrade:"1" flag:"dumpable" default:"false"`
	// SIGHUP replaces the processes of every app, one after the other, besides reading the file
	// again.
	ReloadWorkers bool `yaml:"reload-workers" flag:"reload-workers" default:"false"`
	// Who sees what the server does.
	Admin Admin `yaml:"admin" upgrade:"1"`
	// Traces of requests.
	Tracing Tracing `yaml:"tracing" upgrade:"1" hint:"otel,opentelemetry"`
	// The logs: level, format and file, access log, output of workers.
	Log Log `yaml:"log" hint:"logging"`

	name     string                  // of the file, for messages; empty: there is none
	text     []byte                  // as it was read
	places   map[string]*token.Token // by key: where its value stands
	problems Problems                // found so far
	unread   Problems                // those of what could not be read
}

// TLS says which certificate the server shows, and what it demands of clients.
type TLS struct {
	// Certificates in files; they are read again when they change. A client gets the first one
	// that is valid for the host name it sends.
	Certificates []Certificate `yaml:"certificates" hint:"certs,cert,certificate"`
	// Certificates from an authority, such as Let's Encrypt.
	ACME ACME `yaml:"acme" hint:"letsencrypt"`
	// Make a certificate for this machine, for development.
	SelfSigned bool `yaml:"self-signed" flag:"tls-self-signed" default:"false"`
	// Accept only clients with a certificate that one of those in this file has signed.
	ClientCA Path `yaml:"client-ca" flag:"tls-client-ca"`
	// Serve HTTP/3 on the UDP ports of the https:// addresses.
	HTTP3 bool `yaml:"http3" flag:"http3" default:"true" hint:"quic"`
	// What responses say of HTTP/3: auto, off, a port, or the value of the Alt-Svc field.
	AltSvc string `yaml:"alt-svc" flag:"alt-svc" default:"auto"`
}

// Certificate is a certificate in two PEM files.
type Certificate struct {
	// Certificate, followed by those that sign it.
	Cert Path `yaml:"cert" required:"true" hint:"certificate,chain,crt"`
	// Private key.
	Key Path `yaml:"key" required:"true"`
}

// ACME gets certificates from an authority, and renews them.
type ACME struct {
	// Host names that need certificates.
	Domains []string `yaml:"domains" flag:"acme-domain" hint:"domain,hosts"`
	// Where the authority writes when something is wrong.
	Email string `yaml:"email" flag:"acme-email"`
	// URL of the authority. The default is Let's Encrypt.
	Directory string `yaml:"directory" flag:"acme-directory"`
	// Folder of certificates and keys. The default is in the cache of the user.
	Store Path `yaml:"store" flag:"acme-store"`
}

// Proxies says what the server believes about clients.
type Proxies struct {
	// Addresses and networks that are believed when they name a client in X-Forwarded-For,
	// Forwarded or a PROXY header; unix is all Unix sockets.
	Trust []string `yaml:"trust" flag:"trust-proxy" hint:"trusted"`
	// Accept a PROXY header, version 1 or 2, on connections from trusted proxies.
	Protocol bool `yaml:"protocol" flag:"proxy-protocol" default:"false"`
}

// SharedMemory is the memory in which requests and responses pass.
type SharedMemory struct {
	// All shared memory, half of it for requests: a size, or a part of the memory limit of the
	// cgroup, such as 25%.
	Total Memory `yaml:"total" short:"true" flag:"memory" default:"256MiB" hint:"size"`
	// Part of it for the responses of one link. The default is 128 slots, at least 8MiB.
	Link Size `yaml:"link" flag:"link-memory"`
	// Most bytes in a slot, and in the headers of a request or response.
	Slot Size `yaml:"slot" flag:"slot-size" default:"64KiB" hint:"slot-size"`
	// Most slots of one request or response in memory at once.
	SlotsPerStream int `yaml:"slots-per-stream" flag:"slots-per-stream" default:"16384"`
	// Most unread bytes of HTTP/2 and 3 bodies, besides the total; 0: no limit.
	Windows Size `yaml:"windows" flag:"window-memory" default:"256MiB"`
}

// Errors says how clients are told of failures.
type Errors struct {
	// Format of the bodies: json (problem details), html, text, or what the client prefers by its
	// Accept field (auto).
	Format string `yaml:"format" default:"auto" enum:"auto,json,html,text"`
	// Files by status, such as 502, or class, such as 5xx. They end in .html, .txt or .json; in
	// them, $request_id is the id of the request.
	Pages map[string]Path `yaml:"pages" hint:"files"`
}

// Limits bounds what clients and workers may take.
type Limits struct {
	// Most requests in progress at once.
	Requests int `yaml:"requests" upgrade:"1" flag:"num-streams" default:"100" hint:"concurrency,num-streams"`
	// Most requests that wait for a worker; 0: none waits.
	Queue int `yaml:"queue" flag:"queue-length" default:"1000" hint:"queue-length,backlog"`
	// Most bytes in the headers of a request; at most memory.slot.
	Headers Size `yaml:"headers" upgrade:"1" flag:"header-limit" default:"32KiB" hint:"header"`
	// Most fields in the headers of a request.
	Fields int `yaml:"fields" flag:"field-limit" default:"256"`
	// Most bytes in the body of a request; 0: no limit.
	Body Size `yaml:"body" flag:"body-limit" default:"0" hint:"max-body-size,body-limit"`
	// Break off an upload that is slower, in bytes a second; 0: never.
	BodyRate Size `yaml:"body-rate" flag:"min-body-rate" default:"100"`
	// Most bytes in a message that a WebSocket client sends; 0: no limit.
	Message Size `yaml:"message" flag:"message-limit" default:"16MiB" hint:"websocket"`
	// Most requests a second from one client; 0: no limit.
	Rate Rate `yaml:"rate" flag:"request-rate" default:"0/s" hint:"request-rate"`
	// Requests that a client can make at once before the rate applies.
	Burst int `yaml:"burst" flag:"request-burst" default:"100"`
	// Tell clients apart by this header field, not by the address.
	RateHeader string `yaml:"rate-header" flag:"request-rate-header"`
	// Most connections from one address; 0: no limit.
	ConnectionsPerAddress int `yaml:"connections-per-address" flag:"connections-per-address" upgrade:"1" default:"1000"`
	// Most requests at once on one HTTP/2 or HTTP/3 connection.
	StreamsPerConnection int `yaml:"streams-per-connection" upgrade:"1" flag:"streams-per-connection" default:"100"`
	// Most links at once: a worker attaches by one, or by several.
	Links int `yaml:"links" upgrade:"1" flag:"max-links" default:"64" hint:"workers,max-links"`
	// Most links of one process; 0: no limit.
	LinksPerProcess int `yaml:"links-per-process" flag:"links-per-process" default:"0"`
	// Most links of all processes of one user; 0: no limit.
	LinksPerUser int `yaml:"links-per-user" flag:"links-per-user" default:"0"`
	// Most links of one app; 0: no limit.
	LinksPerApp int `yaml:"links-per-app" flag:"links-per-pool" default:"0" hint:"links-per-pool"`
}

// Timeouts says how long the server waits.
type Timeouts struct {
	// Answer 504, or break off, when a worker makes no progress for this long.
	Response Duration `yaml:"response" flag:"response-timeout" default:"30s" hint:"worker,proxy,read"`
	// Break off when a client makes no progress for this long.
	Client Duration `yaml:"client" flag:"client-timeout" default:"30s"`
	// The same, while other requests wait; 0: no earlier than timeouts.client.
	Stall Duration `yaml:"stall" flag:"stall-timeout" default:"2s"`
	// Longest handshake, and longest wait for the headers of a request.
	Headers Duration `yaml:"headers" upgrade:"1" flag:"header-timeout" default:"30s" hint:"header"`
	// Close a connection that has had no request for this long.
	Idle Duration `yaml:"idle" upgrade:"1" flag:"idle-timeout" default:"2m" hint:"keepalive,keep-alive"`
	// Ping a silent WebSocket client after this long, and give it up after as long again.
	Ping Duration `yaml:"ping" flag:"ping-interval" default:"20s"`
	// Answer 503 when a request has waited this long for a worker.
	Queue Duration `yaml:"queue" flag:"queue-timeout" default:"10s"`
	// Serve on for this long after a signal that ends the server, while /readyz says 503.
	Drain Duration `yaml:"drain" flag:"drain-delay" default:"0s" hint:"drain-delay"`
	// Longest wait for running requests when the server ends; 0: none.
	Shutdown Duration `yaml:"shutdown" flag:"shutdown-timeout" default:"30s" hint:"graceful,stop"`
}

// Compress says which responses are compressed.
type Compress struct {
	// Compress text responses for clients that accept zstd or gzip.
	Enabled bool `yaml:"enabled" short:"true" flag:"compress" default:"false"`
	// Do not compress a response with a smaller Content-Length.
	Min Size `yaml:"min" flag:"compress-min" default:"1KiB"`
}

// Attach says which workers may attach that the server did not start.
type Attach struct {
	// Users whose processes may attach, by number.
	UIDs []uint32 `yaml:"uids" flag:"allow-uid" hint:"users,uid"`
	// Groups whose processes may attach, by number.
	GIDs []uint32 `yaml:"gids" flag:"allow-gid" hint:"groups,gid"`
}

// Log says what is logged, and how.
type Log struct {
	// Least severe messages to log.
	Level string `yaml:"level" upgrade:"1" flag:"log-level" default:"info" enum:"debug,info,warn,error"`
	// Format of the log.
	Format string `yaml:"format" upgrade:"1" flag:"log-format" default:"text" enum:"text,json"`
	// File to which the log is appended, and which SIGUSR1 opens again. Without it, standard error.
	File Path `yaml:"file" upgrade:"1" flag:"log-file" hint:"path"`
	// A line for every request. The value true alone turns it on.
	Access AccessLog `yaml:"access" hint:"access-log,accesslog"`
	// Output of workers: raw, wrap (as log records), or auto: wrap if the log is JSON.
	Workers string `yaml:"workers" flag:"worker-output" upgrade:"1" default:"auto" enum:"auto,raw,wrap"`
}

// AccessLog says where the lines of requests are written, and what is in them.
type AccessLog struct {
	// Write a line for every request. What else is said here turns it on, too.
	Enabled bool `yaml:"enabled" short:"true" flag:"access-log" default:"false"`
	// Form of the lines: text, json, combined, common, or a template such as {path} {status}. Without
	// it, that of the log.
	Format string `yaml:"format" flag:"access-log-format"`
	// File to which they are appended, and which SIGUSR1 opens again. Without it, standard output.
	File Path `yaml:"file" flag:"access-log-file" hint:"path"`
	// Paths without a line, unless the request fails; a * at the end stands for the rest.
	Skip []string `yaml:"skip" flag:"access-log-skip" hint:"except,exclude"`
}

// Admin says who sees what the server does, and who gives it orders.
type Admin struct {
	// Admin listener, for operators: unix:PATH, HOST:PORT or off. By default it is a Unix socket,
	// the path of socket and .admin. Over TCP it is read-only without a token.
	Listen string `yaml:"listen" flag:"admin" hint:"address,socket,bind"`
	// Token that requests over TCP need for all else: file:PATH, or the token itself.
	Token string `yaml:"token" flag:"admin-token" secret:"true" hint:"password,secret"`
	// Profiles of the server under /debug/pprof of the admin listener.
	Pprof bool `yaml:"pprof" flag:"admin-pprof" default:"false" hint:"profile,debug"`
	// Address, HOST:PORT or unix:PATH, where Prometheus, and anybody else, finds /metrics.
	Metrics string `yaml:"metrics" flag:"metrics" hint:"prometheus"`
}

// Tracing says where traces go.
type Tracing struct {
	// URL of an OpenTelemetry collector, such as http://127.0.0.1:4318. Without it, the variables
	// OTEL_* say it.
	OTLP string `yaml:"otlp" flag:"tracing" hint:"endpoint,url"`
	// Part of new traces that is recorded; others follow who began them. Without it, all, or what
	// OTEL_* say.
	Sample Percent `yaml:"sample" flag:"tracing-sample" hint:"ratio"`
}
