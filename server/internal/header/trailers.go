package header

import (
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/proto"
)

// trailerForbidden has the fields that would change how a message is framed, routed or
// authenticated and so are never taken from trailers (RFC 9110 section 6.5.1).
var trailerForbidden = map[string]bool{
	"Content-Length": true, "Content-Encoding": true, "Content-Type": true, "Content-Range": true,
	"Host": true, "Authorization": true, "Cookie": true, "Set-Cookie": true, "Expect": true, "Max-Forwards": true,
	"Cache-Control": true, "Age": true, "Date": true, "Expires": true, "Location": true, "Retry-After": true,
	"Vary": true,
}

// allowedTrailer reports whether a field may come in trailers, of requests and responses.
func allowedTrailer(canonical string) bool {
	return policyOf(canonical) == pass && !trailerForbidden[canonical]
}

// announceTrailers adds the trailers that a worker has announced (RFC 9110 section 6.6.2),
// but for those that may not come, or are in the header already.
func announceTrailers(header http.Header, values []string) {
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			name = textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name))
			if announceable(header, name) {
				header["Trailer"] = append(header["Trailer"], name)
			}
		}
	}
}

func announceable(header http.Header, name string) bool {
	return name != "" && !strings.Contains(name, " ") && allowedTrailer(name) &&
		header[name] == nil && !slices.Contains(header["Trailer"], name)
}

// WriteTrailers adds those fields that may come in trailers to a response after the body.
func WriteTrailers(header http.Header, fields []proto.Field) {
	for _, f := range fields {
		if name := textproto.CanonicalMIMEHeaderKey(f.Name); allowedTrailer(name) {
			header.Add(http.TrailerPrefix+name, trimmed(f.Value))
		}
	}
}

// RequestTrailers returns the trailers of a request that its worker gets.
func RequestTrailers(trailer http.Header) (fields []proto.Field) {
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
