package admin

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/server/supervise"
)

// Config says what an admin server shows, and to whom.
type Config struct {
	Router     *server.UploadResponseRouter
	Supervisor *supervise.Supervisor // nil: the server starts no workers
	Events     *Events
	Metrics    http.Handler // of /metrics; nil: it is not there

	Configuration Configuration // nil: there is none

	// Reload reads files again. The error wraps [ErrNotPossible] if there are none; nil: likewise.
	Reload  func() (*Reloaded, error)
	Upgrade func() (pid int, err error) // has another process take over; nil: none can

	Address Address
	Token   string // that requests over TCP need; empty: they can only read
	Pprof   bool   // serve /debug/pprof
	Log     *slog.Logger
}

// Server is the admin API of a server.
type Server struct {
	config    Config
	started   time.Time
	tokenHash []byte // nil: there is no token
	draining  atomic.Bool
	http      *http.Server
	ending    chan struct{} // closed when streams of events are to end
	endOnce   sync.Once

	snapshot sync.Mutex
	last     *Status // guarded by snapshot
}

// maxConns is the most connections at once.
const maxConns = 128

// New returns a server that serves nothing yet.
func New(c Config) *Server {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Events == nil {
		c.Events = NewEvents()
	}
	s := &Server{config: c, started: time.Now(), ending: make(chan struct{})}
	if c.Token != "" {
		hash := sha256.Sum256([]byte(c.Token))
		s.tokenHash = hash[:]
	}
	s.http = &http.Server{
		Handler: s.guard(s.routes()), ConnContext: connContext, ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout: requestTime, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// endpoint is a route of the API: a pattern of http.ServeMux, and its handler.
type endpoint struct {
	pattern string
	handler http.HandlerFunc
}

// endpoints returns the routes of the API, apart from the page and the profiles. Each is in
// openapi.json.
func (s *Server) endpoints() []endpoint {
	list := []endpoint{
		{"GET /livez", s.livez},
		{"GET /readyz", s.readyz},
		{"GET /status", s.getStatus},
		{"GET /apps", s.getApps},
		{"GET /apps/{app}", s.getApp},
		{"POST /apps/{app}/restart", s.restartApp},
		{"POST /apps/{app}/scale", s.scaleApp},
		{"POST /apps/{app}/drain", s.drainApp},
		{"POST /apps/{app}/undrain", s.undrainApp},
		{"GET /workers", s.getWorkers},
		{"GET /workers/{app}/{slot}", s.getWorker},
		{"POST /workers/{app}/{slot}/restart", s.restartWorker},
		{"POST /workers/{app}/{slot}/stacks", s.stacksOfWorker},
		{"GET /streams", s.getStreams},
		{"DELETE /streams/{id}", s.cancelStream},
		{"GET /config", s.getConfig},
		{"PUT /config", s.putConfig},
		{"GET /config/file", s.getConfigFile},
		{"POST /config/check", s.checkConfig},
		{"POST /reload", s.reload},
		{"POST /upgrade", s.upgrade},
		{"GET /events", s.streamEvents},
		{"GET /openapi.json", s.getOpenAPI},
	}
	if s.config.Metrics != nil {
		list = append(list, endpoint{"GET /metrics", s.config.Metrics.ServeHTTP})
	}
	return list
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range s.endpoints() {
		mux.HandleFunc(e.pattern, e.handler)
	}
	s.routePage(mux)
	if s.config.Pprof {
		for path, handler := range map[string]http.HandlerFunc{
			"/debug/pprof/": pprof.Index, "/debug/pprof/cmdline": pprof.Cmdline, "/debug/pprof/profile": pprof.Profile,
			"/debug/pprof/symbol": pprof.Symbol, "/debug/pprof/trace": pprof.Trace,
		} {
			mux.HandleFunc("GET "+path, withoutDeadline(handler))
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		sendProblem(w, http.StatusNotFound,
			"there is no "+r.Method+" "+r.URL.Path+": /openapi.json lists what there is")
	})
	return mux
}

// withoutDeadline lets a handler take any time.
func withoutDeadline(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		controller := http.NewResponseController(w)
		_ = controller.SetWriteDeadline(time.Time{})
		_ = controller.SetReadDeadline(time.Time{})
		next(w, r)
	}
}

// Serve answers on the connections of a listener until Shutdown; it then returns nil.
func (s *Server) Serve(listener net.Listener) error {
	err := s.http.Serve(limitConns(listener, maxConns))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// SetDraining notes that the server is about to end: from now on /readyz says so.
func (s *Server) SetDraining() {
	s.draining.Store(true)
	s.snapshot.Lock()
	s.last = nil
	s.snapshot.Unlock()
}

// Shutdown ends the streams of events, and waits until what is running has been answered, or
// ctx ends.
func (s *Server) Shutdown(ctx context.Context) {
	s.endOnce.Do(func() { close(s.ending) })
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}
