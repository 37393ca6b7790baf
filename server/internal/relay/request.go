package relay

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/header"
	"github.com/wavey-ai/upload-response/server/internal/protocol"
	"github.com/wavey-ai/upload-response/server/internal/route"
)

func (x *exchange) hasBody() bool {
	r := x.request
	return x.handshake == nil && r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

// idempotent reports whether a method may be carried out twice (RFC 9110 section 9.2.2).
func idempotent(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// publishHeaders writes slot 1, and the end of a request without a body.
func (x *exchange) publishHeaders(hasBody bool) error {
	s, limit, most := x.stream, x.settings.HeaderLimit, x.settings.FieldLimit
	if err := x.fillFrame(&s.RequestFrame); err != nil {
		return err
	}
	if n := len(s.RequestFrame.Fields); n > most {
		return fmt.Errorf("%w: %d fields, the limit is %d", fault.ErrHeadersTooLarge, n, most)
	}
	space, err := s.ReserveHeaders(limit)
	if err != nil {
		return err // cannot be: the lane is empty and its buffer guaranteed
	}
	frame, err := proto.AppendRequest(space[:0:limit], &s.RequestFrame)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", fault.ErrBadRequest, err)
	case len(frame) > limit && len(s.RequestFrame.Path) > len(frame)/2:
		return fmt.Errorf("%w: %d bytes, the limit is %d for the whole header",
			fault.ErrTargetTooLong, len(s.RequestFrame.Path), limit)
	case len(frame) > limit:
		return fmt.Errorf("%w: %d bytes, the limit is %d", fault.ErrHeadersTooLarge, len(frame), limit)
	}
	return s.PublishHeaders(len(frame), !hasBody && x.handshake == nil)
}

// fillFrame fills frame with what the worker gets of the request.
func (x *exchange) fillFrame(frame *proto.Request) error {
	r, c := x.request, &x.client
	if r.Method == http.MethodConnect {
		return fmt.Errorf("%w: CONNECT", fault.ErrMethod)
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return fmt.Errorf("%w: no host", fault.ErrBadRequest)
	}
	frame.StreamID, frame.Version = x.streamID, protocol.VersionOf(r)
	frame.Method, frame.Scheme, frame.Authority = r.Method, c.scheme, r.Host
	if x.handshake != nil {
		frame.Scheme = "ws" + strings.TrimPrefix(c.scheme, "http")
	}
	frame.Path = x.target()
	prefix := x.strippedPrefix()
	frame.Fields = header.AppendRequestFields(c.appendNode(frame.Fields[:0]), r.Header, c.peer.Trusted)
	frame.Fields = x.trace.appendField(c.appendFields(frame.Fields, r))
	if prefix != "" {
		frame.Fields = append(frame.Fields, proto.Field{Name: "x-forwarded-prefix", Value: prefix})
	}
	return nil
}

// target returns the path and query of the request, without the prefix that the route strips.
func (x *exchange) target() string {
	target := x.wholeTarget()
	if prefix := x.route.Rule.Strip; prefix != "" {
		target, _ = route.Strip(target, prefix)
	}
	return target
}

func (x *exchange) wholeTarget() string {
	if r := x.request; !strings.HasPrefix(r.RequestURI, "/") {
		return r.URL.RequestURI() // absolute-form (RFC 9112 section 3.2.2)
	}
	return x.request.RequestURI
}

// strippedPrefix returns the escaped prefix that the target lacks, or nothing. If a trusted
// proxy has stripped one before, both are one, and its field goes.
func (x *exchange) strippedPrefix() string {
	prefix := x.route.Rule.Strip
	if prefix == "" {
		return ""
	}
	if _, ok := route.Strip(x.wholeTarget(), prefix); !ok {
		return ""
	}
	prefix = (&url.URL{Path: prefix}).EscapedPath()
	if outer := x.request.Header.Get(prefixField); x.client.peer.Trusted {
		prefix = strings.TrimRight(outer, "/") + prefix
	}
	delete(x.request.Header, prefixField)
	return prefix
}

// prefixField tells an application where it is mounted.
const prefixField = "X-Forwarded-Prefix"
