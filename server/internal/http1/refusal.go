package http1

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// Refusal is a message that never becomes a request.
type Refusal struct {
	Method, Path string   // empty: not known
	Accept       []string // fields of this name, as far as they have come
	Status       int
	Client       string // address; empty: it has none
	Reason       string
}

// RefusalAnswer is what the client is told of a [Refusal].
type RefusalAnswer struct {
	RequestID, ContentType string
	Body                   []byte
	Varies                 bool // it depends on the Accept fields
}

// Answer counts and logs the refusal, and returns the response to it, after which the
// connection ends.
func (m *Refusal) Answer(c *Config) []byte {
	a, vary := c.Refused(m), ""
	if a.Varies {
		vary = "Vary: Accept\r\n"
	}
	head := fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nX-Content-Type-Options: nosniff\r\n%s"+
		"Date: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
		m.Status, http.StatusText(m.Status), a.ContentType, vary, dateNow(), a.RequestID, len(a.Body))
	return append(head, a.Body...)
}

// refusals gives the answers of net/http to messages that never become requests the form of
// our other answers: with a Date and an id, and a line in the log.
type refusals struct {
	handled int         // requests of the connection that the handler has had
	serving atomic.Bool // the handler has one, or not all of its response is out
	ended   atomic.Int64
}

// begin notes that the handler has the next request.
func (f *refusals) begin() {
	f.handled++
	f.serving.Store(true)
}

// end notes that the response to it is out.
func (f *refusals) end() {
	f.ended.Add(1)
	f.serving.Store(false)
}

// rewrite returns what to write in place of an answer of net/http. Preconditions: no request
// is being served; what comes in is HTTP/1.
func (f *refusals) rewrite(c *GuardedConn, answer []byte) []byte {
	status, ok := statusOf(answer)
	if !ok {
		return answer // cannot be
	}
	if status == http.StatusRequestHeaderFieldsTooLarge && c.guard.inTarget() {
		status = http.StatusRequestURITooLong
	}
	m := Refusal{Status: status, Reason: reasonOf(status)}
	if c.guard.begun == f.handled+1 || c.guard.inTarget() { // the guard has seen nothing after the refused message
		m.Method, m.Path = c.guard.requestLine()
		m.Accept = c.guard.acceptFields()
	}
	if client := c.info.Peer(); client != nil {
		m.Client = client.Address
	}
	return m.Answer(c.config)
}

// statusOf returns the status of a response that begins with its status line.
func statusOf(response []byte) (status int, ok bool) {
	const before, length = "HTTP/1.1 ", 3
	if len(response) < len(before)+length {
		return 0, false
	}
	status, err := strconv.Atoi(string(bytes.TrimSpace(response[len(before) : len(before)+length])))
	return status, err == nil
}

func reasonOf(status int) string {
	switch status {
	case http.StatusRequestURITooLong:
		return fault.ErrTargetTooLong.Error()
	case http.StatusRequestHeaderFieldsTooLarge:
		return fault.ErrHeadersTooLarge.Error()
	case http.StatusBadRequest:
		return fault.ErrBadRequest.Error()
	case http.StatusNotImplemented:
		return "transfer coding not supported"
	case http.StatusHTTPVersionNotSupported:
		return "HTTP version not supported"
	case http.StatusExpectationFailed:
		return "expectation not supported"
	}
	return "refused"
}
