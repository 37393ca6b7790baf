package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/http2"
)

// dialect is what HTTP/1.1, 2 and 3 do differently. This file, http3_*.go, and those
// that listen (server.go, reception.go, quic.go) know of it; an exchange asks.
type dialect struct {
	version   proto.Version
	serial    bool // requests stand one behind the other on the connection: HTTP/1
	ambiguous bool // not everybody may agree on where the request ends
	expects   bool // the client waits for 100 Continue
}

// speak returns the dialect of a request, and the writer through which an exchange
// writes slots in it. It may replace the request's body. Release: hush.
func speak(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, dialect) {
	d := dialect{version: versionOf(r), expects: takesInterim(r) && strings.EqualFold(r.Header.Get("Expect"), "100-continue")}
	switch d.version {
	case proto.HTTP2:
		d.expects = d.expects || http2.AwaitsContinue(r.Body)
		w = http2.NewWriter(w)
	case proto.HTTP3:
		w = newHTTP3Writer(w, r, d.expects)
	default:
		d.serial, d.ambiguous = true, ambiguousFraming(r)
		if d.expects {
			w = newInterimWriter(w)
		}
	}
	return w, d
}

// sendContinue tells a client that waits for it to send the body (RFC 9110 section
// 10.1.1). Over HTTP/2 net/http does, with the first Read.
func (d *dialect) sendContinue(w http.ResponseWriter) {
	if d.expects && d.version != proto.HTTP2 {
		sendInterim(w, http.StatusContinue, nil)
	}
}

// takesInterim reports whether a client knows of responses that precede the final
// one (RFC 9110 section 15.2).
func takesInterim(r *http.Request) bool { return r.ProtoAtLeast(1, 1) }

// endsWithHeaders reports whether the client has its whole response as soon as the
// headers are out: net/http then ends the stream, and with it the request's context.
func endsWithHeaders(r *http.Request) bool { return r.ProtoMajor == 2 && r.Method == http.MethodHead }

// missesBody reports whether there are clients that take the length in such a response for
// that of a body, and miss it: net/http does over HTTP/2, and with it httputil.ReverseProxy.
func missesBody(r *http.Request, status int) bool {
	return r.ProtoMajor == 2 && status == http.StatusNotModified
}

// hush gives back what speak has taken, when the exchange is over.
func hush(w http.ResponseWriter) {
	if c, ok := w.(*http2.CoalescingWriter); ok {
		c.Release()
	}
}

// pushOut passes on what the writer has held back, if it holds anything back.
func pushOut(w http.ResponseWriter) error {
	if c, ok := w.(*http2.CoalescingWriter); ok {
		return c.Push()
	}
	return nil
}

// versionOf returns the version to note in the frame; HTTP/1.0 counts as 1.1.
func versionOf(r *http.Request) proto.Version {
	switch r.ProtoMajor {
	case 2:
		return proto.HTTP2
	case 3:
		return proto.HTTP3
	}
	return proto.HTTP11
}

// via is what our entry in the Via field says of the protocol (RFC 9110 section
// 7.6.3).
func (d *dialect) via() string {
	switch d.version {
	case proto.HTTP2:
		return "2 upload-response"
	case proto.HTTP3:
		return "3 upload-response"
	}
	return "1.1 upload-response"
}

// closeAfter has the connection closed after a response whose headers are not
// out. A stream of its own needs that of no connection.
func (d *dialect) closeAfter(header http.Header) {
	if d.serial {
		header.Set("Connection", "close")
	}
}

// closeAfterReply makes net/http close an HTTP/1.1 connection after the response,
// even when its headers are out already. Reading past the limit of a
// MaxBytesReader is its documented way to say so.
func (d *dialect) closeAfterReply(w http.ResponseWriter) {
	if !d.serial {
		return
	}
	if own, ok := w.(*interimWriter); ok {
		w = own.ResponseWriter
	}
	body := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = body.Read(make([]byte, 1))
}

// check refuses what net/http does not: a target, an authority or, over HTTP/2 and 3, a
// Host field or a Content-Length that breaks the rules. For HTTP/1.1 the connection's
// screen has seen to the fields.
func (d *dialect) check(r *http.Request) error {
	if r.Method == http.MethodConnect {
		return nil
	}
	if !d.serial {
		if err := checkFields(r); err != nil {
			return err
		}
	}
	return header.CheckTarget(r)
}

// checkFields refuses a Host field that contradicts the authority (RFC 9113 section
// 8.3.1, RFC 9114 section 4.3.1), and a Content-Length that is none or not that of the
// body.
func checkFields(r *http.Request) error {
	hosts := r.Header["Host"]
	switch {
	case len(hosts) > 1 || len(hosts) == 1 && !strings.EqualFold(hosts[0], r.Host):
		return errors.New("host and authority differ")
	case !strings.HasPrefix(r.RequestURI, "/") && !header.AsksServer(r):
		return errors.New("no path")
	case !validLength(r):
		return errors.New("content-length")
	}
	return nil
}

// validLength reports whether what the Content-Length fields say, if there are
// any, is the one length that the body is taken to have.
func validLength(r *http.Request) bool {
	values := r.Header["Content-Length"]
	for _, value := range values {
		if n, err := strconv.ParseUint(value, 10, 63); err != nil || int64(n) != r.ContentLength {
			return false
		}
	}
	return len(values) <= 1
}

// ambiguousFraming reports whether the connection has to be closed after a request of
// HTTP/1 because not everybody may agree on where it ends: without a screen, net/http
// ignores a Transfer-Encoding in HTTP/1.0.
func ambiguousFraming(r *http.Request) bool {
	conn := connOf(r)
	return r.ProtoMinor == 0 && (conn == nil || conn.screened == nil)
}

// leftoverDeadline is until when the rest of an upload may come in whose exchange
// is over, with a status or none.
func (d *dialect) leftoverDeadline(willCome bool, status int) time.Time {
	switch {
	case d.serial && willCome:
		return time.Now().Add(leftoverTime)
	case d.version == proto.HTTP2 && willCome && status >= http.StatusMultipleChoices:
		return time.Now().Add(momentTime)
	}
	return longAgo // over HTTP/3 the client is told that nobody reads the rest, and gets the response all the same
}

// leftoverBytes is how much of it is read and thrown away.
func (d *dialect) leftoverBytes() int {
	switch d.version {
	case proto.HTTP2:
		return momentBytes
	case proto.HTTP3:
		return 0
	}
	return leftoverBytes
}

// earlyHold is how long an early response waits for the rest of its upload.
func (d *dialect) earlyHold() time.Duration {
	if d.serial {
		return earlyHold
	}
	return 0
}
