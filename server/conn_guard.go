package server

import (
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// A client may reset so many requests at once, and so many a second for ever:
// people who skip through a video do.
const (
	resetBurst = 100
	resetRate  = 10
)

func newResetLimit() *rate.Limiter { return rate.NewLimiter(resetRate, resetBurst) }

// guarded counts the requests of each connection.
func guarded(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := conn.Of(r)
		if c == nil || r.ProtoMajor == 1 {
			handler.ServeHTTP(w, r)
			return
		}
		ok := c.Requests.Enter()
		defer func() { c.Requests.Leave(r.Context().Err() != nil) }()
		if !ok {
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	})
}

// endsInTime bounds how long a client of HTTP/1 that does not read may keep net/http
// from writing the rest of a response, when nobody looks after its exchange any more.
// Over HTTP/2 the connection's write timeout does.
func endsInTime(handler http.Handler, most time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c := screenedOf(r); c != nil && r.ProtoMajor == 1 {
			c.refusals.begin()
		}
		handler.ServeHTTP(w, r)
		if r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(most)) // net/http ends it
		}
	})
}
