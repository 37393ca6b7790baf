package worker

import (
	"log/slog"
	"time"
)

// Option changes how a worker attaches and serves.
type Option func(*options)

type options struct {
	pool  string
	name  string
	lanes int
	log   *slog.Logger
	grace time.Duration

	serverUID int // noUID: of the environment, if that has one
}

// noUID is no user's id.
const noUID = -1

// defaultLanes is how many requests a link serves at once: handlers are
// goroutines, so there can be many.
const defaultLanes = 64

func gather(list []Option) options {
	o := options{pool: "default", lanes: defaultLanes, log: slog.Default(), grace: 10 * time.Second, serverUID: noUID}
	for _, option := range list {
		option(&o)
	}
	return o
}

// WithPool names the pool to serve; without it, "default".
func WithPool(pool string) Option { return func(o *options) { o.pool = pool } }

// WithName names the link in the server's logs; without it, the server uses the
// process id.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// WithLanes sets how many requests the link serves at once; without it, 64. The
// server may grant fewer.
func WithLanes(n int) Option { return func(o *options) { o.lanes = n } }

// WithLog sets where Serve logs; without it, slog's default.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithGrace sets how long Serve lets requests go on after its context has ended;
// without it, 10 seconds.
func WithGrace(d time.Duration) Option { return func(o *options) { o.grace = d } }

// ServerUIDVariable names the environment variable that stands for [WithServerUID].
const ServerUIDVariable = "UPLOAD_RESPONSE_SERVER_UID"

// WithServerUID says which user's server the worker attaches to, besides root's and our
// own: whoever listens on the socket's path is sent nothing unless he is one of them.
// Without it the user id in UPLOAD_RESPONSE_SERVER_UID counts, if that is set. A server in
// another user namespace is seen as user 65534.
func WithServerUID(uid int) Option { return func(o *options) { o.serverUID = uid } }
