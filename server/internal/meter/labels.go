package meter

import (
	"net/http"
	"strconv"
)

// Protocol is a version of HTTP.
type Protocol uint8

// The values of Protocol.
const (
	HTTP10 Protocol = iota
	HTTP11
	HTTP2
	HTTP3
	protocols
)

var protocolNames = [protocols]string{HTTP10: "HTTP/1.0", HTTP11: "HTTP/1.1", HTTP2: "HTTP/2", HTTP3: "HTTP/3"}

// String returns the label of the protocol.
func (p Protocol) String() string { return protocolNames[p] }

// ProtocolOf returns the protocol of a version, as in http.Request.
func ProtocolOf(major, minor int) Protocol {
	switch {
	case major == 3:
		return HTTP3
	case major == 2:
		return HTTP2
	case minor == 0:
		return HTTP10
	}
	return HTTP11
}

// methodNames are the methods that have a label of their own.
var methodNames = [...]string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodOptions, http.MethodTrace, http.MethodConnect, "other",
}

const methods = len(methodNames)

// methodOf returns the index of a method in methodNames; that of "other" for whatever else a client sends.
func methodOf(method string) int {
	for i, name := range methodNames[:methods-1] {
		if name == method {
			return i
		}
	}
	return methods - 1
}

// firstCode is the least status that has a label of its own, and codes is how many have one.
const (
	firstCode = 100
	codes     = 500
)

// codeOf returns the index of a status in a [codeTable].
func codeOf(status int) int {
	if i := status - firstCode; i >= 0 && i < codes {
		return i
	}
	return codes
}

// codeName returns the label of an index of a [codeTable].
func codeName(i int) string {
	if i == codes {
		return "other"
	}
	return strconv.Itoa(firstCode + i)
}
