package relay

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/wavey-ai/upload-response/server/internal/compress"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/shm"
)

// fileWriter is what http.ServeContent writes a file to: it bounds how long the client may
// take nothing, and notes what becomes of the response.
type fileWriter struct {
	exchange   *exchange
	inner      http.ResponseWriter
	sender     io.ReaderFrom // to which the kernel can copy; nil: none
	compressor *compress.Compressor

	size     int64 // of the file
	status   int   // 0: not said
	promised int64 // bytes of body; negative: not said
	err      error // why the response broke off

	mu      sync.Mutex // guards what follows, against abort
	renewed time.Time  // when the deadline was set
	aborted bool
}

// How much is written at once. A client gets a new deadline for each, or, if the kernel can
// say so, for each byte.
const (
	fileBytes     = 64 << 10
	sendFileBytes = 1 << 20
)

var fileBuffers = sync.Pool{New: func() any { return new([fileBytes]byte) }}

// Header returns the fields of the response.
func (w *fileWriter) Header() http.Header { return w.inner.Header() }

// WriteHeader begins a response with a file. Errors are left to the exchange, which knows
// how clients want to be told.
func (w *fileWriter) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	w.status = status
	if status >= http.StatusBadRequest {
		return
	}
	x := w.exchange
	head := header.ResponseHead{
		Status: status, ContentLength: w.length(status),
		BodyAllowed: x.request.Method != http.MethodHead && status != http.StatusNotModified,
	}
	x.response.begun, x.response.begunAt, x.response.head = true, shm.Now(), head
	x.limitUnread()
	w.compressor = x.settings.compressors.Begin(w.inner, x.request, &head)
	if head.BodyAllowed {
		w.promised = head.ContentLength
	}
	w.renew()
	w.inner.WriteHeader(status)
}

// length returns the length of the body, or -1. It says that of a whole file in a coding,
// which http.ServeContent does not.
func (w *fileWriter) length(status int) int64 {
	fields := w.inner.Header()
	text := fields.Get("Content-Length")
	if text == "" && status == http.StatusOK {
		fields["Content-Length"] = []string{strconv.FormatInt(w.size, 10)}
		return w.size
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return -1
}

// Write writes a piece of a file.
func (w *fileWriter) Write(p []byte) (n int, err error) {
	switch {
	case w.status >= http.StatusBadRequest:
		return len(p), nil
	case w.compressor != nil:
		n, err = w.compressor.Write(p)
	default:
		n, err = w.inner.Write(p)
	}
	w.renew()
	w.exchange.response.sent += int64(n)
	return n, w.note(err)
}

// ReadFrom writes what src gives: all or a part of a file, or several parts.
func (w *fileWriter) ReadFrom(src io.Reader) (n int64, err error) {
	if part, ok := src.(*io.LimitedReader); ok && w.sender != nil && w.compressor == nil && isFile(part.R) {
		return w.send(part)
	}
	buffer := fileBuffers.Get().(*[fileBytes]byte)
	defer fileBuffers.Put(buffer)
	return io.CopyBuffer(struct{ io.Writer }{w}, src, buffer[:])
}

func isFile(r io.Reader) bool {
	_, ok := r.(*os.File)
	return ok
}

// send has the kernel copy a part of a file.
func (w *fileWriter) send(part *io.LimitedReader) (n int64, err error) {
	for part.N > 0 {
		w.renew()
		piece := io.LimitedReader{R: part.R, N: min(part.N, sendFileBytes)}
		sent, err := w.sender.ReadFrom(&piece)
		n, part.N = n+sent, part.N-sent
		w.exchange.response.sent += sent
		switch {
		case sent > 0 && errors.Is(err, os.ErrDeadlineExceeded):
			continue // a slow client, which takes something
		case err != nil:
			return n, w.note(err)
		case sent == 0:
			return n, nil // the file has got shorter
		}
	}
	return n, nil
}

// renew gives the client time for the next piece.
func (w *fileWriter) renew() {
	w.mu.Lock()
	defer w.mu.Unlock()
	most, now := w.exchange.settings.ClientTimeout, time.Now()
	if w.aborted || now.Sub(w.renewed) < most/8 {
		return
	}
	w.renewed = now
	_ = w.exchange.controller.SetWriteDeadline(now.Add(most))
}

// abort ends the response. Any goroutine may call it.
func (w *fileWriter) abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.aborted = true
	_ = w.exchange.controller.SetWriteDeadline(conn.Past)
}

// note keeps the first failure of a write.
func (w *fileWriter) note(err error) error {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("%w: %w", fault.ErrClientGone, err)
		if stalled := w.exchange.stalled(); errors.Is(err, os.ErrDeadlineExceeded) || stalled != nil && stalled.Load() {
			w.err = fmt.Errorf("%w: it took no byte of the file within the limit", fault.ErrClientSlow)
		}
	}
	return err
}

// end ends the response, and returns why it failed.
func (w *fileWriter) end() error {
	x := w.exchange
	if w.status >= http.StatusBadRequest {
		return w.refuse()
	}
	if w.err == nil && w.promised >= 0 && x.response.sent != w.promised {
		w.err = fmt.Errorf("%w: %d bytes of %d", fault.ErrFileChanged, x.response.sent, w.promised)
	}
	if w.err == nil {
		_ = w.note(errors.Join(w.compressor.Finish(), protocol.Push(w.inner)))
	}
	w.compressor.Release()
	if w.err == nil {
		_ = x.controller.SetWriteDeadline(time.Time{}) // the next response has its own
	}
	return w.err
}

// refuse returns why there is no response with the file. Of the fields only the size of the
// file stays.
func (w *fileWriter) refuse() error {
	fields := w.inner.Header()
	size := fields["Content-Range"]
	clear(fields)
	switch w.status {
	case http.StatusRequestedRangeNotSatisfiable:
		if size != nil {
			fields["Content-Range"] = size
		}
		return fault.ErrRange
	case http.StatusPreconditionFailed:
		return fault.ErrPrecondition
	}
	return fault.ErrFileChanged
}
