package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// FastRequest is a bodyless HTTP/1.1 request whose head arrived in one read and has no field
// that changes framing, and the memory for the next one. There is only one way to read such
// a head, so we parse it ourselves, which takes a fraction of the time; every other request
// is left to net/http, with every byte of it.
type FastRequest struct {
	http.Request
	url    url.URL
	values [maxFields]string
	count  int
}

// maxHead is the longest head that the fast path takes, and maxFields the most fields in it.
const (
	maxHead   = 4 << 10
	maxFields = 64
)

// fastMethods are the methods whose requests have no body if they do not say its length.
var fastMethods = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// slowFields are the fields, by canonical name, with which a request is left to net/http:
// they say where it ends, change what follows it, or mean something to net/http.
var slowFields = map[string]bool{
	"Content-Length": true, "Transfer-Encoding": true, "Expect": true, "Upgrade": true, "Trailer": true, "Te": true,
	"Http2-Settings": true, "Pragma": true, "Keep-Alive": true, "Proxy-Connection": true,
}

// headEnd returns the length of the head at the start of b, or 0 if not all of it is there.
func headEnd(b []byte) int {
	i := bytes.Index(b, emptyLine)
	if i < 0 {
		return 0
	}
	return i + len(emptyLine)
}

var emptyLine = []byte("\r\n\r\n")

// parse reads a head that ends in an empty line. It reports false for one that is left to
// net/http, and leaves r half filled then.
func (r *FastRequest) parse(head string) bool {
	line, rest, _ := strings.Cut(head, "\r\n")
	method, target, version, _ := cutRequestLine(line)
	if version != "HTTP/1.1" || !r.setMethod(method) || !r.setTarget(target) {
		return false
	}
	clear(r.Header)
	r.Host, r.count, r.Close = "", 0, false
	for rest != "\r\n" {
		var found bool
		if line, rest, found = strings.Cut(rest, "\r\n"); !found || !r.addField(line) {
			return false
		}
	}
	return r.Host != ""
}

func (r *FastRequest) setMethod(method string) bool {
	for _, m := range fastMethods {
		if m == method {
			r.Method = m
			return true
		}
	}
	return false
}

// setTarget takes a target in origin-form (RFC 9112 section 3.2.1).
func (r *FastRequest) setTarget(target string) bool {
	if len(target) == 0 || target[0] != '/' || strings.HasPrefix(target, "//") || !all(target, charTarget) {
		return false
	}
	path, query, found := strings.Cut(target, "?")
	r.url = url.URL{Path: path, RawQuery: query, ForceQuery: found && query == ""}
	r.RequestURI, r.URL = target, &r.url
	return true
}

// addField takes one line of the header.
func (r *FastRequest) addField(line string) bool {
	name, value, ok := cutField(line)
	if !ok || name == "" || r.count == maxFields || !all(name, charName) || !all(value, charValue) {
		return false
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case slowFields[name]:
		return false
	case name == "Host":
		known := r.Host != ""
		r.Host = value
		return !known && value != "" && all(value, charHost)
	case name == "Connection":
		known := r.Header[name] != nil
		r.Close = strings.EqualFold(value, "close")
		if known || !r.Close && !strings.EqualFold(value, "keep-alive") {
			return false
		}
	}
	r.values[r.count] = value
	if old := r.Header[name]; old != nil {
		r.Header[name] = append(old, value)
	} else {
		r.Header[name] = r.values[r.count : r.count+1 : r.count+1]
	}
	r.count++
	return true
}
