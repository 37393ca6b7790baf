package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/shm"
)

const serveCommand = "upload-response serve"

const serveExample = `
# Workers that are started by hand attach to the server, which listens on 127.0.0.1:8080
upload-response serve

# The server starts four processes of a program, and starts them again when they end
upload-response serve --worker default=./app --workers 4

# HTTPS with a certificate from Let's Encrypt, and two applications in Python
upload-response serve --listen :80 --listen https://:443 --acme-domain www.example.org \
  --route /=web --route /api=api \
  --worker 'web=python3 -m upload_response wsgi shop.wsgi:app' \
  --worker 'api=python3 -m upload_response asgi api:app'
`

// commonFlags are those that most users look for: --help shows them, the others are behind --help-all.
var commonFlags = []string{
	"listen", "socket", "route", "tls-cert", "tls-key", "tls-self-signed", "acme-domain", "trust-proxy",
	"num-streams", "slot-size", "slots-per-stream", "memory", "response-timeout", "queue-timeout", "shutdown-timeout",
	"config", "body-limit", "request-rate", "compress", "worker", "workers", "worker-user", "stuck-after",
	"stop-timeout", "scale-max",
	"admin", "log-level", "log-format", "access-log", "access-log-format", "metrics",
}

const serveNotes = `
Without --config, the file is upload-response.yaml in this folder, or else
/etc/upload-response/upload-response.yaml. There need not be one. docs/configuration.md
describes it, and 'upload-response check' checks it.

Sizes are bytes, or have a unit: 64KiB, 1MiB, 2GiB (1024), 64KB, 1MB (1000).
A flag that can be repeated takes several values from the environment variable, with
commas between them; each --worker stands on a line of its own.

A COMMAND is split into words, with quotes as in a shell, and run without one; if it has
more that a shell understands, it is run by 'exec' of /bin/sh. UPLOAD_RESPONSE_SOCKET and
UPLOAD_RESPONSE_POOL are in its environment. A link is the attachment of one worker, with the
memory for its responses.

An ADDRESS is HOST:PORT or http://HOST:PORT (HTTP/1.1, and HTTP/2 with prior knowledge),
https://HOST:PORT (HTTP/1.1 and 2, and HTTP/3 on the same UDP port), unix:PATH, or fd:NAME or
https+fd:NAME, a listening socket from systemd (FileDescriptorName=), or one that was passed
on as descriptor N. :PORT, or a PORT alone, is for clients of all machines, 127.0.0.1:PORT and
localhost:PORT for those of this one. Without --listen the server takes the sockets that
systemd passes on, if there are any; else it listens on the port in the variable PORT, as
hosting platforms set it, for clients of all machines.

SIGTERM, SIGINT and SIGQUIT end the server when the running requests have finished; a second
signal ends it at once. SIGUSR1 opens log files again and logs counters. SIGHUP reads the
configuration file and the certificate files again, and with --reload-workers replaces the
worker processes, one after the other, by new ones.
SIGABRT ends the server at once, and prints the stacks of all goroutines.

All formats of --access-log-format but text show queries, which may hold secrets. A template
has fields in braces:
  agent, app, client, duration_s, error, first_byte_s, host, id, method, path, protocol,
  queue_s, reason, received, referer, request, route, sent, status, stream, target, time,
  time_clf, trace, websocket, worker
`

// flags returns the flags of serve, with s set to the defaults.
func (s *settings) flags(getenv func(string) string) *cli.FlagSet {
	*s = settings{config: server.DefaultConfig(), socket: attach.DefaultSocket(getenv),
		shutdown: 30 * time.Second, workers: newAppSettings()}
	s.config.Routes, s.config.LinkMemory = nil, 0
	s.listeners = newListenerSettings(getenv, "")
	log := s.logging.flags()
	log.Options = append(log.Options, cli.Option{
		Name: "access-log", Help: "write a line for every request to standard output", Parse: cli.Toggle(&s.accessLog),
	})
	log.Options = append(log.Options, s.logFiles.flags()...)
	return &cli.FlagSet{
		Command: serveCommand, Summary: "runs the server", Example: serveExample, Notes: serveNotes,
		Common: commonFlags,
		Groups: []cli.Group{
			s.addressFlags(), s.fileFlags(), s.listeners.securityFlags(), s.proxyFlags(), s.memoryFlags(),
			s.timeoutFlags(),
			s.requestFlags(), s.clientFlags(), s.compressionFlags(), s.workerFlags(), s.admin.flags(), log,
			s.observe.flags(),
		},
	}
}

func (s *settings) fileFlags() cli.Group {
	return cli.Group{Heading: "Configuration", Options: []cli.Option{{
		Name: "config", Short: "c", Arg: "FILE", Help: "configuration file; flags and variables win over what it says",
		Parse: cli.Text(&s.fileName),
	}}}
}

func (s *settings) addressFlags() cli.Group {
	return cli.Group{Heading: "Addresses and routes", Options: []cli.Option{
		s.listeners.listenFlag(),
		{
			Name: "listen-mode", Arg: "MODE", Help: "permissions of unix: sockets for clients",
			Default: fmt.Sprintf("%04o", s.listeners.mode), Parse: fileMode(&s.listeners.mode),
		},
		{Name: "socket", Arg: "PATH", Help: "Unix socket for workers", Default: s.socket, Parse: socketPath(&s.socket)},
		{
			Name: "route", Arg: "PREFIX=POOL", Help: "send requests whose path has this prefix to a pool; repeat",
			Default: "/=default", Parse: route(&s.config.Routes), Split: cli.Words,
		},
	}}
}

func (s *settings) proxyFlags() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Proxies in front", Options: []cli.Option{
		{
			Name: "trust-proxy", Arg: "CIDR",
			Help:  "believe this address or network, or unix (all Unix sockets), about clients; repeat",
			Parse: proxy(c), Split: cli.Words,
		},
		{
			Name: "proxy-protocol", Help: "accept a PROXY header, version 1 or 2, on connections from trusted proxies",
			Parse: cli.Toggle(&s.listeners.limits.ProxyProtocol),
		},
	}}
}

func (s *settings) memoryFlags() cli.Group {
	c := &s.config
	linkMemory := strconv.Itoa(linkSlots) + " slots, at least " + cli.FormatSize(server.DefaultConfig().LinkMemory)
	return cli.Group{Heading: "Memory", Options: []cli.Option{
		{
			Name: "num-streams", Arg: "N", Help: "most requests in progress at once",
			Default: strconv.Itoa(c.NumStreams), Parse: cli.Number(&c.NumStreams, 1, 1, shm.MaxRows),
		},
		{
			Name: "slot-size", Arg: "SIZE", Help: "most bytes in a slot, and in the headers of a request or response",
			Default: cli.FormatSize(uint64(c.SlotSize)), Parse: slotSize(&c.SlotSize),
		},
		{
			Name: "slot-size-kb", Arg: "N", Help: "the same, in KiB", Same: "slot-size",
			Parse: func(n string) error { return slotSize(&c.SlotSize)(n + "KiB") },
		},
		{
			Name: "slots-per-stream", Arg: "N", Help: "most slots of one request or response in memory at once",
			Default: strconv.Itoa(c.SlotsPerStream), Parse: cli.Number(&c.SlotsPerStream, 1, 1, shm.MaxRing),
		},
		{
			Name: "memory", Arg: "SIZE", Help: "all shared memory, half of it for requests",
			Default: cli.FormatSize(c.Memory), Parse: cli.Size(&c.Memory, 1, 0, math.MaxInt64),
		},
		{
			Name: "link-memory", Arg: "SIZE", Help: "part of --memory for the responses of one link",
			Default: linkMemory, Parse: cli.Size(&c.LinkMemory, 1, 1, math.MaxInt64),
		},
		{
			Name: "max-links", Arg: "N", Help: "most workers attached at once",
			Default: strconv.Itoa(c.MaxLinks), Parse: cli.Number(&c.MaxLinks, 1, 1, shm.MaxLinks),
		},
		{
			Name: "window-memory", Arg: "SIZE",
			Help:    "most unread bytes of HTTP/2 and 3 bodies, besides --memory; 0: no limit",
			Default: cli.FormatSize(uint64(c.WindowMemory)), Parse: cli.Size(&c.WindowMemory, 1, 0, math.MaxInt64),
		},
	}}
}

func slotSize(p *int) func(string) error { return cli.Size(p, 4<<10, shm.MinSlotSize, shm.MaxSlotSize) }

func (s *settings) timeoutFlags() cli.Group {
	c, l := &s.config, &s.listeners.limits
	timeout := func(name, help string, p *time.Duration, least time.Duration, old ...string) cli.Option {
		return cli.Option{
			Name: name, Arg: "TIME", Help: help, Default: p.String(), Parse: cli.Duration(p, least), Old: old,
		}
	}
	const ms = time.Millisecond
	return cli.Group{Heading: "Timeouts", Options: []cli.Option{
		timeout("response-timeout", "answer 504, or break off, when a worker makes no progress for this long",
			&c.ResponseTimeout, ms),
		{
			Name: "response-timeout-ms", Arg: "N", Help: "the same, in milliseconds", Same: "response-timeout",
			Parse: cli.Number(&c.ResponseTimeout, ms, 1, math.MaxInt64/uint64(ms)),
		},
		timeout("client-timeout", "break off when a client makes no progress for this long", &c.ClientTimeout, ms),
		timeout("stall-timeout", "the same, while other requests wait; 0: no earlier than --client-timeout",
			&c.StallTime, 0, "stall-time"),
		timeout("header-timeout", "longest handshake, and longest wait for the headers of a request",
			&l.HeaderTime, ms),
		timeout("idle-timeout", "close a connection that has had no request for this long", &l.IdleTime, ms),
		timeout("ping-interval", "ping a silent WebSocket client after this long, and give it up after as long again",
			&c.PingInterval, ms),
		timeout("queue-timeout", "answer 503 when a request has waited this long for a worker", &c.QueueTime, ms,
			"queue-time"),
		timeout("drain-delay",
			"serve on for this long after a signal that ends the server, while /readyz says 503", &s.drainDelay, 0),
		timeout("shutdown-timeout", "longest wait for running requests when the server ends; 0: none", &s.shutdown, 0),
	}}
}

func (s *settings) requestFlags() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Limits of requests", Options: []cli.Option{
		{
			Name: "queue-length", Arg: "N", Help: "most requests that wait for a worker; 0: none waits",
			Default: strconv.Itoa(c.QueueLength), Parse: cli.Number(&c.QueueLength, 1, 0, math.MaxInt32),
		},
		{
			Name: "header-limit", Arg: "SIZE", Help: "most bytes in the headers of a request; at most --slot-size",
			Default: cli.FormatSize(uint64(c.HeaderLimit)), Parse: cli.Size(&c.HeaderLimit, 1, 1, shm.MaxSlotSize),
		},
		{
			Name: "field-limit", Arg: "N", Help: "most fields in the headers of a request",
			Default: strconv.Itoa(c.FieldLimit), Parse: cli.Number(&c.FieldLimit, 1, 1, proto.MaxFields),
		},
		{
			Name: "body-limit", Arg: "SIZE", Help: "most bytes in the body of a request; 0: no limit",
			Default: "0", Parse: cli.Size(&c.BodyLimit, 1, 0, math.MaxInt64),
		},
		{
			Name: "min-body-rate", Arg: "SIZE", Help: "break off an upload that is slower, in bytes a second; 0: never",
			Default: cli.FormatSize(uint64(c.MinBodyRate)), Parse: cli.Size(&c.MinBodyRate, 1, 0, math.MaxInt64),
		},
		{
			Name: "message-limit", Arg: "SIZE",
			Help:    "most bytes in a message that a WebSocket client sends; 0: no limit",
			Default: cli.FormatSize(uint64(c.MessageLimit)), Parse: cli.Size(&c.MessageLimit, 1, 0, math.MaxInt64),
		},
		{Name: "allow-trace", Help: "pass TRACE requests to workers; else they get 405",
			Parse: cli.Toggle(&c.AllowTrace)},
	}}
}

func (s *settings) clientFlags() cli.Group {
	c, l := &s.config, &s.listeners.limits
	return cli.Group{Heading: "Limits of clients", Options: []cli.Option{
		{
			Name: "request-rate", Arg: "N", Help: "most requests a second from one client; 0: no limit",
			Default: "0", Parse: cli.Number(&c.RequestRate, 1, 0, math.MaxInt32),
		},
		{
			Name: "request-burst", Arg: "N",
			Help:    "requests that a client can make at once before --request-rate applies",
			Default: strconv.Itoa(c.RequestBurst), Parse: cli.Number(&c.RequestBurst, 1, 1, math.MaxInt32),
		},
		{
			Name: "request-rate-header", Arg: "NAME",
			Help:  "tell clients apart by this header field, not by the address",
			Parse: cli.Text(&c.RequestRateHeader),
		},
		{
			Name: "connections-per-address", Arg: "N", Help: "most connections from one address; 0: no limit",
			Default: strconv.Itoa(l.ConnsPerAddress), Parse: cli.Number(&l.ConnsPerAddress, 1, 0, math.MaxInt32),
		},
		{
			Name: "streams-per-connection", Arg: "N", Help: "most requests at once on one HTTP/2 or HTTP/3 connection",
			Default: strconv.Itoa(l.StreamsPerConn), Parse: cli.Number(&l.StreamsPerConn, 1, 1, math.MaxInt16),
		},
	}}
}

func (s *settings) compressionFlags() cli.Group {
	c := &s.config
	return cli.Group{Heading: "Compression", Options: []cli.Option{
		{
			Name: "compress", Help: "compress text responses for clients that accept zstd or gzip",
			Parse: cli.Toggle(&c.Compress),
		},
		{
			Name: "compress-min", Arg: "SIZE", Help: "do not compress a response with a smaller Content-Length",
			Default: cli.FormatSize(uint64(c.CompressMin)), Parse: cli.Size(&c.CompressMin, 1, 1, math.MaxInt64),
		},
	}}
}

func (s *settings) workerFlags() cli.Group {
	c, app := &s.config, &s.workers.app
	links := func(name, of string, p *int) cli.Option {
		return cli.Option{
			Name: name, Arg: "N", Help: "most links of " + of + "; 0: no limit", Default: "0",
			Parse: cli.Number(p, 1, 0, shm.MaxLinks),
		}
	}
	group := cli.Group{Heading: "Workers", Options: []cli.Option{
		{
			Name: "worker", Arg: "POOL=COMMAND",
			Help:  "start a worker process, and start it again when it ends; repeat",
			Parse: workerCommand(&s.apps), Split: cli.Lines,
		},
		{
			Name: "workers", Arg: "N", Help: "processes for each --worker",
			Default: strconv.Itoa(app.Processes), Parse: cli.Number(&app.Processes, 1, 1, shm.MaxLinks),
		},
		{
			Name: "worker-user", Arg: "USER", Help: "user of these processes: NAME, NAME:GROUP or UID:GID; needs root",
			Default: "the user of the server", Parse: workerUser(&app.User),
		},
		{
			Name: "open-pool", Arg: "POOL", Help: "a pool with --worker takes other workers, too; repeat",
			Parse: poolNames(&c.OpenPools), Split: cli.Words,
		},
		{
			Name: "allow-uid", Arg: "[POOL=]UID",
			Help:  "let workers of another user attach, to one pool or to all; repeat",
			Parse: id(&c.AllowUIDs, &c.PoolUIDs), Split: cli.Words,
		},
		{
			Name: "allow-gid", Arg: "[POOL=]GID",
			Help:  "let workers of another group attach, to one pool or to all; repeat",
			Parse: id(&c.AllowGIDs, &c.PoolGIDs), Split: cli.Words,
		},
		links("links-per-process", "one process", &c.LinksPerProcess),
		links("links-per-user", "all processes of one user", &c.LinksPerUser),
		links("links-per-pool", "one pool", &c.LinksPerPool),
		{
			Name: "dumpable", Help: "let processes of the same user read the server's memory, and allow core dumps",
			Parse: cli.Toggle(&s.dumpable),
		},
	}}
	group.Options = append(group.Options, s.workers.supervisionOptions()...)
	return group
}
