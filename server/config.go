package server

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/relay"
)

// Config says how a router works. Start from [DefaultConfig]; a zero field is not a default.
type Config struct {
	// NumStreams is the most exchanges in progress at once. Further ones wait in the queue.
	NumStreams int
	// SlotSize is the most bytes in a slot: a multiple of 4096.
	SlotSize int
	// SlotsPerStream is the most slots of one lane that can be outstanding: written, and not
	// yet released by their reader. Memory may set a lower bound.
	SlotsPerStream int
	// Memory is all the shared memory, in bytes: one half for requests, reserved at start, and
	// one for the responses of the links.
	Memory uint64
	// LinkMemory is the memory of one link's responses, in bytes.
	LinkMemory uint64
	// MaxLinks is the most links attached at once.
	MaxLinks int

	// ResponseTimeout is how long a worker may make no progress with an exchange while it is
	// the worker's turn.
	ResponseTimeout time.Duration
	// StuckAfter is how long a worker may make no progress with a request that waits for it,
	// be its client still there or not, until the worker is stuck, see [StuckWorker]: it gets
	// no more requests, and its supervisor replaces it. 0: as long as ResponseTimeout, so that
	// what may take long is not ended; negative: a worker is never stuck. If it is shorter than
	// ResponseTimeout, it bounds how long a request may hang. The deadline is noticed up to
	// 0.1 s late.
	StuckAfter time.Duration
	// ClientTimeout is how long a client may neither send nor take a byte while the server
	// waits for it.
	ClientTimeout time.Duration
	// StallTime is how long a client may do so while others wait for its stream, or for its
	// worker; less if its address has more than half of them. A few bytes now and then do not
	// count as progress. The slow clients of one address can never have the last quarter of
	// them. 0: clients may be slow at the cost of others.
	StallTime time.Duration
	// QueueLength is the most exchanges that wait for a stream or a worker, and QueueTime is
	// how long each of them may.
	QueueLength int
	QueueTime   time.Duration

	// BodyLimit is the most bytes in a request body; 0 is no limit.
	BodyLimit int64
	// WindowMemory is the most memory, in bytes, that bodies of HTTP/2 and 3 may fill before
	// they are read, besides Memory; 0 is no limit. Until its body has been read, a request
	// takes the length of the body, at most 1 MiB, and all requests of a connection at most
	// 4 MiB; over HTTP/3, a connection with such requests takes 256 KiB, and more as the
	// uploads get faster. When nothing is left, and when an address holds as much as is still
	// free, the server answers further requests with 503.
	WindowMemory int64
	// HeaderLimit is the most bytes in a request's headers frame. It cannot pass SlotSize,
	// since the frame is one slot.
	HeaderLimit int
	// FieldLimit is the most fields in a request's headers frame.
	FieldLimit int

	// AllowTrace lets TRACE requests through to workers; otherwise the server answers them
	// with 405.
	AllowTrace bool

	// MessageLimit is the most bytes in a message from the client of a WebSocket; 0 is no
	// limit. PingInterval is how long such a client may be silent before the server asks
	// whether it is there, and then before the server gives it up.
	MessageLimit int64
	PingInterval time.Duration

	// MinBodyRate is how many bytes a second a request's body has to come at, on average over
	// the time that the server waits for it, once that is longer than ClientTimeout; 0 is any
	// rate. When the response has begun, it does not apply any more.
	MinBodyRate int64
	// RequestRate is how many requests a second a client may make, after a burst of
	// RequestBurst; 0 is any number. A client is an address, an IPv6 network of 64 bits, or
	// everybody with the same value of the field RequestRateHeader.
	RequestRate       int
	RequestBurst      int
	RequestRateHeader string

	// Compress has responses compressed if their clients accept zstd or gzip and their content
	// is some kind of text, unless they announce less than CompressMin bytes.
	Compress    bool
	CompressMin int64

	// ErrorPages are how clients are told of failures. What workers answer passes as it is.
	ErrorPages ErrorPages

	// Routes say what becomes of a request. They are no access control: workers decide who
	// may ask for what. The server refuses with 400 a path that would be under another route
	// without its dot segments, with one slash in place of several, or with an escaped slash
	// as a slash.
	Routes []Route
	// Supervised names the pools whose workers come back by themselves: their requests wait
	// for a worker instead of failing at once when there is none; see
	// [UploadResponseRouter.MarkFailed].
	Supervised []string

	// TrustedProxies are the addresses whose X-Forwarded-For, -Proto and -Host, Forwarded, and
	// X-Request-Id fields the server believes, and whose other fields of that kind, such as
	// X-Real-IP, reach workers. TrustUnix has it believe everything that comes in over a Unix
	// socket. Whoever has such an address can claim to be anybody: give only the address of a
	// proxy that writes these fields, or removes those that its clients send. With
	// ProxyProtocol of [Limits], that goes for the addresses that PROXY headers name, too.
	TrustedProxies []netip.Prefix
	TrustUnix      bool

	// AllowUIDs and AllowGIDs are the users and groups whose processes may attach to any pool,
	// besides our own user; those of PoolUIDs and PoolGIDs may attach to one pool.
	AllowUIDs, AllowGIDs []uint32
	PoolUIDs, PoolGIDs   []PoolID

	// Started, if not nil, returns which worker that was started for one of the Supervised
	// pools a process is, or descends from: the pool, and the number of the worker's process;
	// 0 if none. These pools then take no other workers, except for those in OpenPools. Many
	// goroutines may call it. A worker and its descendants count as one process.
	// StartedWorkers is how many such workers there are: a link is kept for each of them.
	Started        func(pid int) (pool string, leader int)
	StartedWorkers int
	OpenPools      []string

	// WorkerName, if not nil, returns what a worker that was started is called in logs, traces
	// and statuses, by the number of its process: web/0. Others, and those for which it returns
	// "", are called as their links. It is called once for each link. Many goroutines may call it.
	WorkerName func(leader int) string

	// OnAttach, if not nil, is called when a worker that was started has attached, just before it
	// gets requests. It returns soon: the worker waits for it. Many goroutines may call it.
	OnAttach func(AttachedWorker)

	// Ended, if not nil, waits until the process of a worker that was started has ended, at
	// most until ctx does, and returns how it has. The server asks when it has lost the worker
	// with a request that might be served again: one that was all that the worker had, when
	// that ended by itself, is not, since it would end the next one, too. ctx ends within a
	// second. Many goroutines may call it.
	Ended func(ctx context.Context, leader int) WorkerEnd

	// OnStuck, if not nil, is called for a stuck worker that was started for one of the
	// Supervised pools: it replaces the worker's process. It is called once of each link, in a
	// goroutine of its own; a process with several links may be told of several times. All
	// other stuck workers are evicted: their links end, and they may attach again.
	OnStuck func(StuckWorker)

	// PoolConfigs are the pools that differ from what is said here for all of them.
	PoolConfigs map[string]PoolConfig

	// LinksPerProcess, LinksPerUser and LinksPerPool are the most links that one process, user
	// or pool can have at once; 0 is any number. The last links are kept for pools without one.
	LinksPerProcess, LinksPerUser, LinksPerPool int

	// Log takes errors and life-cycle events, AccessLog a line for every exchange. Nil is
	// silence.
	Log, AccessLog *slog.Logger
	// AccessLogDetails adds to these lines what may be secrets - the target with its query, the host, the agent and
	// the referer - and the route and the kind of a failure. The formats of package accesslog want it.
	AccessLogDetails bool
	// AccessLogSkip are paths whose requests have no line, unless they fail. One that ends in * stands for all that
	// begin so.
	AccessLogSkip []string

	// Tracer makes spans of requests, see package tracing. Nil: nobody does, and the trace of a request is only passed
	// on to its worker, and logged.
	Tracer Tracer
}

// Tracer makes spans of requests, as package tracing does.
type Tracer = relay.Tracer

// TracedRequest is what a [Tracer] learns of a request that is over.
type TracedRequest = relay.TracedRequest

// Span says which ids the spans of a request have.
type Span = relay.Span

// ErrorPages are how clients are told that the server could not serve a request.
type ErrorPages struct {
	// Format is that of the bodies: text, html, json (problem details, RFC 9457), or what the
	// client prefers by its Accept field, which is auto. A client to which all are equal gets
	// text. Empty: auto.
	Format string
	// Pages are files by status, "502", or class, "5xx", which are read at start. Their names
	// end in .html, .txt or .json; in them, $request_id is the id of the request. If the format
	// is auto, a client that would rather have another type gets that.
	Pages map[string]string
}

// PoolConfig is how one pool differs from the others. The zero value is that of a pool that
// does not.
type PoolConfig = dispatch.PoolConfig

// PoolID is a user or group whose processes may serve one pool.
type PoolID = dispatch.PoolID

// DefaultConfig returns a configuration with one route, from / to the pool "default".
func DefaultConfig() Config {
	return Config{
		NumStreams: 100, SlotSize: 64 << 10, SlotsPerStream: 16384,
		Memory: 256 << 20, LinkMemory: 8 << 20, MaxLinks: 64,
		ResponseTimeout: 30 * time.Second, ClientTimeout: 30 * time.Second, StallTime: 2 * time.Second,
		QueueLength: 1000, QueueTime: 10 * time.Second, WindowMemory: 256 << 20,
		MessageLimit: 16 << 20, PingInterval: 20 * time.Second,
		HeaderLimit: 32 << 10, FieldLimit: 256, MinBodyRate: 100, RequestBurst: 100, CompressMin: 1 << 10,
		Routes: []Route{{Prefix: "/", Pool: "default"}},
	}
}
