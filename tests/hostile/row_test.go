package hostile_test

import (
	"fmt"
	"slices"
	"strings"
)

// row is something that a client sends, and what has to come of it. Behind it, on the
// same connection, comes a request that is above suspicion.
//
// In all that is sent "{id}" stands for the name of the row on the wire, which is as
// long; so that lengths are right, and whoever sees a request knows whose it is.
type row struct {
	name string
	send string
	want outcome

	last bool // the client sends no more: there is no request behind it

	// The request as the worker sees it, if it is served.
	target  string // empty: the usual one
	host    string // empty: the usual one
	body    string // all of it
	field   string // "name: value" that is among its fields, or its trailers
	lacks   string // name of a field that is not
	interim []int  // statuses that come before that of the response

	why string // where nginx or HAProxy sees it differently, and we leave it so
}

// outcome is what comes of a row.
type outcome struct {
	fate   fate
	status int // of the answer that the server gives by itself; 0: none
}

// fate is what becomes of the request, its connection, and the request behind it.
type fate string

const (
	fateServed  fate = "served"           // so is the one behind it
	fateLast    fate = "served, closed"   // the one behind it is not
	fateRefused fate = "refused, closed"  // no worker saw it whole, nor the one behind it at all
	fateSpared  fate = "answered, kept"   // by the server itself; the one behind it is served
	fateStrange fate = "none of the rest" // never what is wanted
)

var (
	served  = outcome{fateServed, 0}
	last    = outcome{fateLast, 0}
	dropped = outcome{fateRefused, 0} // without a word
)

// refused is the outcome of a request that is answered with an error, in the worker's
// stead, and costs the connection; spared keeps it. After untilBad, one is served, and
// what comes behind it is answered with an error.
func refused(status int) outcome  { return outcome{fateRefused, status} }
func spared(status int) outcome   { return outcome{fateSpared, status} }
func untilBad(status int) outcome { return outcome{fateLast, status} }

func (o outcome) String() string {
	if o.status == 0 {
		return string(o.fate)
	}
	return fmt.Sprintf("%s (%d)", o.fate, o.status)
}

// evil is what an attacker puts where one party sees a body and another one the next
// request. It is 0x2b, or 43 bytes long.
const evil = "GET /{id}/smuggled HTTP/1.1\r\nHost: test\r\n\r\n"

// behind is the request that follows a row.
const behind = "GET /{id}/behind HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"

// ahead is the request that comes before a row, when one does.
const ahead = "POST /{id}/ahead HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nahead"

// line returns a request without a body, from its first line.
func line(first string) string { return first + "\r\nHost: test\r\n\r\n" }

// get returns a request with more fields, each with its end of line.
func get(fields string) string { return "GET /{id} HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n" }

// post returns a request with fields and a body.
func post(fields, body string) string {
	return "POST /{id} HTTP/1.1\r\nHost: test\r\n" + fields + "\r\n" + body
}

// The fields that are mostly at stake.
const (
	length  = "Content-Length: 43\r\n" // of evil
	chunked = "Transfer-Encoding: chunked\r\n"
)

// The chunks that evil is sent in, and the last one.
const (
	evilChunk = "2b\r\n" + evil + "\r\n"
	lastChunk = "0\r\n\r\n"
)

// rows returns all of them.
func rows() []row {
	return slices.Concat(requestLines(), targets(), hosts(), fields(), transferEncodings(), contentLengths(),
		chunks(), trailers(), truncations(), expectations(), upgrades(), methods(), sizes())
}

// as returns the text with the name of a row in place of "{id}".
func as(id, text string) string { return strings.ReplaceAll(text, "{id}", id) }
