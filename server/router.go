package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/relay"
)

// The parts of the router that own the shared memory; nothing outside it makes one.
type (
	// RequestChunkCache has the slots of all requests.
	RequestChunkCache = dispatch.RequestChunkCache
	// ResponseChunkCache has the memory for the slots of responses.
	ResponseChunkCache = dispatch.ResponseChunkCache
	// ResponseWatcher wakes the requests for which a worker has written slots.
	ResponseWatcher = dispatch.ResponseWatcher
)

// UploadResponseRouter is an HTTP handler that streams each request to a worker
// process through shared memory and the worker's response back. Mount it in any
// server; workers attach through [UploadResponseRouter.ServeWorkers].
type UploadResponseRouter struct {
	config     Config
	trust      conn.Trust
	windows    *conn.Budget
	dispatcher *dispatch.Dispatcher
	relay      *relay.Relay
}

// NewRouter reserves the memory and returns a router without workers. It returns
// [shm.ErrNoMemory] when the machine has not enough, and [shm.ErrGeometry] when
// the sizes do not fit together. Release: [UploadResponseRouter.Close].
func NewRouter(c Config) (*UploadResponseRouter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	dispatcher, err := dispatch.New(c.dispatch())
	if err != nil {
		return nil, err
	}
	r := &UploadResponseRouter{
		config: c, trust: conn.Trust{Proxies: c.TrustedProxies, Unix: c.TrustUnix},
		windows: conn.NewBudget(c.WindowMemory), dispatcher: dispatcher,
	}
	r.relay = relay.New(r.relayConfig(), dispatcher)
	return r, nil
}

// relayConfig returns what the relay has to know.
func (r *UploadResponseRouter) relayConfig() relay.Config {
	c := &r.config
	config := relay.Config{
		Trust: &r.trust, HeaderLimit: c.HeaderLimit, FieldLimit: c.FieldLimit, BodyLimit: c.BodyLimit,
		AllowTrace:   c.AllowTrace,
		MessageLimit: c.MessageLimit, PingInterval: c.PingInterval,
		Rates:   relay.RateLimit{Rate: c.RequestRate, Burst: c.RequestBurst, Header: c.RequestRateHeader},
		Windows: r.windows, Compress: c.Compress, CompressMin: c.CompressMin, Log: c.Log, AccessLog: c.AccessLog,
	}
	for _, route := range c.Routes {
		config.Routes = append(config.Routes, relay.Route{Prefix: route.Prefix, Pool: r.dispatcher.Pool(route.Pool)})
	}
	return config
}

// ServeWorkers attaches the workers that connect to the listener, until it is closed; it
// then returns nil. [ListenWorkers] makes a listener.
func (r *UploadResponseRouter) ServeWorkers(listener *net.UnixListener) error {
	return r.dispatcher.ServeWorkers(listener)
}

// Hopeless notes that the workers of a supervised pool do not come up, and how the last
// one ended: its requests fail at once, until a worker attaches, instead of waiting for
// one. Requests for a pool whose workers have attached before do wait.
func (r *UploadResponseRouter) Hopeless(pool, how string) { r.dispatcher.MarkHopeless(pool, how) }

// ServeHTTP carries one request to a worker, and the response back.
func (r *UploadResponseRouter) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.relay.ServeHTTP(w, request)
}

// Drain refuses new exchanges, tells the workers, and waits until those in
// progress have ended. When ctx is over first, the rest of them fail, and Drain
// returns ctx's error.
func (r *UploadResponseRouter) Drain(ctx context.Context) error { return r.relay.Drain(ctx) }

// Close fails what is in progress, ends every link, and frees the memory. Preconditions:
// nobody calls ServeHTTP any more.
func (r *UploadResponseRouter) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Drain(now)
	return r.dispatcher.Close()
}
