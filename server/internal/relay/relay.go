// Package relay carries exchanges: it streams an HTTP request slot by slot into shared
// memory, and the response slots of a worker back to the client.
//
// One exchange is one pass through [Relay.ServeHTTP]:
//
//	route -> a stream (dispatch.Acquire) -> headers slot -> a worker's lane (Assign)
//	      -> bodyUpload: body into slots      (body_upload.go, a goroutine of its own)
//	      -> responseStream: slots to client  (response_stream.go, the handler's goroutine)
//	      -> Finish: the stream goes back when its worker has let go of it
//
// What the versions of HTTP do differently an exchange asks its session (package protocol).
package relay

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	wsock "github.com/wavey-ai/upload-response/server/internal/websocket"
)

// Config says how a [Relay] works. Its values have been checked.
type Config struct {
	Routes []Route
	Trust  *conn.Trust

	HeaderLimit int   // bytes of a request's headers frame
	FieldLimit  int   // fields in it
	BodyLimit   int64 // bytes of a request's body; 0: no limit
	AllowTrace  bool

	MessageLimit int64         // bytes of a WebSocket message from the client; 0: no limit
	PingInterval time.Duration // after which a silent client of a WebSocket is asked

	Rates   RateLimit
	Windows *conn.Budget // of bodies that are not read yet

	Compress    bool
	CompressMin int64 // bytes of the shortest response that is compressed

	Log       *slog.Logger
	AccessLog *slog.Logger // nil: none
}

// Relay is the HTTP handler that carries exchanges to workers and back.
type Relay struct {
	config      Config
	dispatcher  *dispatch.Dispatcher
	routes      routeTable
	rates       rateTable
	compressors *compress.Compressors
	counters    Counters

	mu       sync.Mutex
	draining bool
	running  int           // exchanges in ServeHTTP
	quiet    chan struct{} // closed when draining and none is running
	failOnce sync.Once
}

// New returns a relay to the workers of a dispatcher, which it does not own.
func New(c Config, d *dispatch.Dispatcher) *Relay {
	r := &Relay{config: c, dispatcher: d, routes: newRouteTable(c.Routes), quiet: make(chan struct{})}
	r.rates.init(&c.Rates)
	r.compressors = compress.New(c.Compress, c.CompressMin)
	return r
}

// ServeHTTP carries one exchange: see the package's documentation for the way.
func (r *Relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	x := exchange{relay: r, request: request, conn: conn.Of(request), start: time.Now()}
	x.writer, x.session = protocol.Adapt(w, request)
	defer protocol.Release(x.writer)
	x.offer, x.request = wsock.NewHandshake(request)
	x.origin = r.originOf(x.request, &x.session)
	r.compressors.DropWeakRange(x.request.Header)
	x.controller = http.NewResponseController(x.writer)
	x.conclude(r.admit(&x))
}

// admit serves an exchange if its client may have one now.
func (r *Relay) admit(x *exchange) error {
	if !r.rates.allow(x.request, &x.origin) {
		return fault.ErrTooFast
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

// enter counts an exchange in, unless the relay is draining.
func (r *Relay) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining {
		return fault.ErrDraining
	}
	r.running++
	return nil
}

func (r *Relay) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.running--
	if r.draining && r.running == 0 {
		close(r.quiet)
	}
}

// Drain refuses new exchanges, has the dispatcher tell the workers, and waits until those
// in progress have ended. When ctx is over first, the rest of them fail, and Drain returns
// the error of ctx.
func (r *Relay) Drain(ctx context.Context) error {
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
