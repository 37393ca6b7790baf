package worker

import (
	"bytes"
	"errors"
	"hash"
	"io"
	"net/http"
	"os"
	"sync"
)

// copyBuffer is private memory between a slot and a reader or writer that may block: the
// request may end meanwhile, and then the slot belongs to another one.
type copyBuffer [64 << 10]byte

var copyBuffers = sync.Pool{New: func() any { return new(copyBuffer) }}

// isLocal reports whether v reads or writes without waiting for another process: files,
// hashes, memory. The end of a request can wait for that.
func isLocal(v any) bool {
	switch v := v.(type) {
	case *os.File:
		info, err := v.Stat()
		return err == nil && info.Mode().IsRegular()
	case *io.LimitedReader:
		return isLocal(v.R)
	case hash.Hash, *bytes.Buffer, *bytes.Reader:
		return true
	}
	return v == io.Discard
}

// ReadFrom adds the bytes of src to the body. It reads files directly into slots.
func (w *responseWriter) ReadFrom(src io.Reader) (total int64, err error) {
	buffer := copyBuffers.Get().(*copyBuffer)
	defer copyBuffers.Put(buffer)
	direct := isLocal(src)
	for {
		if direct && w.bodyStarted() {
			n, err := w.readDirect(src)
			return total + n, err
		}
		room := buffer[:]
		if direct {
			room = room[:holdLimit+1] // enough to start the response
		}
		n, err := src.Read(room)
		if n > 0 {
			written, err := w.Write(room[:n])
			total += int64(written)
			if err != nil {
				return total, err
			}
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// bodyStarted reports whether the bytes of the body go directly into slots.
func (w *responseWriter) bodyStarted() bool {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	return w.committed && !w.head && bodyAllowed(w.status)
}

// readDirect is ReadFrom into slots.
func (w *responseWriter) readDirect(src io.Reader) (total int64, err error) {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	for {
		if err := w.start(0); err != nil {
			return total, err
		}
		space, err := w.request.reserve(w.ctx)
		if err != nil {
			w.err = err
			return total, err
		}
		n, err := src.Read(space)
		if n > 0 {
			if err := w.start(n); err != nil {
				return total, err
			}
			w.request.commit(n)
			_, _ = w.count(n)
			total += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// WriteTo writes the rest of the body to w, slot by slot. It writes to files, hashes and
// memory directly from shared memory.
func (b *requestBody) WriteTo(w io.Writer) (total int64, err error) {
	if isLocal(w) {
		return b.writeDirect(w)
	}
	buffer := copyBuffers.Get().(*copyBuffer)
	defer copyBuffers.Put(buffer)
	for {
		n, err := b.Read(buffer[:])
		if err != nil {
			return total, ignoreEOF(err)
		}
		written, err := w.Write(buffer[:n])
		total += int64(written)
		if err == nil && written < n {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
}

// writeDirect is WriteTo without a copy.
func (b *requestBody) writeDirect(w io.Writer) (total int64, err error) {
	for {
		n, err := b.writeSlot(w)
		total += int64(n)
		if err != nil {
			return total, ignoreEOF(err)
		}
	}
}

func (b *requestBody) writeSlot(w io.Writer) (n int, err error) {
	b.request.reading.Lock()
	defer b.request.reading.Unlock()
	if err := b.fill(); err != nil {
		return 0, err
	}
	all := len(b.rest)
	n, err = w.Write(b.rest)
	if err == nil && n < all {
		err = io.ErrShortWrite
	}
	if stale := b.consume(n); stale != nil {
		return n, stale
	}
	return n, err
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// errBodyClosed is returned by Read after Close, as in net/http.
var errBodyClosed = http.ErrBodyReadAfterClose
