// Package header decides which fields of a message pass between client and worker, and
// reads those that the server itself acts on.
package header

import (
	"net/textproto"
	"strings"
)

// policy says what happens to a field on the way through the proxy.
type policy uint8

const (
	pass          policy = iota
	dropAlways           // belongs to one connection (RFC 9110 section 7.6.1)
	dropInRequest        // dropped in requests only
	trustedOnly          // dropped in requests, unless a trusted proxy sends it
)

// policies has every field that is not simply passed on, by canonical name.
var policies = map[string]policy{
	"Connection":          dropAlways,    // RFC 9110 section 7.6.1
	"Proxy-Connection":    dropAlways,    // not standard, same meaning
	"Keep-Alive":          dropAlways,    // RFC 2068 section 19.7.1
	"Te":                  dropAlways,    // RFC 9110 section 10.1.4
	"Trailer":             dropAlways,    // RFC 9110 section 6.6.2; see announceTrailers
	"Transfer-Encoding":   dropAlways,    // RFC 9112 section 6.1
	"Upgrade":             dropAlways,    // RFC 9110 section 7.8
	"Proxy-Authenticate":  dropAlways,    // RFC 9110 section 11.7.1
	"Proxy-Authorization": dropAlways,    // RFC 9110 section 11.7.2
	"Http2-Settings":      dropAlways,    // RFC 7540 section 3.2.1
	"Expect":              dropInRequest, // RFC 9110 section 10.1.1: the server answers it
	"Host":                dropInRequest, // is the authority
	"X-Forwarded-For":     dropInRequest, // the server writes these three, and believes trusted proxies
	"X-Forwarded-Proto":   dropInRequest,
	"X-Forwarded-Host":    dropInRequest,
	"Forwarded":           dropInRequest, // RFC 7239
	"Proxy":               dropInRequest, // CGI makes HTTP_PROXY of it, which programs take for the proxy to use
	"X-Request-Id":        dropInRequest,
	"Via":                 dropInRequest, // RFC 9110 section 7.6.3: the server adds an entry
	"Client-Cert":         dropInRequest, // RFC 9440 section 2.4
	"Client-Cert-Chain":   dropInRequest,

	"Sec-Websocket-Key":        dropAlways, // RFC 6455 section 11.3: between server and client
	"Sec-Websocket-Version":    dropAlways,
	"Sec-Websocket-Accept":     dropAlways,
	"Sec-Websocket-Extensions": dropAlways,
}

// policyOf returns the policy for a field of a request. CGI and its successors take "_" for
// "-", so a name that they would take for one of the table is no way around it, not even
// through a proxy: the proxy may look for the real name only.
func policyOf(canonical string) policy {
	if p := exactPolicyOf(canonical); p != pass || !strings.Contains(canonical, "_") {
		return p
	}
	alias := textproto.CanonicalMIMEHeaderKey(strings.ReplaceAll(canonical, "_", "-"))
	if alias == "Content-Length" || exactPolicyOf(alias) != pass {
		return dropInRequest // the length is what the framing says
	}
	return pass
}

// exactPolicyOf returns the policy for a field by the name as it is.
func exactPolicyOf(canonical string) policy {
	if p := policies[canonical]; p != pass || canonical == "" {
		return p
	}
	switch canonical[0] {
	case 'S', 'X':
		return proxyPolicyOf(canonical)
	case 'U':
		if strings.HasPrefix(canonical, ownPrefix) {
			return dropInRequest
		}
	}
	return pass
}

// connectionNames returns the field names that the Connection field of a message lists, in
// canonical form: they belong to the connection too.
func connectionNames(values []string) map[string]bool {
	if len(values) == 0 {
		return nil
	}
	return canonicalNames(values)
}

func canonicalNames(values []string) map[string]bool {
	names := map[string]bool{}
	for _, value := range values {
		for name := range strings.SplitSeq(value, ",") {
			names[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = true
		}
	}
	return names
}
