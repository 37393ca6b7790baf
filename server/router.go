package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/relay"
)

// The parts of the router that own the shared memory; only the router makes them.
type (
	// RequestChunkCache holds the request slots of all streams.
	RequestChunkCache = dispatch.RequestChunkCache
	// ResponseChunkCache holds the response slots of all links.
	ResponseChunkCache = dispatch.ResponseChunkCache
	// ResponseWatcher sleeps on the bell of a link and wakes its streams.
	ResponseWatcher = dispatch.ResponseWatcher
)

// UploadResponseRouter is an HTTP handler that streams each request to a worker process
// through shared memory, and the worker's response back. Mount it in any server; workers
// attach through [UploadResponseRouter.ServeWorkers].
type UploadResponseRouter struct {
	reconfiguring sync.Mutex // guards config, but for what does not change
	config        Config

	trust       *conn.Trust
	windows     *conn.Budget
	clientTimes *conn.ClientTimes
	dispatcher  *dispatch.Dispatcher
	relay       *relay.Relay
	meters      *meter.Meters
}

// NewRouter reserves the memory and returns a router without workers. It returns
// [shm.ErrNoMemory] when the machine has not enough, and [shm.ErrGeometry] when the sizes do
// not fit together. Release: [UploadResponseRouter.Close].
func NewRouter(c Config) (*UploadResponseRouter, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	dispatcher, err := dispatch.New(c.forDispatcher())
	if err != nil {
		return nil, err
	}
	r := &UploadResponseRouter{
		config: c, trust: conn.NewTrust(c.TrustedProxies, c.TrustUnix),
		windows: conn.NewBudget(c.WindowMemory), clientTimes: conn.NewClientTimes(c.ClientTimeout, c.StallTime),
		dispatcher: dispatcher, meters: meter.New(fault.Labels()),
	}
	if r.relay, err = r.newRelay(); err != nil {
		return nil, errors.Join(err, dispatcher.Close())
	}
	return r, nil
}

func (r *UploadResponseRouter) newRelay() (*relay.Relay, error) {
	c, err := r.config.forRelay(r.trust, r.windows)
	if err != nil {
		return nil, err
	}
	c.Meters = r.meters
	return relay.New(c, r.dispatcher)
}

// ServeWorkers attaches the workers that connect to the listener, until it is closed; it
// then returns nil. [ListenWorkers] makes a listener.
func (r *UploadResponseRouter) ServeWorkers(listener *net.UnixListener) error {
	return r.dispatcher.ServeWorkers(listener)
}

// ServeHTTP carries one request to a worker, and the response back.
func (r *UploadResponseRouter) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.relay.ServeHTTP(w, request)
}

// Drain refuses new exchanges, tells the workers, and waits until the exchanges in progress
// have ended. If ctx ends first, the rest of them fail, and Drain returns the error of ctx.
func (r *UploadResponseRouter) Drain(ctx context.Context) error { return r.relay.Drain(ctx) }

// Close fails the exchanges in progress, ends every link, and frees the memory. Preconditions:
// nobody calls ServeHTTP any more.
func (r *UploadResponseRouter) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Drain(now)
	return r.dispatcher.Close()
}
