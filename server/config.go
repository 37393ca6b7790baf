package server

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/progress"
)

// Config says how a router works. Start from [DefaultConfig]; a zero field is
// not a default.
type Config struct {
	// NumStreams is the most exchanges in progress at once. Those beyond it
	// wait in the queue.
	NumStreams int
	// SlotSize is the most bytes in a slot: a multiple of 4096.
	SlotSize int
	// SlotsPerStream is the most slots of one lane that can be outstanding:
	// written, and not yet released by their reader. Memory may set a lower
	// bound.
	SlotsPerStream int
	// Memory is all the shared memory there is, in bytes: one half for
	// requests, reserved at start, and one for the responses of the links.
	Memory uint64
	// LinkMemory is the memory of one link's responses, in bytes.
	LinkMemory uint64
	// MaxLinks is the most links attached at once.
	MaxLinks int

	// ResponseTimeout is how long a worker may make no progress with an
	// exchange while it is its turn.
	ResponseTimeout time.Duration
	// ClientTimeout is how long a client may neither send nor take a byte
	// while the server waits for it.
	ClientTimeout time.Duration
	// StallTime is how long it may while others wait for its stream, or for
	// its worker; less if its address has more than half of them. A few bytes now
	// and then do not count. No address can have the last
	// quarter of them with slow clients. 0: clients may be slow at the cost of
	// others.
	StallTime time.Duration
	// QueueLength is the most exchanges that wait for a stream or a worker,
	// and QueueTime is how long each of them may.
	QueueLength int
	QueueTime   time.Duration

	// BodyLimit is the most bytes in a request body; 0 is no limit.
	BodyLimit int64
	// WindowMemory is the most memory, in bytes, that bodies of HTTP/2 and 3 may fill
	// before they are read, besides Memory; 0 is no limit. A request with a body takes
	// its length of it, at most 1 MiB, until the body has been read, all requests of a
	// connection at most 4 MiB; over HTTP/3, a connection with such requests takes
	// 256 KiB, and more as its uploads get faster. When nothing is left, and when an
	// address holds as much as it leaves free, further requests are answered with 503.
	WindowMemory int64
	// HeaderLimit is the most bytes in a request's headers frame. It cannot
	// pass SlotSize, since the frame is one slot.
	HeaderLimit int
	// FieldLimit is the most fields in a request's headers frame.
	FieldLimit int

	// AllowTrace lets TRACE requests through to workers; else they are answered with 405.
	AllowTrace bool

	// MessageLimit is the most bytes in a message of a WebSocket's client; 0 is no
	// limit. PingInterval is how long such a client may say nothing before it is asked
	// whether it is there, and then before it is given up.
	MessageLimit int64
	PingInterval time.Duration

	// MinBodyRate is how many bytes a second a request's body has to come at, on
	// average over the time that the server waits for it, once that is longer
	// than ClientTimeout; 0 is any. When the response has begun, client and
	// worker may take the time they like.
	MinBodyRate int64
	// RequestRate is how many requests a second a client may make, after a
	// burst of RequestBurst; 0 is any number. A client is an address, an IPv6
	// network of 64 bits, or who sends the same value of the field
	// RequestRateHeader.
	RequestRate       int
	RequestBurst      int
	RequestRateHeader string

	// Compress has responses compressed, if their clients accept zstd or gzip and
	// their content is text of some kind, unless they say that they have less than
	// CompressMin bytes.
	Compress    bool
	CompressMin int64

	// Routes maps path prefixes to pools; the longest prefix wins. They choose a
	// worker and are no access control: it is for workers to say who may ask for
	// what. A path that would be under another route without its dot segments, with
	// one slash for several, or with an escaped slash for none is refused with 400.
	Routes []Route
	// Supervised names the pools whose workers come back by themselves: their
	// requests wait for a worker instead of failing at once when there is none;
	// see [UploadResponseRouter.Hopeless].
	Supervised []string

	// TrustedProxies are the addresses whose X-Forwarded-For, -Proto and -Host,
	// Forwarded, and X-Request-Id fields are believed, and whose other fields of
	// that kind, such as X-Real-IP, reach workers. TrustUnix believes what comes in
	// over a Unix socket. Whoever has such an address can say that he is anybody:
	// it is to be a proxy's that writes these fields, or takes away what its clients
	// send. With ProxyProtocol of [Limits], that goes for the addresses that
	// PROXY headers name, too.
	TrustedProxies []netip.Prefix
	TrustUnix      bool

	// AllowUIDs and AllowGIDs are the users and groups whose processes may
	// attach besides our own user, to any pool; those of PoolUIDs and PoolGIDs may
	// to one pool.
	AllowUIDs, AllowGIDs []uint32
	PoolUIDs, PoolGIDs   []PoolID

	// Started, if not nil, returns which worker that was started for one of the
	// Supervised pools a process is or descends from: the pool, and the number of
	// the worker's process; 0 if it does from none. These pools then take no other
	// workers, but for those in OpenPools. Many goroutines may call it. A worker
	// and its descendants count as one process. StartedWorkers is how many such
	// workers there are: a link is kept for each of them.
	Started        func(pid int) (pool string, leader int)
	StartedWorkers int
	OpenPools      []string

	// LinksPerProcess, LinksPerUser and LinksPerPool are the most links that one
	// process, user or pool can have at once; 0 is any number. The last links are
	// kept for pools that have none.
	LinksPerProcess, LinksPerUser, LinksPerPool int

	// Log takes errors and life-cycle events, AccessLog a line for every
	// exchange. Nil is silence.
	Log, AccessLog *slog.Logger
}

// PoolID is a user or group whose processes may serve one pool.
type PoolID = dispatch.PoolID

// Route sends the requests under a path prefix to a pool of workers. The prefix
// "/a" matches "/a" and "/a/b" but not "/ab".
type Route struct {
	Prefix string
	Pool   string
}

// DefaultConfig returns a configuration with one route, / to the pool
// "default".
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

// check returns an error for values that make no sense, or do not fit together.
func (c *Config) check() error {
	switch {
	case c.ResponseTimeout <= 0 || c.ClientTimeout <= 0 || c.QueueTime <= 0 || c.PingInterval <= 0:
		return fmt.Errorf("timeouts have to be positive: response %v, client %v, queue %v, ping %v",
			c.ResponseTimeout, c.ClientTimeout, c.QueueTime, c.PingInterval)
	case c.StallTime < 0:
		return fmt.Errorf("stall time %v: cannot be negative", c.StallTime)
	case c.QueueLength < 0 || c.BodyLimit < 0 || c.MinBodyRate < 0 || c.RequestRate < 0 || c.RequestBurst < 0:
		return fmt.Errorf("limits cannot be negative: "+
			"queue length %d, body %d, its rate %d, requests a second %d, in a burst %d",
			c.QueueLength, c.BodyLimit, c.MinBodyRate, c.RequestRate, c.RequestBurst)
	case c.LinksPerProcess < 0 || c.LinksPerUser < 0 || c.LinksPerPool < 0 || c.StartedWorkers < 0:
		return fmt.Errorf("numbers of links cannot be negative: %d of a process, %d of a user, %d of a pool, %d kept",
			c.LinksPerProcess, c.LinksPerUser, c.LinksPerPool, c.StartedWorkers)
	case c.WindowMemory < 0:
		return fmt.Errorf("window memory %d: cannot be negative", c.WindowMemory)
	case c.CompressMin < 1:
		return fmt.Errorf("compress at least %d bytes: want 1 or more", c.CompressMin)
	case c.MessageLimit < 0:
		return fmt.Errorf("message limit %d: cannot be negative", c.MessageLimit)
	case c.FieldLimit < 1 || c.FieldLimit > proto.MaxFields:
		return fmt.Errorf("field limit %d: want 1 to %d", c.FieldLimit, proto.MaxFields)
	case c.HeaderLimit < 1 || c.HeaderLimit > c.SlotSize:
		return fmt.Errorf("header limit %d: want 1 to the slot size, %d", c.HeaderLimit, c.SlotSize)
	}
	return checkRoutes(c.Routes)
}

// dispatch returns what the dispatcher has to know. Preconditions: check has found nothing.
func (c *Config) dispatch() dispatch.Config {
	d := dispatch.Config{
		ServerName: Name + "/" + Version,
		NumStreams: c.NumStreams, SlotSize: c.SlotSize, SlotsPerStream: c.SlotsPerStream,
		Memory: c.Memory, LinkMemory: c.LinkMemory, MaxLinks: c.MaxLinks,
		ResponseTimeout: c.ResponseTimeout, QueueLength: c.QueueLength, QueueTime: c.QueueTime,
		Limits:     progress.Limits{ClientTimeout: c.ClientTimeout, StallTime: c.StallTime, MinBodyRate: c.MinBodyRate},
		Supervised: c.Supervised, OpenPools: c.OpenPools, Started: c.Started, StartedWorkers: c.StartedWorkers,
		AllowUIDs: c.AllowUIDs, AllowGIDs: c.AllowGIDs, PoolUIDs: c.PoolUIDs, PoolGIDs: c.PoolGIDs,
		LinksPerProcess: c.LinksPerProcess, LinksPerUser: c.LinksPerUser, LinksPerPool: c.LinksPerPool,
		Log: c.Log,
	}
	for _, route := range c.Routes {
		d.Pools = append(d.Pools, route.Pool)
	}
	return d
}

// checkRoutes returns an error for a prefix that is no path or stands twice.
func checkRoutes(routes []Route) error {
	seen := map[string]bool{}
	for _, r := range routes {
		switch {
		case !strings.HasPrefix(r.Prefix, "/"):
			return fmt.Errorf("route %q: a prefix starts with /", r.Prefix)
		case r.Pool == "":
			return fmt.Errorf("route %q: no pool", r.Prefix)
		case seen[r.Prefix]:
			return fmt.Errorf("route %q stands twice", r.Prefix)
		}
		seen[r.Prefix] = true
	}
	if len(routes) == 0 {
		return fmt.Errorf("no routes")
	}
	return nil
}
