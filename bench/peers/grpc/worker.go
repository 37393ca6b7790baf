package main

import (
	"net/http"
	"net/http/httptest"
	"strconv"

	"google.golang.org/grpc"

	"github.com/wavey-ai/upload-response/bench/role"
)

// serve serves one request with the handler of the benchmarks.
func serve(_ any, stream grpc.ServerStream) error {
	h, err := receiveHead(stream.RecvMsg)
	if err != nil {
		return err
	}
	r := httptest.NewRequestWithContext(stream.Context(), h.Method, h.Path, &body{receive: stream.RecvMsg})
	r.ContentLength = h.Length
	w := &writer{stream: stream, header: http.Header{}}
	role.Handler.ServeHTTP(w, r)
	return w.finish()
}

// writer is the response to one request. What is written waits until a message is full,
// so that a small response is one.
type writer struct {
	stream  grpc.ServerStream
	header  http.Header
	status  int
	started bool
	piece   []byte
	err     error
}

// Header returns the fields.
func (w *writer) Header() http.Header { return w.header }

// WriteHeader sets the status.
func (w *writer) WriteHeader(status int) { w.status = status }

// Write adds to the body.
func (w *writer) Write(p []byte) (n int, err error) {
	for n < len(p) && w.err == nil {
		if w.piece == nil {
			w.piece = make([]byte, 0, min(pieceBytes, max(len(p), 512)))
		}
		room := min(cap(w.piece)-len(w.piece), len(p)-n)
		w.piece = append(w.piece, p[n:n+room]...)
		n += room
		if len(w.piece) == cap(w.piece) {
			w.send()
		}
	}
	return n, w.err
}

// FlushError sends what has been written.
func (w *writer) FlushError() error {
	w.send()
	return w.err
}

// EnableFullDuplex is what a stream always is.
func (w *writer) EnableFullDuplex() error { return nil }

func (w *writer) start() {
	w.started = true
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.err = sendHead(w.stream.SendMsg, head{Status: w.status, Header: w.header})
}

func (w *writer) send() {
	if !w.started {
		w.start()
	}
	if len(w.piece) > 0 && w.err == nil {
		w.err = w.stream.SendMsg(message(w.piece))
		w.piece = nil // gRPC keeps it until it is written
	}
}

// finish ends the response.
func (w *writer) finish() error {
	if !w.started && w.header.Get("Content-Length") == "" {
		w.header.Set("Content-Length", strconv.Itoa(len(w.piece)))
	}
	w.send()
	return w.err
}
