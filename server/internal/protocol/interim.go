package protocol

import (
	"maps"
	"net/http"
	"sync"
)

// interimWriter lets one goroutine send interim responses (RFC 9110 section 15.2) while
// another prepares the final one: the upload says 100 Continue when the worker asks for the
// body, which may be just when the worker answers. After the headers of the final response
// there are no interim ones.
type interimWriter struct {
	http.ResponseWriter

	mu     sync.Mutex  // guards what follows, and the writer until begun
	begun  bool        // the headers are the writer's
	header http.Header // until then
}

func newInterimWriter(w http.ResponseWriter) *interimWriter {
	return &interimWriter{ResponseWriter: w, header: http.Header{}}
}

// Unwrap is for [http.ResponseController].
func (w *interimWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Header returns the fields to be sent; after WriteHeader, those of the trailers.
func (w *interimWriter) Header() http.Header {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return w.ResponseWriter.Header()
	}
	return w.header
}

// WriteHeader begins the final response.
func (w *interimWriter) WriteHeader(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return
	}
	w.begun = true
	maps.Copy(w.ResponseWriter.Header(), w.header)
	w.ResponseWriter.WriteHeader(status)
}

// sendInterim sends an interim response, unless the final one has begun.
func (w *interimWriter) sendInterim(status int, fields http.Header) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun {
		return
	}
	header := w.ResponseWriter.Header()
	writeInterim(w.ResponseWriter, header, status, fields)
	clear(header)
}

// SendInterim sends an interim response with these fields, unless the final one has begun.
func SendInterim(w http.ResponseWriter, status int, fields http.Header) {
	if shared, ok := w.(interface{ sendInterim(int, http.Header) }); ok {
		shared.sendInterim(status, fields)
		return
	}
	header := w.Header()
	final := maps.Clone(header)
	clear(header)
	writeInterim(w, header, status, fields)
	clear(header)
	maps.Copy(header, final)
}

// writeInterim sends an interim response with nothing but these fields. If the client has
// reset the stream meanwhile, net/http's HTTP/2 goes on reading the map when WriteHeader has
// returned. A map with a Content-Length, even one without a value, net/http copies first,
// and sends none.
func writeInterim(w http.ResponseWriter, header http.Header, status int, fields http.Header) {
	maps.Copy(header, fields)
	header["Content-Length"] = nil
	w.WriteHeader(status)
}
