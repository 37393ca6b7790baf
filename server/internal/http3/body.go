package http3

import (
	"errors"
	"io"
	"net/http"
	"time"
)

// body reads the body of a request.
type body struct {
	inner io.ReadCloser
	left  int64          // bytes that the Content-Length promises; negative: it promises none
	ahead chan readAhead // nil: nothing has been read ahead
}

// readAhead is the result of one Read.
type readAhead struct {
	bytes []byte
	err   error
}

// Read returns io.ErrUnexpectedEOF for a body that is shorter than its length, or than its
// last frame.
func (b *body) Read(p []byte) (n int, err error) {
	if b.ahead != nil {
		n, err = b.takeAhead(p)
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

// Close leaves the rest of the body to package http3, which tells the client that nobody
// reads it when the response is complete: earlier, a client might take the response for
// broken.
func (b *body) Close() error { return nil }

// usuallyBodiless reports whether requests of a method mostly have no body. Over HTTP/3
// nothing says so before the end of the stream comes.
func usuallyBodiless(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodDelete, http.MethodOptions, http.MethodTrace:
		return true
	}
	return false
}

// endTime is how long the end of a request may take to come after its headers, mostly in
// the same packet, before the request is taken to have a body.
const endTime = 20 * time.Millisecond

// endsAtOnce reports whether the body is empty.
func (b *body) endsAtOnce() bool {
	b.ahead = make(chan readAhead, 1)
	go func() {
		space := make([]byte, 1)
		n, err := b.inner.Read(space)
		b.ahead <- readAhead{space[:n], err}
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

// takeAhead returns what was read ahead. Preconditions: p is not empty.
func (b *body) takeAhead(p []byte) (int, error) {
	read := <-b.ahead
	b.ahead = nil
	return copy(p, read.bytes), read.err
}
