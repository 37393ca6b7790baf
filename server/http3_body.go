package server

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"time"
)

// http3Body reads the body of a request over HTTP/3.
type http3Body struct {
	inner io.ReadCloser
	left  int64       // bytes that the Content-Length promises; negative: it promises none
	ahead chan prefix // what has been read before anybody asked; nil: nothing
}

// prefix is the result of one Read.
type prefix struct {
	bytes []byte
	err   error
}

// Read returns io.ErrUnexpectedEOF for a body that is shorter than its length, or
// than its last frame.
func (b *http3Body) Read(p []byte) (n int, err error) {
	if b.ahead != nil {
		n, err = b.readAhead(p)
	} else {
		n, err = b.inner.Read(p)
	}
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if errors.Is(err, io.EOF) && (b.left > 0 || endsInFrame(b.inner)) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// endsInFrame reports whether the stream has ended in the middle of a DATA frame (RFC
// 9114 section 7.1), which package http3 reports as the end of the body, though it
// knows better.
func endsInFrame(body io.Reader) bool {
	v := reflect.Indirect(reflect.ValueOf(body))
	for _, name := range []string{"str", "bytesRemainingInFrame"} {
		if v.Kind() != reflect.Struct {
			return false
		}
		v = reflect.Indirect(v.FieldByName(name))
	}
	return v.Kind() == reflect.Uint64 && v.Uint() > 0
}

// Close leaves the rest of the body to package http3, which tells the client that
// nobody reads it when the response is complete: earlier, a client might take the
// response for broken.
func (b *http3Body) Close() error { return nil }

// usuallyBodiless reports whether requests of a method mostly have no body. Over
// HTTP/3 nothing says so before the end of the stream comes.
func usuallyBodiless(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// endTime is how long the end of a request may take to come after its headers,
// mostly in the same packet, before the request is taken to have a body.
const endTime = 20 * time.Millisecond

// endsAtOnce reports whether the body is empty.
func (b *http3Body) endsAtOnce() bool {
	b.ahead = make(chan prefix, 1)
	go func() {
		space := make([]byte, 1)
		n, err := b.inner.Read(space)
		b.ahead <- prefix{space[:n], err}
	}()
	timer := time.NewTimer(endTime)
	defer timer.Stop()
	select {
	case read := <-b.ahead:
		if len(read.bytes) == 0 && errors.Is(read.err, io.EOF) {
			return true
		}
		b.ahead <- read
	case <-timer.C:
	}
	return false
}

// readAhead returns what was read before. Preconditions: p is not empty.
func (b *http3Body) readAhead(p []byte) (int, error) {
	read := <-b.ahead
	b.ahead = nil
	return copy(p, read.bytes), read.err
}
