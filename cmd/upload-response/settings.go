package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
)

// settings is what the command line of a server says.
type settings struct {
	config    server.Config
	door      doorSettings
	socket    string
	workers   []workerSpec // with --worker: one for each process
	processes int          // for each --worker
	added     []addition   // to the demo
	user      *workerUser  // of the processes; nil: our own
	dumpable  bool
	accessLog bool
	logging   logging
	shutdown  time.Duration
}

// linkSlots is how many slots the memory of a link holds unless told otherwise:
// enough for the lanes that a Go worker asks for.
const linkSlots = 128

const serveNotes = `
Sizes are bytes, or have a unit: 64KiB, 1MiB, 2GiB (1024), 64KB, 1MB (1000).
A repeated flag takes all its values from its variable, where they stand between
commas; each --worker stands on its own line.
A COMMAND is run by 'exec' of /bin/sh, with UPLOAD_RESPONSE_SOCKET and
UPLOAD_RESPONSE_POOL in its environment.

An address of --listen is HOST:PORT or http://HOST:PORT (HTTP/1.1, and HTTP/2 with
prior knowledge), https://HOST:PORT (HTTP/1.1 and 2, and HTTP/3 on the same UDP
port), unix:PATH, or fd:N or https+fd:N, a listening socket that was passed on. With
no --listen, sockets that systemd passes on are taken.

SIGTERM, SIGINT and SIGQUIT end the server when what is running has finished; a second
one ends it at once. SIGUSR1 logs what it holds and what has happened so far. SIGHUP
has the certificate read again, if it is in files. SIGABRT ends it at once, with the
stacks of all goroutines on standard error.
`

// flags returns the flags of serve, with s set to their defaults.
func (s *settings) flags(getenv func(string) string) *cli.FlagSet {
	*s = settings{config: server.DefaultConfig(), socket: proto.DefaultSocket(getenv), processes: 1, shutdown: 30 * time.Second}
	s.config.Routes, s.config.LinkMemory = nil, 0
	s.door = newDoorSettings(":8080")
	log := s.logging.options()
	log.Options = append(log.Options, cli.Option{Name: "access-log", Help: "write a line for every request to standard output", Parse: cli.Toggle(&s.accessLog)})
	return &cli.FlagSet{
		Command: "upload-response serve", Summary: "the server", Notes: serveNotes,
		Groups: []cli.Group{s.places(), s.door.security(), s.proxies(), s.sizes(), s.times(), s.limits(), s.compression(), s.people(), log},
	}
}

func (s *settings) places() cli.Group {
	return cli.Group{Heading: "Places", Options: []cli.Option{
		s.door.listenOption(),
		{Name: "listen-mode", Arg: "MODE", Help: "permissions of unix: sockets that clients connect to", Default: fmt.Sprintf("%04o", s.door.mode), Parse: fileMode(&s.door.mode)},
		{Name: "socket", Arg: "PATH", Help: "where workers attach", Default: s.socket, Parse: socketPath(&s.socket)},
		{Name: "route", Arg: "PREFIX=POOL", Help: "pool for the paths under a prefix; repeat", Default: "/=default", Parse: route(&s.config.Routes), Split: cli.Words},
	}}
}

func (s *settings) proxies() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Proxies in front", Options: []cli.Option{
		{Name: "trust-proxy", Arg: "CIDR", Help: "believe what this address, network, or unix (any Unix socket) says of clients; repeat", Parse: proxy(c), Split: cli.Words},
		{Name: "proxy-protocol", Help: "their connections may begin with a PROXY header, version 1 or 2", Parse: cli.Toggle(&s.door.limits.ProxyProtocol)},
	}}
}

func (s *settings) sizes() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Memory", Options: []cli.Option{
		{Name: "num-streams", Arg: "N", Help: "most requests in progress at once", Default: strconv.Itoa(c.NumStreams), Parse: cli.Number(&c.NumStreams, 1, 1, shm.MaxRows)},
		{Name: "slot-size", Arg: "SIZE", Help: "most bytes in a slot", Default: cli.FormatSize(uint64(c.SlotSize)), Parse: slotSize(&c.SlotSize)},
		{Name: "slot-size-kb", Arg: "N", Help: "the same, in KiB", Same: "slot-size", Parse: func(n string) error { return slotSize(&c.SlotSize)(n + "KiB") }},
		{Name: "slots-per-stream", Arg: "N", Help: "most outstanding slots of one request or response", Default: strconv.Itoa(c.SlotsPerStream), Parse: cli.Number(&c.SlotsPerStream, 1, 1, shm.MaxRing)},
		{Name: "memory", Arg: "SIZE", Help: "all shared memory, half of it for requests", Default: cli.FormatSize(c.Memory), Parse: cli.Size(&c.Memory, 1, 0, math.MaxInt64)},
		{Name: "link-memory", Arg: "SIZE", Help: "of it, for the responses of one link", Default: strconv.Itoa(linkSlots) + " slots, at least " + cli.FormatSize(server.DefaultConfig().LinkMemory), Parse: cli.Size(&c.LinkMemory, 1, 1, math.MaxInt64)},
		{Name: "max-links", Arg: "N", Help: "most workers attached at once", Default: strconv.Itoa(c.MaxLinks), Parse: cli.Number(&c.MaxLinks, 1, 1, shm.MaxLinks)},
	}}
}

func slotSize(p *int) func(string) error { return cli.Size(p, 4<<10, shm.MinSlotSize, shm.MaxSlotSize) }

func (s *settings) times() cli.Group {
	c, l := &s.config, &s.door.limits
	return cli.Group{Heading: "Times", Options: []cli.Option{
		{Name: "response-timeout", Arg: "TIME", Help: "for a worker to make progress", Default: c.ResponseTimeout.String(), Parse: cli.Duration(&c.ResponseTimeout, time.Millisecond)},
		{Name: "response-timeout-ms", Arg: "N", Help: "the same, in milliseconds", Same: "response-timeout", Parse: cli.Number(&c.ResponseTimeout, time.Millisecond, 1, math.MaxInt64/uint64(time.Millisecond))},
		{Name: "client-timeout", Arg: "TIME", Help: "for a client to make progress", Default: c.ClientTimeout.String(), Parse: cli.Duration(&c.ClientTimeout, time.Millisecond)},
		{Name: "stall-time", Arg: "TIME", Help: "for it to do so while others wait for its place; 0: any", Default: c.StallTime.String(), Parse: cli.Duration(&c.StallTime, 0)},
		{Name: "header-timeout", Arg: "TIME", Help: "for a client's handshake, and for its request's headers", Default: l.HeaderTime.String(), Parse: cli.Duration(&l.HeaderTime, time.Millisecond)},
		{Name: "idle-timeout", Arg: "TIME", Help: "for a client to keep a connection without a request", Default: l.IdleTime.String(), Parse: cli.Duration(&l.IdleTime, time.Millisecond)},
		{Name: "ping-interval", Arg: "TIME", Help: "for a silent WebSocket client to be pinged, and again to be given up", Default: c.PingInterval.String(), Parse: cli.Duration(&c.PingInterval, time.Millisecond)},
		{Name: "queue-time", Arg: "TIME", Help: "for a request to find a worker", Default: c.QueueTime.String(), Parse: cli.Duration(&c.QueueTime, time.Millisecond)},
		{Name: "shutdown-timeout", Arg: "TIME", Help: "for requests to finish when the server is to end", Default: s.shutdown.String(), Parse: cli.Duration(&s.shutdown, 0)},
	}}
}

func (s *settings) limits() cli.Group {
	c, l := &s.config, &s.door.limits
	return cli.Group{Heading: "Limits", Options: []cli.Option{
		{Name: "queue-length", Arg: "N", Help: "most requests that wait for a worker", Default: strconv.Itoa(c.QueueLength), Parse: cli.Number(&c.QueueLength, 1, 0, math.MaxInt32)},
		{Name: "body-limit", Arg: "SIZE", Help: "most bytes in a request's body; 0: any number", Default: "0", Parse: cli.Size(&c.BodyLimit, 1, 0, math.MaxInt64)},
		{Name: "allow-trace", Help: "pass TRACE requests on to workers; else they are answered with 405", Parse: cli.Toggle(&c.AllowTrace)},
		{Name: "window-memory", Arg: "SIZE", Help: "besides --memory, for bodies over HTTP/2 and 3 that wait unread; 0: any number", Default: cli.FormatSize(uint64(c.WindowMemory)), Parse: cli.Size(&c.WindowMemory, 1, 0, math.MaxInt64)},
		{Name: "header-limit", Arg: "SIZE", Help: "most bytes in a request's headers; at most a slot", Default: cli.FormatSize(uint64(c.HeaderLimit)), Parse: cli.Size(&c.HeaderLimit, 1, 1, shm.MaxSlotSize)},
		{Name: "field-limit", Arg: "N", Help: "most fields in a request's headers", Default: strconv.Itoa(c.FieldLimit), Parse: cli.Number(&c.FieldLimit, 1, 1, proto.MaxFields)},
		{Name: "message-limit", Arg: "SIZE", Help: "most bytes in a message of a WebSocket's client; 0: any number", Default: cli.FormatSize(uint64(c.MessageLimit)), Parse: cli.Size(&c.MessageLimit, 1, 0, math.MaxInt64)},
		{Name: "min-body-rate", Arg: "SIZE", Help: "least bytes a second of a body that is waited for; 0: any number", Default: cli.FormatSize(uint64(c.MinBodyRate)), Parse: cli.Size(&c.MinBodyRate, 1, 0, math.MaxInt64)},
		{Name: "request-rate", Arg: "N", Help: "most requests a second of one client; 0: any number", Default: "0", Parse: cli.Number(&c.RequestRate, 1, 0, math.MaxInt32)},
		{Name: "request-burst", Arg: "N", Help: "requests that it may make at once", Default: strconv.Itoa(c.RequestBurst), Parse: cli.Number(&c.RequestBurst, 1, 1, math.MaxInt32)},
		{Name: "request-rate-header", Arg: "NAME", Help: "field that names the client; without it the address does", Parse: cli.Text(&c.RequestRateHeader)},
		{Name: "connections-per-address", Arg: "N", Help: "most connections from one address; 0: any number", Default: strconv.Itoa(l.ConnsPerAddress), Parse: cli.Number(&l.ConnsPerAddress, 1, 0, math.MaxInt32)},
		{Name: "streams-per-connection", Arg: "N", Help: "most requests at once on one connection of HTTP/2 or 3", Default: strconv.Itoa(l.StreamsPerConn), Parse: cli.Number(&l.StreamsPerConn, 1, 1, math.MaxInt16)},
	}}
}

func (s *settings) compression() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Compression", Options: []cli.Option{
		{Name: "compress", Help: "compress responses that are text of some kind, for clients that take zstd or gzip", Parse: cli.Toggle(&c.Compress)},
		{Name: "compress-min", Arg: "SIZE", Help: "not those that say that they have less", Default: cli.FormatSize(uint64(c.CompressMin)), Parse: cli.Size(&c.CompressMin, 1, 1, math.MaxInt64)},
	}}
}

func (s *settings) people() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Workers", Options: []cli.Option{
		{Name: "worker", Arg: "POOL=COMMAND", Help: "keep a worker process running; repeat", Parse: workerCommand(&s.workers), Split: cli.Lines},
		{Name: "workers", Arg: "N", Help: "processes for each --worker", Default: strconv.Itoa(s.processes), Parse: cli.Number(&s.processes, 1, 1, shm.MaxLinks)},
		{Name: "worker-user", Arg: "USER", Help: "whom they run as: NAME, NAME:GROUP or UID:GID; needs root", Default: "the server's own", Parse: asUser(&s.user)},
		{Name: "open-pool", Arg: "POOL", Help: "let workers attach that the server did not start, to a pool that has --worker; repeat", Parse: poolNames(&c.OpenPools), Split: cli.Words},
		{Name: "allow-uid", Arg: "[POOL=]UID", Help: "let another user's workers attach, to one pool or to any; repeat", Parse: id(&c.AllowUIDs, &c.PoolUIDs), Split: cli.Words},
		{Name: "allow-gid", Arg: "[POOL=]GID", Help: "let another group's workers attach, to one pool or to any; repeat", Parse: id(&c.AllowGIDs, &c.PoolGIDs), Split: cli.Words},
		{Name: "links-per-process", Arg: "N", Help: "most links that one process can have at once; 0: any number", Default: "0", Parse: cli.Number(&c.LinksPerProcess, 1, 0, shm.MaxLinks)},
		{Name: "links-per-user", Arg: "N", Help: "most that the processes of one user can have; 0: any number", Default: "0", Parse: cli.Number(&c.LinksPerUser, 1, 0, shm.MaxLinks)},
		{Name: "links-per-pool", Arg: "N", Help: "most that one pool can have; 0: any number", Default: "0", Parse: cli.Number(&c.LinksPerPool, 1, 0, shm.MaxLinks)},
		{Name: "dumpable", Help: "let workers and debuggers of the server's user into its memory, and core dumps be written", Parse: cli.Toggle(&s.dumpable)},
	}}
}

// parse takes the command line and the environment, and checks that what they
// say fits together. Errors are as those of [cli.FlagSet.parse].
func (s *settings) parse(flags *cli.FlagSet, args []string, getenv func(string) string) error {
	if err := flags.Parse(args, getenv); err != nil {
		return err
	}
	if err := s.complete(flags.Given); err != nil {
		return flags.Usage(err)
	}
	return nil
}

// complete fills in what depends on other settings, and checks the whole.
func (s *settings) complete(given func(option string) bool) error {
	c := &s.config
	if c.Routes == nil {
		c.Routes = server.DefaultConfig().Routes
	}
	if !given("header-limit") {
		c.HeaderLimit = min(c.HeaderLimit, c.SlotSize)
	}
	if !given("link-memory") {
		c.LinkMemory = max(server.DefaultConfig().LinkMemory, linkSlots*uint64(c.SlotSize))
	}
	if given("workers") && len(s.workers) == 0 {
		return errors.New("--workers says how many processes each --worker has, and there is no --worker")
	}
	s.multiply()
	s.door.complete()
	for _, check := range []func() error{s.door.check, s.checkProxies, s.checkHeaderLimit, s.checkPools, s.checkMemory} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// multiply makes as many workers of each as there are to be processes.
func (s *settings) multiply() {
	var all []workerSpec
	for _, spec := range s.workers {
		all = append(all, slices.Repeat([]workerSpec{spec}, s.processes)...)
	}
	s.workers = all
}

func (s *settings) checkHeaderLimit() error {
	if c := &s.config; c.HeaderLimit > c.SlotSize {
		return fmt.Errorf("--header-limit %s: the headers have to fit one slot, which has %s", cli.FormatSize(uint64(c.HeaderLimit)), cli.FormatSize(uint64(c.SlotSize)))
	}
	return nil
}

func (s *settings) checkProxies() error {
	if s.door.limits.ProxyProtocol && len(s.config.TrustedProxies) == 0 && !s.config.TrustUnix {
		return errors.New("--proxy-protocol: say whose headers are believed with --trust-proxy")
	}
	return nil
}

// checkPools marks the pools that have workers of ours.
func (s *settings) checkPools() error {
	for _, spec := range s.workers {
		if !slices.ContainsFunc(s.config.Routes, func(r server.Route) bool { return r.Pool == spec.pool }) {
			return fmt.Errorf("--worker %s=...: no route leads to pool %s, add --route PREFIX=%s", spec.pool, spec.pool, spec.pool)
		}
		if !slices.Contains(s.config.Supervised, spec.pool) {
			s.config.Supervised = append(s.config.Supervised, spec.pool)
		}
	}
	s.config.StartedWorkers = len(s.workers)
	for _, pool := range s.config.OpenPools {
		if !slices.Contains(s.config.Supervised, pool) {
			return fmt.Errorf("--open-pool %s: it is open, for it has no --worker", pool)
		}
	}
	for _, a := range slices.Concat(s.config.PoolUIDs, s.config.PoolGIDs) {
		if !slices.ContainsFunc(s.config.Routes, func(r server.Route) bool { return r.Pool == a.Pool }) {
			return fmt.Errorf("--allow-uid and --allow-gid %s=%d: no route leads to pool %s, add --route PREFIX=%s", a.Pool, a.ID, a.Pool, a.Pool)
		}
	}
	return s.checkUser()
}

// checkUser lets the user of our own workers attach, to their pools.
func (s *settings) checkUser() error {
	if s.user == nil {
		return nil
	}
	if len(s.workers) == 0 {
		return errors.New("--worker-user says who each --worker is, and there is no --worker")
	}
	for _, pool := range s.config.Supervised {
		s.config.PoolUIDs = append(s.config.PoolUIDs, server.PoolID{Pool: pool, ID: s.user.uid})
	}
	_, err := s.user.check(s.socket)
	return err
}

// shared reports whether processes of other users have to reach the worker socket.
func (s *settings) shared() bool {
	c := &s.config
	return len(c.AllowUIDs)+len(c.AllowGIDs)+len(c.PoolUIDs)+len(c.PoolGIDs) > 0
}

// mostWorkers returns how many worker processes the pool has that has the most.
func (s *settings) mostWorkers() (most int) {
	count := map[string]int{}
	for _, spec := range s.workers {
		count[spec.pool]++
		most = max(most, count[spec.pool])
	}
	return most
}

// checkMemory compares what the memory holds with what our own workers need.
func (s *settings) checkMemory() error {
	c := &s.config
	switch n := uint64(len(s.workers)); {
	case c.LinkMemory > responseMemory(c):
		return fmt.Errorf("--memory %s is too little: half of it is for the responses of links, and one link has %s (--link-memory)", cli.FormatSize(c.Memory), cli.FormatSize(c.LinkMemory))
	case n > uint64(mostLinks(c)):
		return fmt.Errorf("%d worker processes, and room for %d: raise --max-links (%d) or --memory (%s, half of it for responses), or lower --link-memory (%s)",
			n, mostLinks(c), c.MaxLinks, cli.FormatSize(c.Memory), cli.FormatSize(c.LinkMemory))
	case c.LinksPerPool > 0 && s.mostWorkers() > c.LinksPerPool:
		return fmt.Errorf("%d worker processes of one pool, and --links-per-pool %d", s.mostWorkers(), c.LinksPerPool)
	case c.LinksPerUser > 0 && n > uint64(c.LinksPerUser):
		return fmt.Errorf("%d worker processes of one user, and --links-per-user %d", n, c.LinksPerUser)
	}
	return nil
}

func responseMemory(c *server.Config) uint64 { return c.Memory - c.Memory/2 }

// mostLinks returns how many links can attach at once.
func mostLinks(c *server.Config) int {
	return int(min(uint64(c.MaxLinks), responseMemory(c)/c.LinkMemory))
}

// plan says in the log what the memory is for.
func (s *settings) plan(buffers int) slog.Attr {
	c := &s.config
	return slog.Group("memory",
		slog.String("total", cli.FormatSize(c.Memory)), slog.Int("streams", c.NumStreams), slog.String("slot", cli.FormatSize(uint64(c.SlotSize))),
		slog.Int("request_slots", buffers), slog.String("link", cli.FormatSize(c.LinkMemory)), slog.Int("links", mostLinks(c)))
}
