package header

import (
	"net/http"
	"net/textproto"

	"github.com/wavey-ai/upload-response/proto"
)

// AppendRequestFields adds the fields of a request that its worker gets. Trusted says that
// the request comes from a trusted proxy.
func AppendRequestFields(fields []proto.Field, header http.Header, trusted bool) []proto.Field {
	listed := connectionNames(header["Connection"])
	for name, values := range header {
		if drops(name, trusted) || listed[name] || name == "Cache-Control" && addedByNetHTTP(values) {
			continue
		}
		for _, value := range values {
			fields = append(fields, proto.Field{Name: name, Value: trimmed(value)})
		}
	}
	return fields
}

// drops reports whether a field of a request is not passed on.
func drops(canonical string, trusted bool) bool {
	p := policyOf(canonical)
	return p != pass && (!trusted || p != trustedOnly)
}

// trimmed returns the value of a field without the space around it, which is no part of it
// (RFC 9110 section 5.5); in HTTP/2 and 3 it makes a message malformed (RFC 9113 section
// 8.2.1).
func trimmed(value string) string { return textproto.TrimString(value) }
