package http1

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/fault"
)

// refusals gives what net/http answers by itself, to a message of HTTP/1 that never becomes
// a request, the form of our other answers: with a Date and an id, and a line in the log.
type refusals struct {
	handled int         // requests that the handler has had, of one connection
	serving atomic.Bool // the handler has one, or its response is not out
	ended   atomic.Int64
}

// begin notes that the handler has the next request.
func (f *refusals) begin() {
	f.handled++
	f.serving.Store(true)
}

// end notes that its response is out.
func (f *refusals) end() {
	f.ended.Add(1)
	f.serving.Store(false)
}

// rewrite returns what to write in place of net/http's answer. Preconditions: no request is
// being served; what comes in is HTTP/1.
func (f *refusals) rewrite(c *GuardedConn, answer []byte) []byte {
	status, err := strconv.Atoi(string(bytes.TrimSpace(answer[min(len(answer), len("HTTP/1.1 ")):min(len(answer), len("HTTP/1.1 400"))])))
	if err != nil {
		return answer // cannot be
	}
	if status == http.StatusRequestHeaderFieldsTooLarge && c.guard.inTarget() {
		status = http.StatusRequestURITooLong
	}
	m := Refusal{Status: status, Reason: refusalReason(status)}
	if c.guard.begun == f.handled+1 || c.guard.inTarget() { // what the guard saw last is what was refused
		m.Method, m.Path = c.guard.firstWords()
	}
	if client := c.info.Peer(); client != nil {
		m.Client = client.Address
	}
	body := fmt.Sprintf("%d %s: %s\n", status, http.StatusText(status), m.Reason)
	m.Sent = len(body)
	id := c.config.Refused(&m)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"Date: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		status, http.StatusText(status), dateNow(), id, len(body), body)
}

// Refusal is the answer to a message that never becomes a request.
type Refusal struct {
	Method, Path string // empty: not known
	Status       int
	Sent         int    // bytes of body
	Client       string // address; empty: it has none
	Reason       string
}

func refusalReason(status int) string {
	switch status {
	case http.StatusRequestURITooLong:
		return fault.ErrTargetTooLong.Error()
	case http.StatusRequestHeaderFieldsTooLarge:
		return fault.ErrHeadersTooLarge.Error()
	case http.StatusBadRequest:
		return fault.ErrBadRequest.Error()
	}
	return "refused"
}

// keptOfLine is how much of a message's first line is kept for the log.
const keptOfLine = 256

// inTarget reports whether the first line of a message has come as far as its target, and
// not further.
func (s *FramingGuard) inTarget() bool {
	return s.stage == stageStart && bytes.IndexByte(s.line[:min(len(s.line), keptOfLine)], ' ') > 0
}

// firstWords returns the method and the path of the message that was looked at last, as
// they stand there.
func (s *FramingGuard) firstWords() (method, path string) {
	line := s.first
	if s.inTarget() {
		line = s.line[:min(len(s.line), keptOfLine)]
	}
	words := strings.SplitN(strings.TrimRight(string(line), "\r\n"), " ", 3)
	if len(words) > 1 {
		path, _, _ = strings.Cut(words[1], "?")
	}
	return words[0], path
}
