// Package protocol is what HTTP/1.1, 2 and 3 do differently: an exchange asks a [Session],
// and knows none of the packages of the versions.
package protocol

import (
	"io"
	"net/http"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/conn"
	"github.com/wavey-ai/upload-response/server/internal/http1"
	"github.com/wavey-ai/upload-response/server/internal/http2"
	"github.com/wavey-ai/upload-response/server/internal/http3"
)

// Session is one request and its response in the version of HTTP that the client speaks.
type Session struct {
	Version        proto.Version
	Pipelined      bool         // requests follow each other on the connection: HTTP/1
	Ambiguous      bool         // recipients may disagree where the request ends
	AwaitsContinue bool         // the client waits for 100 Continue
	Vectors        VectorWriter // nil: pieces of the body are written one by one
}

// Adapt returns the session of a request, and the writer through which an exchange writes
// the response. It may replace the body of the request. Release: [Release].
func Adapt(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, Session) {
	expects := TakesInterim(r) && strings.EqualFold(r.Header.Get("Expect"), "100-continue")
	s := Session{Version: VersionOf(r), AwaitsContinue: expects}
	switch s.Version {
	case proto.HTTP2:
		s.AwaitsContinue = expects || http2.AwaitsContinue(r.Body)
		w = http2.NewWriter(w)
	case proto.HTTP3:
		w = newInterimWriter(http3.Adapt(w, r, expects))
	default:
		s.Pipelined, s.Ambiguous = true, ambiguousFraming(r)
		if expects {
			w = newInterimWriter(w)
		}
		s.Vectors = http1.VectorWriterOf(w, r)
	}
	return w, s
}

// Release gives back what Adapt has taken, when the exchange is over.
func Release(w http.ResponseWriter) {
	if c, ok := w.(*http2.CoalescingWriter); ok {
		c.Release()
	}
}

// Push passes on what the writer has coalesced, if it coalesces.
func Push(w http.ResponseWriter) error {
	if c, ok := w.(*http2.CoalescingWriter); ok {
		return c.Push()
	}
	return nil
}

// SendContinue tells a client that waits for it to send the body (RFC 9110 section 10.1.1).
// Over HTTP/2 net/http does, with the first Read.
func (s *Session) SendContinue(w http.ResponseWriter) {
	if s.AwaitsContinue && s.Version != proto.HTTP2 {
		SendInterim(w, http.StatusContinue, nil)
	}
}

// TakesInterim reports whether a client knows of interim responses (RFC 9110 section 15.2).
func TakesInterim(r *http.Request) bool { return r.ProtoAtLeast(1, 1) }

// EndsWithHeaders reports whether the client has the whole response as soon as the headers
// are out: net/http then ends the stream, and with it the context of the request.
func EndsWithHeaders(r *http.Request) bool { return r.ProtoMajor == 2 && r.Method == http.MethodHead }

// MissesBody reports whether there are clients that take the length in such a response for
// that of a body, and miss the body: net/http does over HTTP/2, and httputil.ReverseProxy
// with it.
func MissesBody(r *http.Request, status int) bool {
	return r.ProtoMajor == 2 && status == http.StatusNotModified
}

// VersionOf returns the version that the frame of a request has; HTTP/1.0 counts as 1.1.
func VersionOf(r *http.Request) proto.Version {
	switch r.ProtoMajor {
	case 2:
		return proto.HTTP2
	case 3:
		return proto.HTTP3
	}
	return proto.HTTP11
}

// Via returns the entry of the server in the Via field (RFC 9110 section 7.6.3).
func (s *Session) Via() string {
	switch s.Version {
	case proto.HTTP2:
		return "2 upload-response"
	case proto.HTTP3:
		return "3 upload-response"
	}
	return "1.1 upload-response"
}

// CloseAfter has the connection closed after a response whose headers are not out. A stream
// does not need that.
func (s *Session) CloseAfter(header http.Header) {
	if s.Pipelined {
		header.Set("Connection", "close")
	}
}

// CloseAfterReply makes net/http close a connection of HTTP/1.1 after the response, even
// when the headers are out already. Reading past the limit of a MaxBytesReader is the
// documented way to say so.
func (s *Session) CloseAfterReply(w http.ResponseWriter) {
	if !s.Pipelined {
		return
	}
	if own, ok := w.(*interimWriter); ok {
		w = own.ResponseWriter
	}
	body := http.MaxBytesReader(w, io.NopCloser(strings.NewReader("x")), 0)
	_, _ = body.Read(make([]byte, 1))
}

// ambiguousFraming reports whether the connection has to be closed after a request of
// HTTP/1 because recipients may disagree where the request ends: if no guard checks the
// framing, net/http ignores a Transfer-Encoding in HTTP/1.0.
func ambiguousFraming(r *http.Request) bool {
	c := conn.Of(r)
	return r.ProtoMinor == 0 && (c == nil || !c.Guarded)
}
