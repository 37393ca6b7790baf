package server

import (
	"net/http"
	"sync"
)

// gatheringWriter copies what it writes, and hands it on when there is much of it, with
// Flush, or with push. Over HTTP/2 each Write waits for net/http to have written its
// frames, so that few and large ones are fast; and when a client resets its stream,
// net/http returns from Write while another goroutine may still write the bytes: they
// must not be in a slot, which the worker then fills anew.
type gatheringWriter struct {
	http.ResponseWriter
	buffer *[gatherBytes]byte // nil: none taken
	n      int                // bytes in it
}

// gatherBytes is how much is handed on at once (docs/design/protocol-speed.md).
const gatherBytes = 256 << 10

var gatherBuffers = sync.Pool{New: func() any { return new([gatherBytes]byte) }}

// Unwrap is for [http.ResponseController].
func (w *gatheringWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write does not use p after it has returned.
func (w *gatheringWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if w.buffer == nil {
			w.buffer = gatherBuffers.Get().(*[gatherBytes]byte)
		}
		m := copy(w.buffer[w.n:], p)
		w.n, n, p = w.n+m, n+m, p[m:]
		if w.n == gatherBytes {
			if err := w.push(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// FlushError sends what has been written.
func (w *gatheringWriter) FlushError() error {
	if err := w.push(); err != nil {
		return err
	}
	w.release() // who flushes may have nothing to write for long
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// push hands on what has been gathered.
func (w *gatheringWriter) push() error {
	if w.n == 0 {
		return nil
	}
	_, err := w.ResponseWriter.Write(w.buffer[:w.n])
	if err != nil {
		w.buffer = nil // somebody may still read it: it is the garbage collector's
	}
	w.n = 0
	return err
}

// release gives the buffer back, and what is in it up.
func (w *gatheringWriter) release() {
	if w.buffer != nil {
		gatherBuffers.Put(w.buffer)
		w.buffer, w.n = nil, 0
	}
}

// pushOut hands on what a writer has gathered, if it is one that gathers.
func pushOut(w http.ResponseWriter) error {
	if g, ok := w.(*gatheringWriter); ok {
		return g.push()
	}
	return nil
}
