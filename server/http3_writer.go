package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
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

// http3Body reads the body of a request over HTTP/3.
type http3Body struct {
	inner io.ReadCloser
	left  int64       // bytes that the Content-Length promises; negative: it promises none
	first func()      // called before the first Read; nil: nothing to do
	ahead chan prefix // what has been read before anybody asked; nil: nothing
}

// prefix is the result of one Read.
type prefix struct {
	bytes []byte
	err   error
}

// Read returns io.ErrUnexpectedEOF for a body that is shorter than its length.
func (b *http3Body) Read(p []byte) (n int, err error) {
	if b.first != nil {
		b.first()
		b.first = nil
	}
	if b.ahead != nil {
		n, err = b.readAhead(p)
	} else {
		n, err = b.inner.Read(p)
	}
	if b.left >= 0 {
		b.left -= int64(n)
		if errors.Is(err, io.EOF) && b.left > 0 {
			err = fmt.Errorf("%w: %d bytes missing", io.ErrUnexpectedEOF, b.left)
		}
	}
	return n, err
}

// Close leaves the rest of the body to package http3, which tells the client that
// nobody reads it when the response is complete: earlier, a client might take the
// response for broken.
func (b *http3Body) Close() error { return nil }

// usuallyBodiless reports whether requests of a method mostly have no body. Over
// HTTP/3 nothing says so before the end of the stream comes.
func usuallyBodiless(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// endTime is how long the end of a request may take to come after its headers,
// mostly in the same packet, before the request is taken to have a body.
const endTime = 20 * time.Millisecond

// endsAtOnce reports whether the body is empty.
func (b *http3Body) endsAtOnce() bool {
	b.ahead = make(chan prefix, 1)
	go func() {
		space := make([]byte, 1)
		n, err := b.inner.Read(space)
		b.ahead <- prefix{space[:n], err}
	}()
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case read := <-b.ahead:
		if len(read.bytes) == 0 && errors.Is(read.err, io.EOF) {
			return true
		}
		b.ahead <- read
	case <-timer.C:
	}
	return false
}

// readAhead returns what was read before. Preconditions: p is not empty.
func (b *http3Body) readAhead(p []byte) (int, error) {
	read := <-b.ahead
	b.ahead = nil
	return copy(p, read.bytes), read.err
}
