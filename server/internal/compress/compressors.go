// Package compress compresses the bodies of responses that may be changed and that shrink.
package compress

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// Compressors makes the compressors of one router.
type Compressors struct {
	on      bool
	minimum int64 // bytes of a body that is worth it

	encoders map[string]*sync.Pool // by coding, of encoder
	taken    atomic.Int64          // of them
}

// maxEncoders bounds the memory of responses that are compressed at the same time, about
// 1 MiB each. Further responses are not compressed.
const maxEncoders = 128

// New returns the compressors of a router. If on is false, no response is compressed; nor is
// one that has less than minimum bytes and says so.
func New(on bool, minimum int64) *Compressors {
	c := &Compressors{on: on, minimum: minimum, encoders: map[string]*sync.Pool{}}
	for coding, open := range newEncoder {
		c.encoders[coding] = &sync.Pool{New: func() any { return open() }}
	}
	return c
}

// Begin decides whether a response is compressed, and adapts the fields, which are not out
// yet. It returns the compressor through which the body has to go, or nil. Release:
// [Compressor.Release].
func (c *Compressors) Begin(w http.ResponseWriter, r *http.Request, head *header.ResponseHead) *Compressor {
	if !c.on {
		return nil
	}
	return c.begin(w, r, head)
}

func (c *Compressors) begin(w http.ResponseWriter, r *http.Request, head *header.ResponseHead) *Compressor {
	fields := w.Header()
	if standsForWhole(fields, head, c.minimum) {
		vary(fields)
		if head.Status == http.StatusNotModified {
			retag(fields, r)
			delete(fields, "Content-Length") // the 200 may be compressed
		}
	}
	if !compressible(fields, head, c.minimum) {
		return nil
	}
	vary(fields)
	coding := codingFor(r)
	if coding == identity {
		return nil
	}
	if !head.BodyAllowed { // HEAD
		setCoding(fields, coding)
		return nil
	}
	return c.open(w, coding)
}

// codingFor returns the coding of a compressible response to a request. HTTP/1.0 could not
// tell the end of a body without a length.
func codingFor(r *http.Request) string {
	if forbidsTransforms(r.Header) || !r.ProtoAtLeast(1, 1) {
		return identity
	}
	return chooseCoding(r.Header["Accept-Encoding"])
}

// open returns a compressor, unless there are too many.
func (c *Compressors) open(w http.ResponseWriter, coding string) *Compressor {
	if c.taken.Add(1) > maxEncoders {
		c.taken.Add(-1)
		return nil
	}
	setCoding(w.Header(), coding)
	e := c.encoders[coding].Get().(encoder)
	e.Reset(w)
	return &Compressor{all: c, coding: coding, encoder: e}
}
