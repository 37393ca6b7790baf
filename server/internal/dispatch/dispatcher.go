package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto/attach"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/shm"
)

// Dispatcher owns the shared memory, the links and the pools, and decides which worker
// serves which stream.
type Dispatcher struct {
	config    atomic.Pointer[Config]
	log       *slog.Logger
	instance  uint64
	requests  *RequestChunkCache
	responses *ResponseChunkCache
	waits     waitLimit
	pools     atomic.Pointer[poolSet]
	counters  Counters
	admission admission

	moved map[string]*movedBytes // by pool, also of those that are gone; under changing

	checkedAt   int64         // when all streams were checked, shm.Now; 0: none was in use then; the deadline loop's
	rounds      atomic.Uint64 // of the deadline loop
	countedAt   int64         // when bytes were counted, shm.Now; the deadline loop's
	preemptedAt int64         // when slow clients were last looked for, shm.Now; the deadline loop's
	stuck       stuckSearch
	stopLoop    chan struct{}
	loopDone    chan struct{}

	changing  sync.Mutex // of the configuration
	mu        sync.Mutex
	draining  bool
	drainBy   time.Time // when it ends at the latest; zero: any time
	stopped   bool      // no more links, not even those that are being welcomed
	links     map[*link]struct{}
	processes map[int]*workerProcess // by leader
	alive     sync.WaitGroup         // links that use the request segment
}

// New reserves the memory, and returns a dispatcher without workers. It returns
// [shm.ErrNoMemory] when the machine has not enough, and [shm.ErrGeometry] when the sizes
// do not fit together. Release: [Dispatcher.Close].
func New(c Config) (*Dispatcher, error) {
	geometry, err := c.planRequest()
	if err != nil {
		return nil, err
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	d := &Dispatcher{
		log: c.Log, instance: binary.LittleEndian.Uint64(random[:]), responses: newResponseChunkCache(&c),
		waits:    waitLimit{closed: make(chan struct{})},
		stopLoop: make(chan struct{}), loopDone: make(chan struct{}), links: map[*link]struct{}{},
		processes: map[int]*workerProcess{},
	}
	if d.requests, err = newRequestChunkCache(geometry, d.instance, c.Limits.StallTime > 0); err != nil {
		return nil, err
	}
	d.pools.Store(&poolSet{})
	d.AddPools(&c)
	d.use(&c)
	d.admission.init(c.MaxLinks, c.Log)
	go func() {
		defer close(d.loopDone)
		d.runDeadlines(d.stopLoop)
	}()
	return d, nil
}

// Request is what has to be known of a request to give it a stream.
type Request struct {
	Client     Client
	Idempotent bool     // the method may be carried out twice
	Upload     bool     // a body is to come
	Unasked    bool     // the client sends that unasked
	WebSocket  bool     // it asks for a WebSocket
	Retries    *Retries // nil: those of the pool
	Info       RequestInfo
}

// RequestInfo is what operators see of a request. The strings are those of the request; the
// stream keeps them until it goes back.
type RequestInfo struct {
	RequestID     string
	Method        string
	Target        string // as the client sent it, with the query
	Protocol      string // such as HTTP/1.1
	ClientAddress string // empty: the client has none
	Start         time.Time
	Pool          *Pool
}

// uploadGuarantee is the number of buffers that a stream can always have while its body
// comes in: one to fill while the worker holds another.
const uploadGuarantee = 2

// Acquire returns a stream for a request, and waits while all are in use. The caller
// publishes the headers slot, and then has a worker assigned: what a stream waits for, and
// what it holds meanwhile, differs before and after. Release: [Stream.Finish].
func (d *Dispatcher) Acquire(ctx context.Context, r Request) (*Stream, error) {
	guarantee := 1
	if r.Upload || r.WebSocket {
		guarantee = uploadGuarantee
	}
	s, err := d.requests.acquire(ctx, &d.waits, r.Client, guarantee, &r.Info)
	if err != nil {
		return nil, err
	}
	s.idempotent, s.retries = r.Idempotent, r.Retries
	s.request.Keep(r.Idempotent)
	s.websocket.Store(r.WebSocket)
	s.hasBody.Store(r.Upload && r.Unasked)
	return s, nil
}

// OpenWebSocket notes that the worker of s has accepted a WebSocket: from now on it may
// leave messages lying. When the dispatcher drains, onDrain is called in a goroutine of its
// own: without it, the WebSocket would go on.
func (d *Dispatcher) OpenWebSocket(s *Stream, onDrain func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.onDrain.Store(&onDrain)
	if d.draining {
		go onDrain()
	}
}

// Drain tells the workers, and the open WebSockets, that the server is about to end, at the
// latest when ctx does. No more workers attach. Only the first call counts.
func (d *Dispatcher) Drain(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining {
		return
	}
	d.draining = true
	d.drainBy, _ = ctx.Deadline()
	d.requests.segment.SetState(shm.ServerDraining)
	for l := range d.links {
		go l.send(d.drainMessage())
	}
	for _, s := range d.requests.streams {
		if onDrain := s.onDrain.Load(); onDrain != nil {
			go (*onDrain)()
		}
	}
}

// drainMessage tells a worker that the server is about to end. The caller holds the lock.
func (d *Dispatcher) drainMessage() *attach.Drain {
	var left time.Duration
	if !d.drainBy.IsZero() {
		left = max(time.Until(d.drainBy), 0)
	}
	return &attach.Drain{DeadlineMS: uint64(left.Milliseconds())}
}

// FailAll ends every exchange in progress. It is called once.
func (d *Dispatcher) FailAll() {
	close(d.waits.closed)
	for _, s := range d.requests.streams {
		if s.id.Load() != 0 {
			s.progress.FailUpload(fault.ErrDraining)
			s.progress.Abort()
			s.wake()
		}
	}
}

// Close ends every link, waits until none uses the request segment, also of those that
// were closed already, and frees the memory. Preconditions: no exchange is in progress, and
// there will be none.
func (d *Dispatcher) Close() error {
	close(d.stopLoop)
	<-d.loopDone
	d.requests.segment.SetState(shm.ServerStopped)
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	for _, l := range d.openLinks() {
		l.close(closed, nil)
	}
	d.alive.Wait()
	return d.requests.segment.Close()
}

// openLinks returns the attached links.
func (d *Dispatcher) openLinks() []*link {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.links))
}
