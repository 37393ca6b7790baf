package http1

import "net/http"

// VectorWriter sends several pieces of a response's body at once, and does not use them
// after it has returned. It calls progress whenever the client has ConnState some of them.
type VectorWriter interface {
	WriteVector(pieces [][]byte, progress func()) error
}

// VectorWriterOf returns how the response to a request takes pieces; nil: one by one.
func VectorWriterOf(w http.ResponseWriter, r *http.Request) VectorWriter {
	if plain, ok := w.(*FastWriter); ok {
		return plain
	}
	c := guardedOf(r)
	if r.ProtoMajor != 1 || c == nil || c.held.socket == nil {
		return nil
	}
	return &corkedWriter{w, &c.held}
}

// corkedWriter hands pieces to net/http.
type corkedWriter struct {
	writer http.ResponseWriter
	held   *corkedConn
}

func (w *corkedWriter) WriteVector(pieces [][]byte, progress func()) error {
	w.held.hold()
	for _, p := range pieces {
		if _, err := w.writer.Write(p); err != nil {
			_ = w.held.release(progress)
			return err
		}
	}
	return w.held.release(progress)
}

// Length returns how many bytes there are in pieces.
func Length(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}
