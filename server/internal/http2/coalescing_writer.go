package http2

import (
	"net/http"
	"sync"
)

// CoalescingWriter copies what it writes, and passes it on when there is much of it, with
// Flush, or with Push. Over HTTP/2 each Write waits until net/http has written its frames,
// so that few and large ones are fast; and when a client resets its stream, net/http
// returns from Write while another goroutine may still write the bytes: they must not lie
// in a slot, which the worker fills again.
type CoalescingWriter struct {
	http.ResponseWriter
	buffer *[coalescedBytes]byte // nil: none taken
	n      int                   // bytes in it
}

// NewWriter returns a writer of the response to a request. Release: Release.
func NewWriter(w http.ResponseWriter) *CoalescingWriter { return &CoalescingWriter{ResponseWriter: w} }

// coalescedBytes is how much is passed on at once (docs/design/protocol-speed.md).
const coalescedBytes = 256 << 10

var buffers = sync.Pool{New: func() any { return new([coalescedBytes]byte) }}

// Unwrap is for [http.ResponseController].
func (w *CoalescingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write does not use p after it has returned.
func (w *CoalescingWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if w.buffer == nil {
			w.buffer = buffers.Get().(*[coalescedBytes]byte)
		}
		m := copy(w.buffer[w.n:], p)
		w.n, n, p = w.n+m, n+m, p[m:]
		if w.n == coalescedBytes {
			if err := w.Push(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// FlushError sends what has been written.
func (w *CoalescingWriter) FlushError() error {
	if err := w.Push(); err != nil {
		return err
	}
	w.Release() // there may be nothing to write for long
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Push passes on what has been written.
func (w *CoalescingWriter) Push() error {
	if w.n == 0 {
		return nil
	}
	_, err := w.ResponseWriter.Write(w.buffer[:w.n])
	if err != nil {
		w.buffer = nil // another goroutine may still read it: the garbage collector frees it
	}
	w.n = 0
	return err
}

// Release gives the buffer back, and drops what is in it.
func (w *CoalescingWriter) Release() {
	if w.buffer != nil {
		buffers.Put(w.buffer)
		w.buffer, w.n = nil, 0
	}
}
