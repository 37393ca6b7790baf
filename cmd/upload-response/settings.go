package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/proto/attach"
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
func (s *settings) flags(getenv func(string) string) *flagSet {
	*s = settings{config: server.DefaultConfig(), socket: attach.DefaultSocket(getenv), processes: 1, shutdown: 30 * time.Second}
	s.config.Routes, s.config.LinkMemory = nil, 0
	s.door = newDoorSettings(":8080")
	log := s.logging.options()
	log.options = append(log.options, option{name: "access-log", help: "write a line for every request to standard output", parse: toggle(&s.accessLog)})
	return &flagSet{
		command: "upload-response serve", summary: "the server", notes: serveNotes,
		groups: []optionGroup{s.places(), s.door.security(), s.proxies(), s.sizes(), s.times(), s.limits(), s.compression(), s.people(), log},
	}
}

func (s *settings) places() optionGroup {
	return optionGroup{"Places", []option{
		s.door.listenOption(),
		{name: "listen-mode", arg: "MODE", help: "permissions of unix: sockets that clients connect to", value: fmt.Sprintf("%04o", s.door.mode), parse: fileMode(&s.door.mode)},
		{name: "socket", arg: "PATH", help: "where workers attach", value: s.socket, parse: socketPath(&s.socket)},
		{name: "route", arg: "PREFIX=POOL", help: "pool for the paths under a prefix; repeat", value: "/=default", parse: route(&s.config.Routes), split: words},
	}}
}

func (s *settings) proxies() optionGroup {
	c := &s.config
	return optionGroup{"Proxies in front", []option{
		{name: "trust-proxy", arg: "CIDR", help: "believe what this address, network, or unix (any Unix socket) says of clients; repeat", parse: proxy(c), split: words},
		{name: "proxy-protocol", help: "their connections may begin with a PROXY header, version 1 or 2", parse: toggle(&s.door.limits.ProxyProtocol)},
	}}
}

func (s *settings) sizes() optionGroup {
	c := &s.config
	return optionGroup{"Memory", []option{
		{name: "num-streams", arg: "N", help: "most requests in progress at once", value: strconv.Itoa(c.NumStreams), parse: number(&c.NumStreams, 1, 1, shm.MaxRows)},
		{name: "slot-size", arg: "SIZE", help: "most bytes in a slot", value: formatSize(uint64(c.SlotSize)), parse: slotSize(&c.SlotSize)},
		{name: "slot-size-kb", arg: "N", help: "the same, in KiB", same: "slot-size", parse: func(n string) error { return slotSize(&c.SlotSize)(n + "KiB") }},
		{name: "slots-per-stream", arg: "N", help: "most outstanding slots of one request or response", value: strconv.Itoa(c.SlotsPerStream), parse: number(&c.SlotsPerStream, 1, 1, shm.MaxRing)},
		{name: "memory", arg: "SIZE", help: "all shared memory, half of it for requests", value: formatSize(c.Memory), parse: size(&c.Memory, 1, 0, math.MaxInt64)},
		{name: "link-memory", arg: "SIZE", help: "of it, for the responses of one link", value: strconv.Itoa(linkSlots) + " slots, at least " + formatSize(server.DefaultConfig().LinkMemory), parse: size(&c.LinkMemory, 1, 1, math.MaxInt64)},
		{name: "max-links", arg: "N", help: "most workers attached at once", value: strconv.Itoa(c.MaxLinks), parse: number(&c.MaxLinks, 1, 1, shm.MaxLinks)},
	}}
}

func slotSize(p *int) func(string) error { return size(p, 4<<10, shm.MinSlotSize, shm.MaxSlotSize) }

func (s *settings) times() optionGroup {
	c, l := &s.config, &s.door.limits
	return optionGroup{"Times", []option{
		{name: "response-timeout", arg: "TIME", help: "for a worker to make progress", value: c.ResponseTimeout.String(), parse: duration(&c.ResponseTimeout, time.Millisecond)},
		{name: "response-timeout-ms", arg: "N", help: "the same, in milliseconds", same: "response-timeout", parse: number(&c.ResponseTimeout, time.Millisecond, 1, math.MaxInt64/uint64(time.Millisecond))},
		{name: "client-timeout", arg: "TIME", help: "for a client to make progress", value: c.ClientTimeout.String(), parse: duration(&c.ClientTimeout, time.Millisecond)},
		{name: "stall-time", arg: "TIME", help: "for it to do so while others wait for its place; 0: any", value: c.StallTime.String(), parse: duration(&c.StallTime, 0)},
		{name: "header-timeout", arg: "TIME", help: "for a client's handshake, and for its request's headers", value: l.HeaderTime.String(), parse: duration(&l.HeaderTime, time.Millisecond)},
		{name: "idle-timeout", arg: "TIME", help: "for a client to keep a connection without a request", value: l.IdleTime.String(), parse: duration(&l.IdleTime, time.Millisecond)},
		{name: "ping-interval", arg: "TIME", help: "for a silent WebSocket client to be pinged, and again to be given up", value: c.PingInterval.String(), parse: duration(&c.PingInterval, time.Millisecond)},
		{name: "queue-time", arg: "TIME", help: "for a request to find a worker", value: c.QueueTime.String(), parse: duration(&c.QueueTime, time.Millisecond)},
		{name: "shutdown-timeout", arg: "TIME", help: "for requests to finish when the server is to end", value: s.shutdown.String(), parse: duration(&s.shutdown, 0)},
	}}
}

func (s *settings) limits() optionGroup {
	c, l := &s.config, &s.door.limits
	return optionGroup{"Limits", []option{
		{name: "queue-length", arg: "N", help: "most requests that wait for a worker", value: strconv.Itoa(c.QueueLength), parse: number(&c.QueueLength, 1, 0, math.MaxInt32)},
		{name: "body-limit", arg: "SIZE", help: "most bytes in a request's body; 0: any number", value: "0", parse: size(&c.BodyLimit, 1, 0, math.MaxInt64)},
		{name: "allow-trace", help: "pass TRACE requests on to workers; else they are answered with 405", parse: toggle(&c.AllowTrace)},
		{name: "window-memory", arg: "SIZE", help: "besides --memory, for bodies over HTTP/2 and 3 that wait unread; 0: any number", value: formatSize(uint64(c.WindowMemory)), parse: size(&c.WindowMemory, 1, 0, math.MaxInt64)},
		{name: "header-limit", arg: "SIZE", help: "most bytes in a request's headers; at most a slot", value: formatSize(uint64(c.HeaderLimit)), parse: size(&c.HeaderLimit, 1, 1, shm.MaxSlotSize)},
		{name: "field-limit", arg: "N", help: "most fields in a request's headers", value: strconv.Itoa(c.FieldLimit), parse: number(&c.FieldLimit, 1, 1, proto.MaxFields)},
		{name: "message-limit", arg: "SIZE", help: "most bytes in a message of a WebSocket's client; 0: any number", value: formatSize(uint64(c.MessageLimit)), parse: size(&c.MessageLimit, 1, 0, math.MaxInt64)},
		{name: "min-body-rate", arg: "SIZE", help: "least bytes a second of a body that is waited for; 0: any number", value: formatSize(uint64(c.MinBodyRate)), parse: size(&c.MinBodyRate, 1, 0, math.MaxInt64)},
		{name: "request-rate", arg: "N", help: "most requests a second of one client; 0: any number", value: "0", parse: number(&c.RequestRate, 1, 0, math.MaxInt32)},
		{name: "request-burst", arg: "N", help: "requests that it may make at once", value: strconv.Itoa(c.RequestBurst), parse: number(&c.RequestBurst, 1, 1, math.MaxInt32)},
		{name: "request-rate-header", arg: "NAME", help: "field that names the client; without it the address does", parse: text(&c.RequestRateHeader)},
		{name: "connections-per-address", arg: "N", help: "most connections from one address; 0: any number", value: strconv.Itoa(l.ConnsPerAddress), parse: number(&l.ConnsPerAddress, 1, 0, math.MaxInt32)},
		{name: "streams-per-connection", arg: "N", help: "most requests at once on one connection of HTTP/2 or 3", value: strconv.Itoa(l.StreamsPerConn), parse: number(&l.StreamsPerConn, 1, 1, math.MaxInt16)},
	}}
}

func (s *settings) compression() optionGroup {
	c := &s.config
	return optionGroup{"Compression", []option{
		{name: "compress", help: "compress responses that are text of some kind, for clients that take zstd or gzip", parse: toggle(&c.Compress)},
		{name: "compress-min", arg: "SIZE", help: "not those that say that they have less", value: formatSize(uint64(c.CompressMin)), parse: size(&c.CompressMin, 1, 1, math.MaxInt64)},
	}}
}

func (s *settings) people() optionGroup {
	c := &s.config
	return optionGroup{"Workers", []option{
		{name: "worker", arg: "POOL=COMMAND", help: "keep a worker process running; repeat", parse: workerCommand(&s.workers), split: lines},
		{name: "workers", arg: "N", help: "processes for each --worker", value: strconv.Itoa(s.processes), parse: number(&s.processes, 1, 1, shm.MaxLinks)},
		{name: "worker-user", arg: "USER", help: "whom they run as: NAME, NAME:GROUP or UID:GID; needs root", value: "the server's own", parse: asUser(&s.user)},
		{name: "open-pool", arg: "POOL", help: "let workers attach that the server did not start, to a pool that has --worker; repeat", parse: poolNames(&c.OpenPools), split: words},
		{name: "allow-uid", arg: "[POOL=]UID", help: "let another user's workers attach, to one pool or to any; repeat", parse: id(&c.AllowUIDs, &c.PoolUIDs), split: words},
		{name: "allow-gid", arg: "[POOL=]GID", help: "let another group's workers attach, to one pool or to any; repeat", parse: id(&c.AllowGIDs, &c.PoolGIDs), split: words},
		{name: "links-per-process", arg: "N", help: "most links that one process can have at once; 0: any number", value: "0", parse: number(&c.LinksPerProcess, 1, 0, shm.MaxLinks)},
		{name: "links-per-user", arg: "N", help: "most that the processes of one user can have; 0: any number", value: "0", parse: number(&c.LinksPerUser, 1, 0, shm.MaxLinks)},
		{name: "links-per-pool", arg: "N", help: "most that one pool can have; 0: any number", value: "0", parse: number(&c.LinksPerPool, 1, 0, shm.MaxLinks)},
		{name: "dumpable", help: "let workers and debuggers of the server's user into its memory, and core dumps be written", parse: toggle(&s.dumpable)},
	}}
}

// parse takes the command line and the environment, and checks that what they
// say fits together. Errors are as those of [flagSet.parse].
func (s *settings) parse(flags *flagSet, args []string, getenv func(string) string) error {
	if err := flags.parse(args, getenv); err != nil {
		return err
	}
	if err := s.complete(flags.given); err != nil {
		return flags.usage(err)
	}
	return nil
}

// complete fills in what depends on other settings, and checks the whole.
func (s *settings) complete(given map[string]string) error {
	c := &s.config
	if c.Routes == nil {
		c.Routes = server.DefaultConfig().Routes
	}
	if given["header-limit"] == "" {
		c.HeaderLimit = min(c.HeaderLimit, c.SlotSize)
	}
	if given["link-memory"] == "" {
		c.LinkMemory = max(server.DefaultConfig().LinkMemory, linkSlots*uint64(c.SlotSize))
	}
	if given["workers"] != "" && len(s.workers) == 0 {
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
		return fmt.Errorf("--header-limit %s: the headers have to fit one slot, which has %s", formatSize(uint64(c.HeaderLimit)), formatSize(uint64(c.SlotSize)))
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
		return fmt.Errorf("--memory %s is too little: half of it is for the responses of links, and one link has %s (--link-memory)", formatSize(c.Memory), formatSize(c.LinkMemory))
	case n > uint64(mostLinks(c)):
		return fmt.Errorf("%d worker processes, and room for %d: raise --max-links (%d) or --memory (%s, half of it for responses), or lower --link-memory (%s)",
			n, mostLinks(c), c.MaxLinks, formatSize(c.Memory), formatSize(c.LinkMemory))
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
		slog.String("total", formatSize(c.Memory)), slog.Int("streams", c.NumStreams), slog.String("slot", formatSize(uint64(c.SlotSize))),
		slog.Int("request_slots", buffers), slog.String("link", formatSize(c.LinkMemory)), slog.Int("links", mostLinks(c)))
}
