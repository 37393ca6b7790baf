// Package compress compresses the bodies of responses that may be and that gain by it.
package compress

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// Compressors has the compressors of one router.
type Compressors struct {
	on    bool
	least int64 // bytes; less is not worth it

	encoders map[string]*sync.Pool // by coding, of encoder
	taken    atomic.Int64          // of them
}

// mostEncoders bounds the memory of responses that are compressed at the same time,
// about 1 MiB each. Those beyond it are sent as they are.
const mostEncoders = 128

// New returns the compressors of a router that compresses responses, if on, of no less
// than so many bytes.
func New(on bool, least int64) *Compressors {
	c := &Compressors{on: on, least: least, encoders: map[string]*sync.Pool{}}
	for coding, open := range newEncoder {
		c.encoders[coding] = &sync.Pool{New: func() any { return open() }}
	}
	return c
}

// Begin decides whether the response with these fields, which are not out yet, is
// compressed, and adapts them. It returns what its body has to go through, or nil.
// Release: [Compressor.Release].
func (c *Compressors) Begin(w http.ResponseWriter, r *http.Request, head *header.ResponseHead) *Compressor {
	fields := w.Header()
	if !c.on {
		return nil
	}
	if standsForWhole(fields, head, c.least) {
		vary(fields)
		if head.Status == http.StatusNotModified {
			retag(fields, r)
			delete(fields, "Content-Length") // the 200 may be compressed
		}
	}
	if !compressible(fields, head, c.least) {
		return nil
	}
	vary(fields)
	coding := codingFor(r)
	if coding == identity {
		return nil
	}
	if !head.BodyAllowed { // HEAD
		encodedAs(fields, coding)
		return nil
	}
	return c.open(w, coding)
}

// codingFor returns the coding that what may be compressed has in the response to a request.
func codingFor(r *http.Request) string {
	if forbidsTransforms(r.Header) || !r.ProtoAtLeast(1, 1) { // whose body would have no end that can be told
		return identity
	}
	return chooseCoding(r.Header["Accept-Encoding"])
}

// open returns a compressor, unless there are too many.
func (c *Compressors) open(w http.ResponseWriter, coding string) *Compressor {
	if c.taken.Add(1) > mostEncoders {
		c.taken.Add(-1)
		return nil
	}
	encodedAs(w.Header(), coding)
	e := c.encoders[coding].Get().(encoder)
	e.Reset(w)
	return &Compressor{all: c, coding: coding, encoder: e}
}
