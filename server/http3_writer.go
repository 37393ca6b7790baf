package server

import (
	"net/http"
	"sync"
)

// http3Writer does for a response over HTTP/3 what net/http does and package http3
// leaves to the handler.
//
//   - 100 Continue goes out with the first Read of the body, which comes from
//     another goroutine, and never after the response's headers.
//   - A response without a body gets no made-up Content-Length.
type http3Writer struct {
	http.ResponseWriter
	bodiless bool // the request was HEAD

	mu     sync.Mutex  // guards what follows, and the writer until begun
	begun  bool        // the headers are the writer's
	header http.Header // until then
}

func newHTTP3Writer(w http.ResponseWriter, r *http.Request, expects bool) *http3Writer {
	h := &http3Writer{ResponseWriter: w, bodiless: r.Method == http.MethodHead, header: http.Header{}}
	body := &http3Body{inner: r.Body, left: r.ContentLength}
	if expects {
		body.first = h.sendContinue
	}
	r.Body = body
	if r.ContentLength < 0 && !expects && usuallyBodiless(r.Method) && body.endsAtOnce() {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	return h
}

// Unwrap is for [http.ResponseController].
func (w *http3Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header returns the fields to be sent; after WriteHeader, those of the trailers.
func (w *http3Writer) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return w.ResponseWriter.Header()
	}
	return w.header
}

// WriteHeader begins the response.
func (w *http3Writer) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return
	}
	w.begun = true
	header := w.ResponseWriter.Header()
	for name, values := range w.header {
		header[name] = values
	}
	w.ResponseWriter.WriteHeader(status)
	if w.bodiless || status == http.StatusNoContent || status == http.StatusNotModified {
		_ = http.NewResponseController(w.ResponseWriter).Flush() // or it would get "Content-Length: 0"
	}
}

func (w *http3Writer) sendContinue() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.begun {
		w.ResponseWriter.WriteHeader(http.StatusContinue)
	}
}
