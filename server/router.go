package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
)

// The parts of the router that own the shared memory; nothing outside it makes one.
type (
	RequestChunkCache  = dispatch.RequestChunkCache
	ResponseChunkCache = dispatch.ResponseChunkCache
	ResponseWatcher    = dispatch.ResponseWatcher
)

// UploadResponseRouter is an HTTP handler that streams each request to a worker
// process through shared memory and the worker's response back. Mount it in any
// server; workers attach through [UploadResponseRouter.ServeWorkers].
type UploadResponseRouter struct {
	config      Config
	log         *slog.Logger
	trust       conn.Trust
	dispatcher  *dispatch.Dispatcher
	routes      routeTable
	counters    counters
	rates       rateTable
	windows     *conn.Budget
	compression *compress.Compressors

	mu       sync.Mutex
	draining bool
	running  int           // exchanges in ServeHTTP
	quiet    chan struct{} // closed when draining and none is running
	failOnce sync.Once
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
		config: c, log: c.Log, trust: conn.Trust{Proxies: c.TrustedProxies, Unix: c.TrustUnix}, dispatcher: dispatcher,
		routes: newRouteTable(c.Routes, dispatcher.Pool), quiet: make(chan struct{}),
	}
	r.rates.init(&c)
	r.windows = conn.NewBudget(c.WindowMemory)
	r.compression = compress.New(c.Compress, c.CompressMin)
	return r, nil
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

// ServeHTTP takes one exchange through the router: see the package's
// documentation for its way.
func (r *UploadResponseRouter) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	x := exchange{router: r, request: request, conn: conn.Of(request), start: time.Now()}
	x.writer, x.session = protocol.Adapt(w, request)
	defer protocol.Release(x.writer)
	x.offer, x.request = wsock.NewHandshake(request)
	x.origin = r.originOf(x.request, &x.session)
	r.compression.DropWeakRange(x.request.Header)
	x.controller = http.NewResponseController(x.writer)
	x.conclude(r.admit(&x))
}

// admit serves an exchange if its client may have one now.
func (r *UploadResponseRouter) admit(x *exchange) error {
	if !r.rates.allow(x.request, &x.origin) {
		return ErrTooFast
	}
	if err := x.claimWindow(); err != nil {
		return err
	}
	defer x.window.release()
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	return x.serve()
}

// enter counts an exchange in, unless the router is draining.
func (r *UploadResponseRouter) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return ErrDraining
	}
	r.running++
	return nil
}

func (r *UploadResponseRouter) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.draining && r.running == 0 {
		close(r.quiet)
	}
}

// Stats returns what the router holds and what has happened so far.
func (r *UploadResponseRouter) Stats() Stats {
	c, d, held := &r.counters, r.dispatcher.Counters(), r.dispatcher.Holdings()
	return Stats{
		Links: held.Links, ActiveStreams: held.ActiveStreams, Waiting: int64(held.Waiting),
		FreeBuffers: held.FreeBuffers, TotalBuffers: held.TotalBuffers,
		Exchanges: c.Exchanges.Load(), Failed: c.Failed.Load(), Aborted: c.Aborted.Load(),
		ClientGone: c.ClientGone.Load(), WorkerTimeouts: c.Timeouts.Load(),
		Reclaimed: d.Preempted.Load(), Retried: d.Retried.Load(), Attached: d.Attached.Load(),
		Refused: d.Refused.Load(), Lost: d.Lost.Load(), Evicted: d.Evicted.Load(),
		StaleNotices: d.StaleNotices.Load(), Allocations: int64(Allocations()),
	}
}

// Drain refuses new exchanges, tells the workers, and waits until those in
// progress have ended. When ctx is over first, the rest of them fail, and Drain
// returns ctx's error.
func (r *UploadResponseRouter) Drain(ctx context.Context) error {
	r.mu.Lock()
	if !r.draining {
		r.draining = true
		r.dispatcher.Drain(ctx)
		if r.running == 0 {
			close(r.quiet)
		}
	}
	r.mu.Unlock()
	select {
	case <-r.quiet:
		return nil
	case <-ctx.Done():
	}
	r.failOnce.Do(r.dispatcher.FailAll)
	<-r.quiet
	return ctx.Err()
}

// Close fails what is in progress, ends every link, and frees the memory. Preconditions:
// nobody calls ServeHTTP any more.
func (r *UploadResponseRouter) Close() error {
	now, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Drain(now)
	return r.dispatcher.Close()
}
