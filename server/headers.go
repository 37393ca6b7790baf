package server

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
)

// headerPolicy says what happens to a field on its way through the proxy.
type headerPolicy uint8

const (
	passField  headerPolicy = iota
	dropHop                 // belongs to one connection (RFC 9110 section 7.6.1)
	dropUpward              // dropped in requests only
	proxyOnly               // likewise, unless a proxy that we trust sends it
)

// fieldPolicies has every field that is not simply passed on, by canonical name.
var fieldPolicies = map[string]headerPolicy{
	"Connection":          dropHop,    // RFC 9110 section 7.6.1
	"Proxy-Connection":    dropHop,    // not standard, same meaning
	"Keep-Alive":          dropHop,    // RFC 2068 section 19.7.1
	"Te":                  dropHop,    // RFC 9110 section 10.1.4
	"Trailer":             dropHop,    // RFC 9110 section 6.6.2; trailers get their own slot, announceTrailers announces them
	"Transfer-Encoding":   dropHop,    // RFC 9112 section 6.1
	"Upgrade":             dropHop,    // RFC 9110 section 7.8
	"Proxy-Authenticate":  dropHop,    // RFC 9110 section 11.7.1
	"Proxy-Authorization": dropHop,    // RFC 9110 section 11.7.2
	"Http2-Settings":      dropHop,    // RFC 7540 section 3.2.1
	"Expect":              dropUpward, // RFC 9110 section 10.1.1: answered by the pump
	"Host":                dropUpward, // is the authority
	"X-Forwarded-For":     dropUpward, // these are said by the origin, and believed from whom we trust
	"X-Forwarded-Proto":   dropUpward,
	"X-Forwarded-Host":    dropUpward,
	"Forwarded":           dropUpward, // RFC 7239
	"Proxy":               dropUpward, // CGI makes HTTP_PROXY of it, which programs take for the proxy that they are to use
	"X-Request-Id":        dropUpward,
	"Via":                 dropUpward, // RFC 9110 section 7.6.3: with ours at its end
	"Client-Cert":         dropUpward, // RFC 9440 section 2.4
	"Client-Cert-Chain":   dropUpward,

	"Sec-Websocket-Key":        dropHop, // RFC 6455 section 11.3: between us and the client
	"Sec-Websocket-Version":    dropHop,
	"Sec-Websocket-Accept":     dropHop,
	"Sec-Websocket-Extensions": dropHop,
}

// trailerForbidden has the fields that would change how a message is framed,
// routed or authenticated and so are never taken from trailers (RFC 9110
// section 6.5.1).
var trailerForbidden = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Type": true, "Content-Range": true,
	"Host": true, "Authorization": true, "Cookie": true, "Set-Cookie": true, "Expect": true, "Max-Forwards": true,
	"Cache-Control": true, "Age": true, "Date": true, "Expires": true, "Location": true, "Retry-After": true, "Vary": true,
}

// connectionNames returns the field names that a message's Connection field
// lists, in canonical form: they belong to the connection too.
func connectionNames(values []string) map[string]bool {
	if len(values) == 0 {
		return nil
	}
	names := map[string]bool{}
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			names[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return names
}

// requestFrame fills frame with what a worker gets of r.
func requestFrame(frame *proto.Request, r *http.Request, o *origin, offered bool, streamID uint64) error {
	if r.Method == http.MethodConnect {
		return fmt.Errorf("%w: CONNECT", ErrMethod)
	}
	if r.Host == "" && r.ProtoAtLeast(1, 1) {
		return fmt.Errorf("%w: no host", ErrBadRequest)
	}
	frame.StreamID, frame.Version = streamID, versionOf(r)
	frame.Method, frame.Scheme, frame.Authority = r.Method, o.scheme, r.Host
	if offered {
		frame.Scheme = "ws" + strings.TrimPrefix(o.scheme, "http")
	}
	frame.Path = r.RequestURI
	if !strings.HasPrefix(frame.Path, "/") {
		frame.Path = r.URL.RequestURI() // absolute-form (RFC 9112 section 3.2.2)
	}
	frame.Fields = appendRequestFields(o.appendClient(frame.Fields[:0]), r.Header, o.peer.Trusted)
	frame.Fields = o.appendFields(frame.Fields, r)
	return nil
}

// policyOf returns the policy for a request's field. CGI and what came after it
// take "_" for "-", so a name that would be taken for one of the table is no way
// around it, not even through a proxy: that may look for the real name only.
func policyOf(canonical string) headerPolicy {
	if policy := ownPolicyOf(canonical); policy != passField || !strings.Contains(canonical, "_") {
		return policy
	}
	alias := textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(canonical, "_", "-"))
	if alias == "Content-Length" || ownPolicyOf(alias) != passField {
		return dropUpward // the length is what the framing says
	}
	return passField
}

func ownPolicyOf(canonical string) headerPolicy {
	if policy := fieldPolicies[canonical]; policy != passField || canonical == "" {
		return policy
	}
	switch canonical[0] {
	case 'S', 'X':
		return proxyPolicyOf(canonical)
	case 'U':
		if strings.HasPrefix(canonical, ownPrefix) {
			return dropUpward
		}
	}
	return passField
}

func appendRequestFields(fields []proto.Field, header http.Header, trusted bool) []proto.Field {
	listed := connectionNames(header["Connection"])
	for name, values := range header {
		policy := policyOf(name)
		if policy != passField && !(trusted && policy == proxyOnly) || listed[name] || name == "Cache-Control" && madeUp(values) {
			continue
		}
		for _, value := range values {
			fields = append(fields, proto.Field{Name: name, Value: trimmed(value)})
		}
	}
	return fields
}

// trimmed returns a field's value without the space around it, which is no part of it
// (RFC 9110 section 5.5); in HTTP/2 and 3 it makes a message malformed (RFC 9113
// section 8.2.1).
func trimmed(value string) string { return textproto.TrimString(value) }

// responseHead is what the server needs to know of a response's headers.
type responseHead struct {
	status        int
	contentLength int64 // -1: not said
	bodyAllowed   bool
}

// writeResponseHead checks a response's headers frame and copies its fields into
// header. On error, header may be partly filled.
func writeResponseHead(header http.Header, frame *proto.Response, method string) (responseHead, error) {
	head := responseHead{status: int(frame.Status), contentLength: -1}
	if head.status < 200 || head.status > 999 {
		return head, fmt.Errorf("%w: status %d", ErrWorkerInvalid, head.status)
	}
	head.bodyAllowed = method != http.MethodHead && head.status != http.StatusNoContent && head.status != http.StatusNotModified
	if head.status == http.StatusResetContent {
		head.bodyAllowed, header["Content-Length"] = false, []string{"0"} // RFC 9110 section 15.3.6, whatever the worker says
	}
	listed := connectionNames(valuesOf(frame.Fields, "connection"))
	values := make([]string, 0, len(frame.Fields)) // one array for all the values
	for _, f := range frame.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if fieldPolicies[name] == dropHop || listed[name] || name == "Content-Length" && head.status == http.StatusResetContent {
			continue
		}
		value := trimmed(f.Value)
		if name == "Content-Length" {
			if err := head.setContentLength(value); err != nil {
				return head, err
			}
			if head.status == http.StatusNoContent {
				continue // RFC 9110 section 8.6; a 304 may say what the 200 would
			}
		}
		if old := header[name]; old != nil {
			header[name] = append(old, value)
			continue
		}
		values = append(values, value)
		header[name] = values[len(values)-1 : len(values) : len(values)]
	}
	if head.bodyAllowed && head.contentLength < 0 {
		announceTrailers(header, valuesOf(frame.Fields, "trailer"))
	}
	if header["Content-Type"] == nil {
		header["Content-Type"] = nil // or net/http and package http3 would guess
	}
	return head, nil
}

// writeInterimHead checks the headers frame of a response that precedes the final
// one and copies its fields into header. 100 and 101 are ours to say.
func writeInterimHead(header http.Header, frame *proto.Response) error {
	if frame.Status <= http.StatusSwitchingProtocols || frame.Status >= http.StatusOK {
		return fmt.Errorf("%w: status %d before the response", ErrWorkerInvalid, frame.Status)
	}
	listed := connectionNames(valuesOf(frame.Fields, "connection"))
	for _, f := range frame.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if fieldPolicies[name] != dropHop && !listed[name] && name != "Content-Length" { // RFC 9110 section 8.6
			header[name] = append(header[name], trimmed(f.Value))
		}
	}
	return nil
}

func valuesOf(fields []proto.Field, name string) (values []string) {
	for _, f := range fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// errTwoLengths is the reason for refusing a response with two lengths.
var errTwoLengths = errors.New("two different Content-Length fields")

func (h *responseHead) setContentLength(value string) error {
	n, err := strconv.ParseUint(value, 10, 63)
	if err == nil && h.contentLength >= 0 {
		err = errTwoLengths
	}
	if err != nil {
		return fmt.Errorf("%w: Content-Length %q: %w", ErrWorkerInvalid, value, err)
	}
	h.contentLength = int64(n)
	return nil
}

// allowedTrailer reports whether a field may come in trailers, either way.
func allowedTrailer(canonical string) bool {
	return policyOf(canonical) == passField && !trailerForbidden[canonical]
}

// announceTrailers says which trailers a worker has announced (RFC 9110 section 6.6.2). Those
// that may not come, or are in the header already, are left out.
func announceTrailers(header http.Header, values []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name))
			if name != "" && !strings.Contains(name, " ") && allowedTrailer(name) && header[name] == nil && !slices.Contains(header["Trailer"], name) {
				header["Trailer"] = append(header["Trailer"], name)
			}
		}
	}
}

// writeTrailers adds the allowed ones of fields to a response whose body is out.
func writeTrailers(header http.Header, fields []proto.Field) {
	for _, f := range fields {
		if name := textproto.CanonicalMIMEHeaderKey(f.Name); allowedTrailer(name) {
			header.Add(http.TrailerPrefix+name, trimmed(f.Value))
		}
	}
}

// requestTrailers returns the allowed ones of a request's trailers.
func requestTrailers(trailer http.Header) (fields []proto.Field) {
	for name, values := range trailer {
		if !allowedTrailer(textproto.CanonicalMIMEHeaderKey(name)) {
			continue
		}
		for _, value := range values {
			fields = append(fields, proto.Field{Name: name, Value: trimmed(value)})
		}
	}
	return fields
}
