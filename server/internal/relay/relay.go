// Package relay carries exchanges: it streams an HTTP request slot by slot into shared
// memory, and the response slots of a worker back to the client.
//
// One exchange is one pass through [Relay.ServeHTTP]:
//
//	route -> a stream (dispatch.Acquire) -> headers slot -> a worker's lane (Assign)
//	      -> bodyUpload: body into slots      (body_upload.go, a goroutine of its own)
//	      -> responseStream: slots to client  (response_stream.go, the handler's goroutine)
//	      -> Finish: the stream goes back when the worker has let go of it
//
// An exchange asks its session (package protocol) what the versions of HTTP do differently.
package relay

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/errorpage"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/meter"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
)

// Config says how a [Relay] works. The caller has checked the values.
type Config struct {
	Routes []Route
	Trust  *conn.Trust

	HeaderLimit int   // bytes of a request's headers frame
	FieldLimit  int   // fields in it
	BodyLimit   int64 // bytes of a request's body; 0: no limit
	AllowTrace  bool

	ClientTimeout time.Duration // in which a client takes some of a file

	MessageLimit int64         // bytes of a WebSocket message from the client; 0: no limit
	PingInterval time.Duration // how long the client of a WebSocket may be silent before a ping

	Rates   RateLimit
	Windows *conn.Budget // of bodies that are not read yet

	ErrorPages errorpage.Config

	Compress    bool
	CompressMin int64 // bytes of the shortest response that is compressed

	Meters    *meter.Meters // only the first configuration's counts
	Log       *slog.Logger
	AccessLog AccessLog
	Tracer    Tracer // nil: requests are not traced
}

// Relay is the HTTP handler that carries exchanges to workers and back.
type Relay struct {
	settings   atomic.Pointer[settings]
	dispatcher *dispatch.Dispatcher
	counters   Counters
	meters     *meter.Meters
	unrouted   *meter.Route // requests that reach no route
	downloads  downloads
	leaving    atomic.Bool // see Leave

	mu       sync.Mutex
	draining bool
	running  int           // exchanges in progress
	quiet    chan struct{} // closed when draining and none is running
	failOnce sync.Once
}

// New returns a relay to the workers of a dispatcher, which it does not own, or an error if
// the routes make no sense, or an error page cannot be read.
func New(c Config, d *dispatch.Dispatcher) (*Relay, error) {
	r := &Relay{
		dispatcher: d, downloads: newDownloads(), meters: c.Meters, unrouted: c.Meters.Route("", ""),
		quiet: make(chan struct{}),
	}
	p, err := r.Prepare(c)
	if err != nil {
		return nil, err
	}
	r.Use(p)
	return r, nil
}

// ServeHTTP carries one exchange: the documentation of the package shows the way.
func (r *Relay) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	x := exchange{relay: r, settings: r.settings.Load(), request: request, conn: conn.Of(request), start: time.Now()}
	peer := x.conn.Client(request.RemoteAddr, x.settings.Trust)
	x.writer, x.session = protocol.Adapt(w, request)
	defer protocol.Release(x.writer)
	if websocket.Possible(request) {
		x.handshake, x.request = websocket.NewHandshake(request)
	}
	x.client = x.settings.clientInfo(peer, x.conn, x.request, &x.session)
	if x.session.Version != proto.HTTP3 {
		x.client.leaving = &r.leaving
	}
	x.readTrace()
	x.settings.compressors.DropWeakRange(x.request.Header)
	x.controller = http.NewResponseController(x.writer)
	x.finish(x.serve())
}

// enter counts an exchange in, unless the relay is draining. Release: leave.
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

// Leave has the responses from now on tell clients to make other connections: with
// "Connection: close" over HTTP/1, and GOAWAY over HTTP/2.
func (r *Relay) Leave() { r.leaving.Store(true) }

// Running returns how many exchanges are in progress.
func (r *Relay) Running() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.running
}

// Drain refuses new exchanges, has the dispatcher tell the workers, and waits until the
// exchanges in progress have ended. If ctx ends first, the rest of them fail, and Drain
// returns the error of ctx.
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
	r.failOnce.Do(r.failAll)
	<-r.quiet
	return ctx.Err()
}

// failAll ends every exchange in progress.
func (r *Relay) failAll() {
	r.dispatcher.FailAll()
	r.downloads.fail()
}
