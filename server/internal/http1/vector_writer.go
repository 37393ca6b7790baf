package http1

import "net/http"

// VectorWriter sends several pieces of a response's body at once, and does not use them
// after it has returned. It calls progress whenever the client has taken some of them.
type VectorWriter interface {
	WriteVector(pieces [][]byte, progress func()) error
}

// VectorWriterOf returns the writer that takes several pieces of the response to a request at
// once; nil: there is none.
func VectorWriterOf(w http.ResponseWriter, r *http.Request) VectorWriter {
	if fast, ok := w.(*FastWriter); ok {
		return fast
	}
	return corkedWriterOf(w, r)
}

// corkedWriterOf returns a writer that hands several pieces to net/http at once, or nil.
func corkedWriterOf(w http.ResponseWriter, r *http.Request) VectorWriter {
	c := guardedOf(r)
	if r.ProtoMajor != 1 || c == nil || c.corked.socket == nil {
		return nil
	}
	return &corkedWriter{w, &c.corked}
}

// corkedWriter hands pieces to net/http while the connection is corked.
type corkedWriter struct {
	writer http.ResponseWriter
	conn   *corkedConn
}

func (w *corkedWriter) WriteVector(pieces [][]byte, progress func()) error {
	w.conn.cork()
	for _, p := range pieces {
		if _, err := w.writer.Write(p); err != nil {
			_ = w.conn.uncork(progress)
			return err
		}
	}
	return w.conn.uncork(progress)
}

// Length returns how many bytes there are in pieces.
func Length(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}
