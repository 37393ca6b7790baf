package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// smallBody is how many bytes a handler may write before the headers go out: a
// response that ends within them gets a Content-Length, as in net/http.
const smallBody = 2048

// serveHTTP serves one request with an http.Handler.
func serveHTTP(base context.Context, r *Request, handler http.Handler, log *slog.Logger) {
	ctx := &requestContext{Context: base, request: r}
	defer r.cancel(shm.ReasonFinished) // ends what the handler derived from ctx
	request, body, err := newHTTPRequest(ctx, r)
	if err != nil {
		log.Warn("bad request from the server", "stream", r.id, "error", err)
		r.Abort()
		return
	}
	w := &responseWriter{request: r, header: make(http.Header), ctx: ctx}
	defer func() {
		if p := recover(); p != nil {
			w.panicked(p, log)
		}
	}()
	handler.ServeHTTP(w, request)
	_ = body.Close()
	if err := w.finish(); err != nil {
		w.failed(err, log)
	}
}

// responseWriter is the http.ResponseWriter over a request's response lane.
type responseWriter struct {
	request *Request
	ctx     context.Context
	header  http.Header

	status    int
	fields    []proto.Field // of the header as it was at WriteHeader
	announced []string      // names of trailers that it announced
	small     []byte        // body held back, to learn its length
	committed bool          // the headers are in the lane
	err       error         // why the response cannot go on
}

// Header returns the response's header.
func (w *responseWriter) Header() http.Header { return w.header }

// WriteHeader sets the status. Informational ones (1xx) are sent at once, with the
// header as it is, but for 100 and 101, which are the server's to say.
func (w *responseWriter) WriteHeader(status int) {
	switch {
	case w.status != 0 || status == http.StatusContinue || status == http.StatusSwitchingProtocols:
		return
	case status > 101 && status < 200:
		fields, _ := responseFields(w.header)
		_ = w.request.Interim(w.ctx, status, fields) // the client may do without
		return
	case status < 200 || status > 999:
		panic(fmt.Sprintf("worker: WriteHeader(%d)", status))
	}
	w.status = status
	w.fields, w.announced = responseFields(w.header)
}

// Write adds p to the body. Like net/http it may hold it back until Flush or the
// end of the handler.
func (w *responseWriter) Write(p []byte) (int, error) {
	if err := w.start(len(p)); err != nil {
		return 0, err
	}
	if !w.committed {
		w.small = append(w.small, p...)
		return len(p), nil
	}
	n, err := w.request.WriteContext(w.ctx, p)
	w.err = err
	return n, err
}

// WriteString is Write without a copy of s.
func (w *responseWriter) WriteString(s string) (int, error) {
	if err := w.start(len(s)); err != nil {
		return 0, err
	}
	if !w.committed {
		w.small = append(w.small, s...)
		return len(s), nil
	}
	return w.Write([]byte(s))
}

// start readies the response for n more bytes of body.
func (w *responseWriter) start(n int) error {
	if w.err != nil {
		return w.err
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.committed || len(w.small)+n <= smallBody {
		return nil
	}
	return w.commit()
}

// ReadFrom fills slots straight from src.
func (w *responseWriter) ReadFrom(src io.Reader) (total int64, err error) {
	if err := w.start(smallBody + 1); err != nil {
		return 0, err
	}
	for {
		space, err := w.request.Reserve(w.ctx)
		if err != nil {
			w.err = err
			return total, err
		}
		n, err := src.Read(space)
		w.request.Commit(n)
		total += int64(n)
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// commit puts the headers into the lane, and after them what was held back.
func (w *responseWriter) commit() error {
	if w.committed || w.err != nil {
		return w.err
	}
	w.committed = true
	w.err = w.request.Respond(w.ctx, w.status, w.fields)
	if w.err == nil && len(w.small) > 0 {
		_, w.err = w.request.WriteContext(w.ctx, w.small)
		w.small = nil
	}
	return w.err
}

// Flush sends what has been written so far.
func (w *responseWriter) Flush() { _ = w.FlushError() }

// FlushError is Flush for http.ResponseController.
func (w *responseWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if err := w.commit(); err != nil {
		return err
	}
	return w.request.Flush()
}

// EnableFullDuplex does nothing: reading and writing at once always works.
func (w *responseWriter) EnableFullDuplex() error { return nil }

// finish ends the response after the handler has returned.
func (w *responseWriter) finish() error {
	if w.err != nil {
		return w.err
	}
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	trailers := w.trailers()
	if !w.committed {
		w.describe(len(trailers) > 0)
	}
	if err := w.commit(); err != nil {
		return err
	}
	if len(trailers) > 0 {
		return w.request.EndTrailers(w.ctx, trailers)
	}
	if err := w.request.End(w.ctx); !errors.Is(err, ErrEnded) { // by the Close of a WebSocket
		return err
	}
	return nil
}

// describe adds what net/http would say of a body that is whole in memory: its
// length, unless there are trailers (in HTTP/1.1 it is one or the other), and its
// type if the handler did not say.
func (w *responseWriter) describe(trailers bool) {
	if !trailers && !has(w.fields, "Content-Length") && (len(w.small) > 0 || w.needsLength()) {
		w.fields = append(w.fields, proto.Field{Name: "Content-Length", Value: strconv.Itoa(len(w.small))})
	}
	if len(w.small) > 0 && !has(w.fields, "Content-Type") && !has(w.fields, "Content-Encoding") {
		w.fields = append(w.fields, proto.Field{Name: "Content-Type", Value: http.DetectContentType(w.small)})
	}
}

func has(fields []proto.Field, name string) bool {
	return slices.ContainsFunc(fields, func(f proto.Field) bool { return f.Name == name })
}

// needsLength reports whether a response without a body is to say so. With HEAD
// the length would be that of a GET, which is not known.
func (w *responseWriter) needsLength() bool {
	header, err := w.request.Header()
	return err == nil && header.Method != http.MethodHead && w.status != http.StatusNoContent && w.status != http.StatusNotModified
}

// trailers returns the fields that the handler announced in Trailer or marked
// with http.TrailerPrefix.
func (w *responseWriter) trailers() (fields []proto.Field) {
	for _, name := range w.announced {
		for _, v := range w.header[name] {
			fields = append(fields, proto.Field{Name: name, Value: v})
		}
	}
	for name, values := range w.header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			for _, v := range values {
				fields = append(fields, proto.Field{Name: name, Value: v})
			}
		}
	}
	return fields
}

// responseFields makes fields of a header, and returns the names of the trailers
// that it announces.
func responseFields(header http.Header) (fields []proto.Field, announced []string) {
	fields = make([]proto.Field, 0, len(header)+2) // see describe
	for name, values := range header {
		switch {
		case name == "Trailer":
			announced = trailerNames(values)
		case strings.HasPrefix(name, http.TrailerPrefix):
		default:
			for _, value := range values {
				fields = append(fields, proto.Field{Name: name, Value: value})
			}
		}
	}
	return fields, announced
}

func trailerNames(values []string) (names []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			names = append(names, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

// failed ends a response that could not be finished.
func (w *responseWriter) failed(err error, log *slog.Logger) {
	if !errors.Is(err, ErrCancelled) {
		log.Warn("response failed", "stream", w.request.id, "error", err)
	}
	w.request.Abort()
}

// panicked answers 500 if nothing is out yet, and breaks the response off if
// something is. http.ErrAbortHandler is the handler's way to ask for the latter.
func (w *responseWriter) panicked(p any, log *slog.Logger) {
	if p == http.ErrAbortHandler {
		w.request.Abort()
		return
	}
	log.Error("handler panicked", "stream", w.request.id, "panic", p, "stack", string(debug.Stack()))
	if w.committed {
		w.request.Abort()
		return
	}
	w.header, w.status, w.small = make(http.Header), 0, nil
	http.Error(w, "internal server error", http.StatusInternalServerError)
	if err := w.finish(); err != nil {
		w.failed(err, log)
	}
}
