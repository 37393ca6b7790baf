package server

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// UploadResponseRouter is an HTTP handler that streams each request to a worker
// process through shared memory and the worker's response back. Mount it in any
// server; workers attach through [UploadResponseRouter.ServeWorkers].
type UploadResponseRouter struct {
	config      Config
	log         *slog.Logger
	trust       conn.Trust
	instance    uint64
	requests    *RequestChunkCache
	responses   *ResponseChunkCache
	queue       queue
	pools       map[string]*pool
	routes      routeTable
	counters    counters
	rates       rateTable
	windows     *conn.Budget
	compression *compress.Compressors
	admission   admission

	stopClock chan struct{}
	clockDone chan struct{}

	mu       sync.Mutex
	draining bool
	running  int           // exchanges in ServeHTTP
	quiet    chan struct{} // closed when draining and none is running
	links    map[*link]struct{}
	alive    sync.WaitGroup // links that use the request segment
	failOnce sync.Once
}

// NewRouter reserves the memory and returns a router without workers. It returns
// [shm.ErrNoMemory] when the machine has not enough, and [shm.ErrGeometry] when
// the sizes do not fit together. Release: [UploadResponseRouter.Close].
func NewRouter(c Config) (*UploadResponseRouter, error) {
	geometry, err := c.plan()
	if err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	r := &UploadResponseRouter{
		config: c, log: c.Log, trust: conn.Trust{Proxies: c.TrustedProxies, Unix: c.TrustUnix}, instance: binary.LittleEndian.Uint64(random[:]),
		responses: newResponseChunkCache(&c), queue: queue{length: c.QueueLength, time: c.QueueTime, closed: make(chan struct{})},
		stopClock: make(chan struct{}), clockDone: make(chan struct{}),
		quiet: make(chan struct{}), links: map[*link]struct{}{},
	}
	if r.requests, err = newRequestChunkCache(geometry, r.instance, c.StallTime > 0); err != nil {
		return nil, err
	}
	r.openPools()
	r.rates.init(&c)
	r.windows = conn.NewBudget(c.WindowMemory)
	r.compression = compress.New(c.Compress, c.CompressMin)
	r.admission.init(&c, c.Log)
	go func() {
		defer close(r.clockDone)
		r.clock(r.stopClock)
	}()
	return r, nil
}

// Hopeless notes that the workers of a supervised pool do not come up, and how the last
// one ended: its requests fail at once, until a worker attaches, instead of waiting for
// one. Of a pool whose workers have attached before they do wait.
func (r *UploadResponseRouter) Hopeless(pool, how string) {
	if p := r.pools[pool]; p != nil && p.hopeless() {
		r.log.Error("no worker of the pool comes up, its requests fail", "pool", pool, "how", how)
	}
}

func (r *UploadResponseRouter) openPools() {
	r.pools = map[string]*pool{}
	for _, route := range r.config.Routes {
		if r.pools[route.Pool] == nil {
			r.pools[route.Pool] = &pool{name: route.Pool, queue: &r.queue, counters: &r.counters, shared: r.config.StallTime > 0}
		}
	}
	for _, name := range r.config.Supervised {
		if p := r.pools[name]; p != nil {
			p.supervised = true
		}
	}
	r.routes = newRouteTable(r.config.Routes, r.pools)
}

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
	pool, c := r.requests.pool.Stats(), &r.counters
	r.mu.Lock()
	links := len(r.links)
	r.mu.Unlock()
	return Stats{
		Links: links, ActiveStreams: r.requests.active.Load(), FreeBuffers: pool.Free, TotalBuffers: pool.Total, Waiting: int64(r.queue.waiting()),
		Exchanges: c.Exchanges.Load(), Failed: c.Failed.Load(), Aborted: c.Aborted.Load(), ClientGone: c.ClientGone.Load(),
		Reclaimed: c.Reclaimed.Load(), Retried: c.Retried.Load(), WorkerTimeouts: c.Timeouts.Load(), Attached: c.Attached.Load(), Refused: c.Refused.Load(),
		Lost: c.Lost.Load(), Evicted: c.Evicted.Load(), StaleNotices: c.StaleNotices.Load(), Allocations: int64(Allocations()),
	}
}

// Drain refuses new exchanges, tells the workers, and waits until those in
// progress have ended. When ctx is over first, the rest of them fail, and Drain
// returns ctx's error.
func (r *UploadResponseRouter) Drain(ctx context.Context) error {
	r.mu.Lock()
	if !r.draining {
		r.draining = true
		r.requests.segment.SetState(shm.ServerDraining)
		r.tellDraining(ctx)
		r.leaveWebsockets()
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
	r.failOnce.Do(r.failAll)
	<-r.quiet
	return ctx.Err()
}

// failAll ends every exchange in progress.
func (r *UploadResponseRouter) failAll() {
	close(r.queue.closed)
	for _, s := range r.requests.streams {
		if s.id.Load() != 0 {
			s.upload.fail(ErrDraining)
			s.watch.cut()
			s.wake()
		}
	}
}

// Close drains without patience, ends every link, and frees the memory.
// Preconditions: nobody calls ServeHTTP any more.
func (r *UploadResponseRouter) Close() error {
	patience, cancel := context.WithCancel(context.Background())
	cancel()
	_ = r.Drain(patience)
	close(r.stopClock)
	<-r.clockDone
	r.requests.segment.SetState(shm.ServerStopped)
	r.closeLinks()
	return r.requests.segment.Close()
}

// openWebsocket notes the open WebSocket of a stream, for Drain.
func (r *UploadResponseRouter) openWebsocket(s *stream, o *websocket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s.websocket.Store(o)
	if r.draining {
		go o.leave()
	}
}

// leaveWebsockets closes every open WebSocket: they would go on for as long as they like.
// The caller holds the lock.
func (r *UploadResponseRouter) leaveWebsockets() {
	for _, s := range r.requests.streams {
		if o := s.websocket.Load(); o != nil {
			go o.leave()
		}
	}
}

// tellDraining tells every worker that the server is about to end, and when at
// the latest. The caller holds the lock.
func (r *UploadResponseRouter) tellDraining(ctx context.Context) {
	var left time.Duration
	if deadline, ok := ctx.Deadline(); ok {
		left = max(time.Until(deadline), 0)
	}
	for l := range r.links {
		go l.say(&attach.Drain{DeadlineMS: uint64(left.Milliseconds())})
	}
}

// closeLinks ends every link and waits until none uses the request segment, also
// of those that were dead already.
func (r *UploadResponseRouter) closeLinks() {
	r.mu.Lock()
	links := slices.Collect(maps.Keys(r.links))
	r.mu.Unlock()
	for _, l := range links {
		l.die(&attach.Bye{Reason: "server stopped"})
	}
	r.alive.Wait()
}
