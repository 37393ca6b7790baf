package server

import (
	"maps"
	"net/http"
	"sync"
)

// interimWriter lets one goroutine send responses that precede the final one (RFC
// 9110 section 15.2) while another prepares that: the pump says 100 Continue when
// the worker asks for the body, which may be just when it answers. After the headers
// of the final response nothing precedes it any more.
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

// sendInterim sends a response that precedes the final one, unless that has begun.
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

// sendInterim does the same where there is no other goroutine.
func sendInterim(w http.ResponseWriter, status int, fields http.Header) {
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

// writeInterim sends one with nothing but these fields. net/http goes on reading the map
// of an HTTP/2 stream when WriteHeader has returned, if its client has reset that
// meanwhile. One in which there is a length, even a length without a value, it copies
// before, and sends none.
func writeInterim(w http.ResponseWriter, header http.Header, status int, fields http.Header) {
	maps.Copy(header, fields)
	header["Content-Length"] = nil
	w.WriteHeader(status)
}
