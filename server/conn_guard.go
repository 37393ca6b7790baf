package server

import (
	"net/http"

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
