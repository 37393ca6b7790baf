package server

import (
	"net/http"
	"time"
)

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
