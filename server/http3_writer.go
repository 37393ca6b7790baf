package server

import "net/http"

// http3Writer does for a response over HTTP/3 what net/http does and package http3
// leaves to the handler: a response without a body gets no made-up Content-Length.
type http3Writer struct {
	*interimWriter
	bodiless bool // the request was HEAD
}

func newHTTP3Writer(w http.ResponseWriter, r *http.Request, expects bool) *http3Writer {
	body := &http3Body{inner: r.Body, left: r.ContentLength}
	r.Body = body
	if r.ContentLength < 0 && !expects && usuallyBodiless(r.Method) && body.endsAtOnce() {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return &http3Writer{newInterimWriter(w), r.Method == http.MethodHead}
}

// WriteHeader begins the response.
func (w *http3Writer) WriteHeader(status int) {
	w.interimWriter.WriteHeader(status)
	if w.bodiless || status == http.StatusNoContent || status == http.StatusNotModified {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // or it would get "Content-Length: 0"
	}
}
