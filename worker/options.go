package worker

import (
	"cmp"
	"log/slog"
	"os"
	"syscall"
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

	serverUID int // noUID: the environment may name one

	withoutStacks bool           // Serve does not print stacks
	stacks        syscall.Signal // on which this process prints them; 0: none
}

// noUID is not the id of any user.
const noUID = -1

// defaultLanes is how many requests a link serves at once. Handlers are goroutines, so
// there can be many.
const defaultLanes = 64

func newOptions(list []Option) options {
	o := options{
		pool: cmp.Or(os.Getenv(PoolVariable), "default"), lanes: defaultLanes, log: slog.Default(),
		grace: 10 * time.Second, serverUID: noUID,
	}
	for _, option := range list {
		option(&o)
	}
	return o
}

// PoolVariable names the environment variable that stands for [WithPool]. The server sets it
// for the workers that it starts.
const PoolVariable = "UPLOAD_RESPONSE_POOL"

// WithPool names the pool to serve; the default is that in UPLOAD_RESPONSE_POOL, or "default".
func WithPool(pool string) Option { return func(o *options) { o.pool = pool } }

// WithName names the link in the server's logs; by default the server uses the process
// id.
func WithName(name string) Option { return func(o *options) { o.name = name } }

// WithLanes sets how many requests the link serves at once; the default is 64. The
// server may grant fewer.
func WithLanes(n int) Option { return func(o *options) { o.lanes = n } }

// WithLog sets the logger of Serve; the default is slog.Default().
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithGrace sets how long Serve lets requests run after its context has ended; the
// default is 10 seconds. With 0 it cuts them off at once.
func WithGrace(d time.Duration) Option { return func(o *options) { o.grace = d } }

// WithoutStacks has Serve leave signal 40 alone. Otherwise it prints the stacks of all
// goroutines to standard error on that signal, those of requests first, with their method and
// target, and goes on. The server asks for them before it ends a worker that is stuck.
func WithoutStacks() Option { return func(o *options) { o.withoutStacks = true } }

// ServerUIDVariable names the environment variable that stands for [WithServerUID].
const ServerUIDVariable = "UPLOAD_RESPONSE_SERVER_UID"

// WithServerUID trusts servers of one more user: the worker attaches only to a server of
// its own user, of root, or of this one, and sends nothing to others that listen on the
// socket's path. The default is the user id in UPLOAD_RESPONSE_SERVER_UID, if that is set.
// A server in another user namespace appears as user 65534.
func WithServerUID(uid int) Option { return func(o *options) { o.serverUID = uid } }
