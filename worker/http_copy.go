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

// copyBuffer is what goes through memory of our own on its way between a slot and a reader
// or writer that may take its time: the request may end meanwhile, and then the slot is
// another one's.
type copyBuffer [64 << 10]byte

var copyBuffers = sync.Pool{New: func() any { return new(copyBuffer) }}

// prompt reports whether v takes or gives bytes without waiting for anybody else, so that
// the end of a request can wait for it: files, hashes, memory.
func prompt(v any) bool {
	switch v := v.(type) {
	case *os.File:
		info, err := v.Stat()
		return err == nil && info.Mode().IsRegular()
	case *io.LimitedReader:
		return prompt(v.R)
	case hash.Hash, *bytes.Buffer, *bytes.Reader:
		return true
	}
	return v == io.Discard
}

// ReadFrom adds what comes from src to the body. Files are read straight into slots.
func (w *responseWriter) ReadFrom(src io.Reader) (total int64, err error) {
	buffer := copyBuffers.Get().(*copyBuffer)
	defer copyBuffers.Put(buffer)
	direct := prompt(src)
	for {
		if direct && w.begun() {
			n, err := w.readPrompt(src)
			return total + n, err
		}
		room := buffer[:]
		if direct {
			room = room[:smallBody+1] // what it takes to begin the response
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

// begun reports whether a body goes straight into slots.
func (w *responseWriter) begun() bool {
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	return w.committed && !w.head && bodyAllowed(w.status)
}

// readPrompt is ReadFrom into slots.
func (w *responseWriter) readPrompt(src io.Reader) (total int64, err error) {
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
			_, _ = w.took(n)
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

// WriteTo writes the rest of the body to w, slot by slot: to files, hashes and memory
// straight from shared memory.
func (b *requestBody) WriteTo(w io.Writer) (total int64, err error) {
	if prompt(w) {
		return b.writePrompt(w)
	}
	buffer := copyBuffers.Get().(*copyBuffer)
	defer copyBuffers.Put(buffer)
	for {
		n, err := b.Read(buffer[:])
		if err != nil {
			return total, notEOF(err)
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

// writePrompt is WriteTo without a copy.
func (b *requestBody) writePrompt(w io.Writer) (total int64, err error) {
	for {
		n, err := b.writeSlot(w)
		total += int64(n)
		if err != nil {
			return total, notEOF(err)
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
	if lost := b.took(n); lost != nil {
		return n, lost
	}
	return n, err
}

func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// errBodyClosed is returned by Read after Close, as in net/http.
var errBodyClosed = http.ErrBodyReadAfterClose
