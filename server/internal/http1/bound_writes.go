package http1

import (
	"net/http"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/conn"
)

// BoundWrites bounds how long a client of HTTP/1 that does not read may keep net/http from
// writing the rest of a response, when nobody looks after its exchange any more. Over HTTP/2
// the write timeout of the connection does.
func BoundWrites(handler http.Handler, times *conn.ClientTimes) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			handler.ServeHTTP(w, r)
			return
		}
		if c := guardedOf(r); c != nil {
			c.refusals.begin()
		}
		handler.ServeHTTP(w, r)
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(times.Write())) // net/http ends it
	})
}
