package compress

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// encoder is the common interface of the encoders of all codings.
type encoder interface {
	io.WriteCloser
	Flush() error
	Reset(io.Writer)
}

// windowSize is how far back an encoder of zstd looks; most of its memory is that window.
const windowSize = 128 << 10

// newEncoder makes an encoder of each coding. The fast levels: a response is
// compressed while it comes, and its client waits for it.
var newEncoder = map[string]func() encoder{
	"gzip": func() encoder {
		e, err := gzip.NewWriterLevel(io.Discard, gzip.BestSpeed)
		if err != nil {
			panic(err) // of the level
		}
		return e
	},
	"zstd": func() encoder {
		e, err := zstd.NewWriter(io.Discard, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(windowSize),
			zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
		if err != nil {
			panic(err) // of the options
		}
		return e
	},
}

// Compressor compresses the body of one response. A nil one has nothing to flush, to
// finish, or to release.
type Compressor struct {
	all     *Compressors
	coding  string
	encoder encoder // nil: given back
	held    bool    // it may hold bytes back
}

// Write compresses p, which it does not keep.
func (c *Compressor) Write(p []byte) (int, error) {
	c.held = true
	return c.encoder.Write(p)
}

// Flush writes what is held back, so that the client can decode everything up to here.
func (c *Compressor) Flush() error {
	if c == nil || !c.held {
		return nil
	}
	c.held = false
	return c.encoder.Flush()
}

// Finish writes the end of the body.
func (c *Compressor) Finish() error {
	if c == nil {
		return nil
	}
	c.held = false
	return c.encoder.Close()
}

// Release gives the encoder back.
func (c *Compressor) Release() {
	if c != nil && c.encoder != nil {
		c.release()
	}
}

func (c *Compressor) release() {
	c.encoder.Reset(io.Discard) // keeps nothing of the response
	c.all.encoders[c.coding].Put(c.encoder)
	c.encoder = nil
	c.all.taken.Add(-1)
}
