package http1

import (
	"errors"
	"io"
	"net/http"
	"os"
)

// ReadFrom adds what r gives to the body. If that is a part of a file, an [io.LimitedReader]
// of an [os.File], and nothing is between the response and a TCP connection, the kernel
// copies it from file to socket. When the deadline for writing has passed and the client has
// taken something before, the response is not broken: the caller may go on.
func (w *FastWriter) ReadFrom(r io.Reader) (n int64, err error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	file, part := r.(*io.LimitedReader)
	socket, direct := w.conn.(io.ReaderFrom)
	if !part || !direct || file.N <= outBytes || w.header["Content-Length"] == nil ||
		w.request.Method == http.MethodHead {
		return io.Copy(onlyWriter{w}, r)
	}
	w.begin(false)
	w.write(nil)
	if w.err != nil {
		return 0, w.err
	}
	n, err = socket.ReadFrom(r)
	if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		w.err = err
	}
	return n, err
}

// onlyWriter hides the other methods of a writer.
type onlyWriter struct{ io.Writer }
