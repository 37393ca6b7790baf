package http1

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// FastWriter writes the response to a request of the fast path. The head, and a body that is
// short or comes at once, go out in one write.
//
// The header is written as it is when the head goes out, and what is added later are
// trailers: that is how the router uses it.
type FastWriter struct {
	conn    net.Conn
	socket  syscall.RawConn // below conn; nil: something is in between
	request *http.Request
	closing *atomic.Bool // the connection is to end after the response

	header  http.Header
	status  int    // 0: not said
	body    []byte // held back, to learn its length
	out     []byte // to be written
	pieces  net.Buffers
	begun   bool // the head is out, or in out
	chunked bool
	last    bool  // nothing more comes on the connection
	err     error // of the connection
}

// holdBack is how much of a body is held back, as by net/http, and outBytes how much is put
// together before it is written.
const (
	holdBack = 2 << 10
	outBytes = 16 << 10
)

func (w *FastWriter) reset() {
	clear(w.header)
	w.status, w.begun, w.chunked, w.last = 0, false, false, w.request.Close
	w.body, w.out = w.body[:0], w.out[:0]
}

// Header returns the fields to be sent.
func (w *FastWriter) Header() http.Header { return w.header }

// WriteHeader sets the status; an interim response is sent at once.
func (w *FastWriter) WriteHeader(status int) {
	switch {
	case w.status != 0:
	case status < http.StatusOK:
		w.appendStatus(status)
		w.appendFields()
		w.out = append(w.out, "\r\n"...)
		w.write(nil)
	default:
		w.status = status
	}
}

// Write adds p to the body, and does not use it after it has returned.
func (w *FastWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun && len(w.body)+len(p) <= holdBack {
		w.body = append(w.body, p...)
		return len(p), nil
	}
	w.begin(false)
	if w.append(p); w.err != nil {
		return 0, w.err // nobody knows how much; and none of what comes
	}
	return len(p), nil
}

// WriteVector adds pieces to the body, as [VectorWriter] says.
func (w *FastWriter) WriteVector(pieces [][]byte, progress func()) error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.begin(false)
	if w.err != nil || w.request.Method == http.MethodHead {
		return w.err
	}
	if w.chunked {
		w.appendChunkSize(Length(pieces))
	}
	w.pieces = append(append(w.pieces[:0], w.out), pieces...)
	if w.chunked {
		w.pieces = append(w.pieces, crlf)
	}
	w.err = w.writeAll(w.pieces, progress)
	clear(w.pieces)
	w.out = w.out[:0]
	return w.err
}

func (w *FastWriter) writeAll(pieces net.Buffers, progress func()) error {
	if w.socket != nil {
		return writev(w.socket, pieces, progress)
	}
	for _, p := range pieces {
		if _, err := w.conn.Write(p); err != nil {
			return err
		}
		progress()
	}
	return nil
}

// FlushError sends what has been written.
func (w *FastWriter) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.begin(false)
	w.write(nil)
	return w.err
}

// SetReadDeadline is for [http.ResponseController].
func (w *FastWriter) SetReadDeadline(t time.Time) error { return w.conn.SetReadDeadline(t) }

// SetWriteDeadline is for [http.ResponseController].
func (w *FastWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }

// finish sends the rest of the response. It reports whether the connection can serve another
// request.
func (w *FastWriter) finish() bool {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	w.begin(true)
	if w.chunked {
		w.out = append(w.out, "0\r\n"...)
		w.appendTrailers()
		w.out = append(w.out, "\r\n"...)
	}
	w.write(nil)
	return w.err == nil && !w.last
}

// begin puts the head into out, and what was held back. Whole says that this is all of the
// body.
func (w *FastWriter) begin(whole bool) {
	if w.begun {
		return
	}
	w.begun = true
	w.last = w.last || w.closing.Load() || w.header.Get("Connection") == "close"
	w.appendStatus(w.status)
	w.appendFields()
	w.appendFraming(whole)
	if w.last {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
	if w.header["Date"] == nil {
		w.out = append(append(append(w.out, "Date: "...), dateNow()...), "\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
	w.append(w.body)
}

func (w *FastWriter) appendStatus(status int) {
	text := http.StatusText(status)
	if text == "" {
		text = "status code " + strconv.Itoa(status)
	}
	w.out = append(w.out, "HTTP/1.1 "...)
	w.out = append(strconv.AppendInt(w.out, int64(status), 10), ' ')
	w.out = append(append(w.out, text...), "\r\n"...)
}

// appendFields writes the header, except for the fields that begin writes.
func (w *FastWriter) appendFields() {
	for name, values := range w.header {
		if name == "Connection" || strings.HasPrefix(name, http.TrailerPrefix) {
			continue
		}
		for _, value := range values {
			w.appendField(name, value)
		}
	}
}

func (w *FastWriter) appendField(name, value string) {
	w.out = append(append(w.out, name...), ": "...)
	w.out = append(append(w.out, value...), "\r\n"...)
}

// appendFraming says how long the body is (RFC 9112 section 6).
func (w *FastWriter) appendFraming(whole bool) {
	head := w.request.Method == http.MethodHead
	switch {
	case w.header["Content-Length"] != nil || w.status == http.StatusNoContent || w.status == http.StatusNotModified:
	case whole && w.header["Trailer"] == nil && (!head || len(w.body) > 0):
		w.out = append(w.out, "Content-Length: "...)
		w.out = append(strconv.AppendInt(w.out, int64(len(w.body)), 10), "\r\n"...)
	case !head:
		w.chunked = true
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	}
}

// appendTrailers writes the fields that were marked as trailers.
func (w *FastWriter) appendTrailers() {
	for name, values := range w.header {
		if name, marked := strings.CutPrefix(name, http.TrailerPrefix); marked {
			for _, value := range values {
				w.appendField(name, value)
			}
		}
	}
}

// append adds a piece of the body.
func (w *FastWriter) append(p []byte) {
	if len(p) == 0 || w.request.Method == http.MethodHead {
		return
	}
	if w.chunked {
		w.appendChunkSize(len(p))
		defer func() { w.out = append(w.out, "\r\n"...) }()
	}
	if len(w.out)+len(p) > outBytes {
		w.write(p)
		return
	}
	w.out = append(w.out, p...)
}

func (w *FastWriter) appendChunkSize(n int) {
	w.out = append(strconv.AppendInt(w.out, int64(n), 16), "\r\n"...)
}

// write writes out, and then p.
func (w *FastWriter) write(p []byte) {
	switch {
	case w.err != nil:
	case len(p) == 0 && len(w.out) > 0:
		_, w.err = w.conn.Write(w.out)
	case len(p) > 0:
		buffers := net.Buffers{w.out, p}
		_, w.err = buffers.WriteTo(w.conn)
	}
	w.out = w.out[:0]
}

// datedSecond is a second and its Date (RFC 9110 section 6.6.1).
type datedSecond struct {
	unix int64
	text string
}

var lastDate atomic.Pointer[datedSecond]

func dateNow() string {
	now := time.Now()
	if last := lastDate.Load(); last != nil && last.unix == now.Unix() {
		return last.text
	}
	next := &datedSecond{now.Unix(), now.UTC().Format(http.TimeFormat)}
	lastDate.Store(next)
	return next.text
}
