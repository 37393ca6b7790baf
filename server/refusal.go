package server

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
)

// refusals gives what net/http answers by itself, to a message of HTTP/1 that never becomes
// a request, the form of our other answers: with a Date and an id, and a line in the log.
type refusals struct {
	router  *UploadResponseRouter
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
func (f *refusals) rewrite(c *screenedConn, answer []byte) []byte {
	status, err := strconv.Atoi(string(bytes.TrimSpace(answer[min(len(answer), len("HTTP/1.1 ")):min(len(answer), len("HTTP/1.1 400"))])))
	if err != nil {
		return answer // cannot be
	}
	if status == http.StatusRequestHeaderFieldsTooLarge && c.screen.inTarget() {
		status = http.StatusRequestURITooLong
	}
	o := origin{id: newRequestID()}
	if peer, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		o.client = peer.Addr().Unmap().String()
	}
	body := fmt.Sprintf("%d %s: %s\n", status, http.StatusText(status), refusalReason(status))
	f.count(c, &o, status, len(body))
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"+
		"Date: %s\r\nX-Request-Id: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, http.StatusText(status), dateNow(), o.id, len(body), body)
}

// count counts and logs a refused message as an exchange that has failed.
func (f *refusals) count(c *screenedConn, o *origin, status, sent int) {
	f.router.counters.Exchanges.Add(1)
	f.router.counters.Failed.Add(1)
	log := f.router.config.AccessLog
	if log == nil {
		return
	}
	var method, path string
	if c.screen.begun == f.handled+1 || c.screen.inTarget() { // what was screened last is what was refused
		method, path = c.screen.firstWords()
	}
	log.LogAttrs(context.Background(), slog.LevelInfo, "exchange",
		slog.String("method", method), slog.String("path", path), slog.Int("status", status),
		slog.Int64("received", 0), slog.Int64("sent", int64(sent)), slog.Float64("duration_s", 0),
		slog.String("client", o.client), slog.Uint64("stream", 0), slog.String("worker", ""),
		slog.String("protocol", "HTTP/1"), slog.String("id", o.id), slog.String("error", refusalReason(status)))
}

func refusalReason(status int) string {
	switch status {
	case http.StatusRequestURITooLong:
		return ErrTargetTooLong.Error()
	case http.StatusRequestHeaderFieldsTooLarge:
		return ErrHeadersTooLarge.Error()
	case http.StatusBadRequest:
		return ErrBadRequest.Error()
	}
	return "refused"
}

// keptOfLine is how much of a message's first line is kept for the log.
const keptOfLine = 256

// inTarget reports whether the first line of a message has come as far as its target, and
// not further.
func (s *screen) inTarget() bool {
	return s.stage == stageStart && bytes.IndexByte(s.line[:min(len(s.line), keptOfLine)], ' ') > 0
}

// firstWords returns the method and the path of the message that was looked at last, as
// they stand there.
func (s *screen) firstWords() (method, path string) {
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
