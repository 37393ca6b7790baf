package http3

import "net/http"

// writer does for a response what net/http does over the other versions, and package http3
// leaves to the handler: a response without a body gets no made-up Content-Length.
type writer struct {
	http.ResponseWriter
	bodiless bool // the request was HEAD
}

// Adapt returns a writer of the response to a request, and gives the request a body that
// reports when it breaks off, or none if it turns out to be empty. A request whose client
// waits for 100 Continue has one.
func Adapt(w http.ResponseWriter, r *http.Request, awaitsContinue bool) http.ResponseWriter {
	b := &body{inner: r.Body, left: r.ContentLength}
	r.Body = b
	if r.ContentLength < 0 && !awaitsContinue && usuallyBodiless(r.Method) && b.endsAtOnce() {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return &writer{w, r.Method == http.MethodHead}
}

// Unwrap is for [http.ResponseController].
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader sends the status and the fields of a response.
func (w *writer) WriteHeader(status int) {
	w.ResponseWriter.WriteHeader(status)
	if status >= http.StatusOK && (w.bodiless || status == http.StatusNoContent || status == http.StatusNotModified) {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // or it would get "Content-Length: 0"
	}
}
