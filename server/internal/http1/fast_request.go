package http1

import (
	"bytes"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// A plain request is one of HTTP/1.1 about which there is nothing to decide: no body,
// no way to read it but one, and a head that is there as a whole. We parse those
// ourselves, which takes a fraction of the time; whatever is not quite so is left to
// net/http, with every byte of it.

// maxHead is the longest head that is ConnState for plain, and maxFields the most
// fields in it.
const (
	maxHead   = 4 << 10
	maxFields = 64
)

// fastMethods are the methods whose requests need no length to have no body.
var fastMethods = []string{http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions}

// slowFields has the fields with which a request is not plain, by canonical name: they
// say where it ends, change what follows it, or mean something to net/http.
var slowFields = map[string]bool{
	"Content-Length": true, "Transfer-Encoding": true, "Expect": true, "Upgrade": true, "Trailer": true, "Te": true,
	"Http2-Settings": true, "Pragma": true, "Keep-Alive": true, "Proxy-Connection": true,
}

// Kinds of character in a head.
const (
	charName   = 1 << iota // in a field's name
	charTarget             // in a target, but for "%"
	charHost
	charValue
)

var chars = func() (table [256]uint8) {
	mark := func(set string, kind uint8) {
		for _, c := range []byte(set) {
			table[c] |= kind
		}
	}
	alphanumeric := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	mark(alphanumeric+"-", charName)
	mark(alphanumeric+"-._~$&+,;=:@/?", charTarget) // those that package url leaves as they are
	mark(alphanumeric+"-.:[]", charHost)
	for c := range table {
		if c == '\t' || c >= ' ' && c != 0x7f {
			table[c] |= charValue
		}
	}
	return table
}()

// all reports whether every character of s is of a kind.
func all(s string, kind uint8) bool {
	for i := range len(s) {
		if chars[s[i]]&kind == 0 {
			return false
		}
	}
	return true
}

// FastRequest is a plain request, and the memory for the next one.
type FastRequest struct {
	http.Request
	url    url.URL
	values [maxFields]string
	count  int
}

// headEnd returns the length of the head at the start of b, or 0 if it is not there
// as a whole.
func headEnd(b []byte) int {
	i := bytes.Index(b, emptyLine)
	if i < 0 {
		return 0
	}
	return i + len(emptyLine)
}

var emptyLine = []byte("\r\n\r\n")

// parse reads a head that ends in an empty line. It reports false, and leaves p half
// filled, for one that is not plain.
func (p *FastRequest) parse(head string) bool {
	line, rest, _ := strings.Cut(head, "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, found := strings.CutSuffix(line, " HTTP/1.1")
	if !found || !p.setMethod(method) || !p.setTarget(target) {
		return false
	}
	clear(p.Header)
	p.Host, p.count, p.Close = "", 0, false
	for rest != "\r\n" {
		if line, rest, found = strings.Cut(rest, "\r\n"); !found || !p.addField(line) {
			return false
		}
	}
	return p.Host != ""
}

func (p *FastRequest) setMethod(method string) bool {
	for _, m := range fastMethods {
		if m == method {
			p.Method = m
			return true
		}
	}
	return false
}

// setTarget takes a target in origin-form (RFC 9112 section 3.2.1).
func (p *FastRequest) setTarget(target string) bool {
	if len(target) == 0 || target[0] != '/' || strings.HasPrefix(target, "//") || !all(target, charTarget) {
		return false // an escape is for net/http, too
	}
	path, query, found := strings.Cut(target, "?")
	p.url = url.URL{Path: path, RawQuery: query, ForceQuery: found && query == ""}
	p.RequestURI, p.URL = target, &p.url
	return true
}

// addField takes one line of the header.
func (p *FastRequest) addField(line string) bool {
	name, value, found := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	if !found || name == "" || p.count == maxFields || !all(name, charName) || !all(value, charValue) {
		return false
	}
	name = textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case slowFields[name]:
		return false
	case name == "Host":
		known := p.Host != ""
		p.Host = value
		return !known && value != "" && all(value, charHost)
	case name == "Connection":
		known := p.Header[name] != nil
		p.Close = strings.EqualFold(value, "close")
		if known || !p.Close && !strings.EqualFold(value, "keep-alive") {
			return false
		}
	}
	p.values[p.count] = value
	if old := p.Header[name]; old != nil {
		p.Header[name] = append(old, value)
	} else {
		p.Header[name] = p.values[p.count : p.count+1 : p.count+1]
	}
	p.count++
	return true
}
