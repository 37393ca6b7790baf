package worker

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"strconv"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// newHTTPRequest makes an http.Request of a request's headers, and releases the headers
// slot.
func newHTTPRequest(ctx context.Context, r *Request) (*http.Request, *requestBody, error) {
	header, err := r.Header()
	if err != nil {
		return nil, nil, err
	}
	r.Release(1)
	if r.run != nil {
		r.run.header.Store(header)
	}
	target, err := url.ParseRequestURI(header.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("worker: path: %w", err)
	}
	h := emptyRequest.WithContext(ctx)
	h.Method, h.URL, h.Host, h.RequestURI = header.Method, target, header.Authority, header.Path
	client, fields := header.Client()
	h.Header, h.RemoteAddr = headerOf(fields), cmp.Or(client, noAddress)
	h.Proto, h.ProtoMajor, h.ProtoMinor = protocol(header.Version)
	body := &requestBody{request: r, next: 2}
	h.ContentLength = contentLength(h.Header)
	if header.Scheme == "https" || header.Scheme == "wss" {
		h.TLS = tlsUnknown
	}
	if r.AsksForWebSocket() {
		h.Header["Connection"], h.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"} // as handlers know it
		h.ContentLength, h.Body = 0, http.NoBody
	} else if slot, err := r.TryTail(2); err == nil && slot.Kind == End {
		h.ContentLength, h.Body = 0, http.NoBody
	} else {
		h.Body = body
		if h.ContentLength < 0 && h.ProtoMajor == 1 {
			h.TransferEncoding = chunked
		}
	}
	if h.ContentLength < 0 {
		h.Trailer = make(http.Header) // shared by the copies that middleware makes, which find the trailers in it
	}
	body.http = h
	return h, body, nil
}

// tlsUnknown is the TLS state of requests whose clients used TLS. Only the server knows the
// details.
var tlsUnknown = &tls.ConnectionState{HandshakeComplete: true}

// chunked is the TransferEncoding of a body over HTTP/1.1 without an announced length, as
// under net/http.
var chunked = []string{"chunked"}

// emptyRequest is the origin of all requests: newHTTPRequest fills the copy that WithContext
// makes of it.
var emptyRequest http.Request

// headerOf makes an http.Header of fields, with one array for all values.
func headerOf(fields []proto.Field) http.Header {
	header, values := make(http.Header, len(fields)), make([]string, len(fields))
	for i, f := range fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		values[i] = f.Value
		if old := header[name]; old != nil {
			header[name] = append(old, f.Value)
			continue
		}
		header[name] = values[i : i+1 : i+1]
	}
	return header
}

// contentLength returns the announced length of the body, or -1.
func contentLength(header http.Header) int64 {
	values := header["Content-Length"]
	if len(values) == 0 {
		return -1
	}
	n, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil {
		return -1
	}
	return int64(n)
}

// noAddress is the RemoteAddr of a client that has no address, such as one that uses a Unix
// socket, as under net/http.
const noAddress = "@"

// protocol returns the version of HTTP that the client speaks, in the form of http.Request.
func protocol(v proto.Version) (name string, major, minor int) {
	switch v {
	case proto.HTTP2:
		return "HTTP/2.0", 2, 0
	case proto.HTTP3:
		return "HTTP/3.0", 3, 0
	}
	return "HTTP/1.1", 1, 1
}

// requestBody is the body of a request as a stream. Read copies out of shared memory. The
// request's reading lock guards all fields, so that a goroutine that outlives its handler
// reads no slot of another request.
type requestBody struct {
	request *Request
	http    *http.Request // the Trailer is set at the end
	next    uint64        // slot to read
	rest    []byte        // unread bytes of the slot before next
	err     error         // io.EOF after the end
}

// Read reads from the current slot, and waits for the next one when that is used up.
func (b *requestBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	b.request.reading.Lock()
	defer b.request.reading.Unlock()
	if err := b.fill(); err != nil {
		return 0, err
	}
	n := copy(p, b.rest)
	if err := b.consume(n); err != nil {
		return 0, err
	}
	return n, nil
}

// fill makes sure that rest is not empty, or returns the error for which it cannot. It
// unlocks while it waits. The caller of this and of the unexported methods below holds the
// reading lock.
func (b *requestBody) fill() error {
	r, waits := b.request, false
	defer func() {
		if waits {
			r.endWait()
		}
	}()
	for len(b.rest) == 0 || b.err != nil {
		if b.err != nil {
			return b.err
		}
		slot, err := r.tail(b.next)
		switch {
		case err == nil:
			b.setSlot(slot)
		case !errors.Is(err, ErrNothingYet):
			b.err = err
		case !waits: // and then look again
			r.beginWait()
			waits = true
		default:
			// a cancellation ends the wait
			if err := r.waitForNews(context.Background(), r.readDeadline()); err != nil {
				return err
			}
		}
	}
	select {
	case <-r.readDeadline():
		return os.ErrDeadlineExceeded
	default:
		return nil
	}
}

// setSlot takes the slot that was read: bytes of the body, trailers, or the end.
func (b *requestBody) setSlot(slot Slot) {
	b.next++
	switch slot.Kind {
	case shm.KindBody:
		b.rest = slot.Bytes
	case shm.KindTrailers:
		fields, _, err := proto.ParseFields(slot.Bytes, nil) // of a copy: the slot may change
		if stale := b.request.checkCurrent(); stale != nil {
			b.err = stale
			return
		}
		if err != nil {
			b.err = fmt.Errorf("worker: trailers: %w", err)
		}
		if b.http.Trailer == nil {
			b.http.Trailer = make(http.Header, len(fields))
		}
		maps.Copy(b.http.Trailer, headerOf(fields))
		b.request.release(slot.Number)
	case shm.KindEnd:
		b.err = io.EOF
		b.request.release(slot.Number)
	default:
		b.err = io.ErrUnexpectedEOF
	}
}

// consume drops n bytes that were read, and releases the slot when it is used up. It returns
// an error if the bytes may belong to another request.
func (b *requestBody) consume(n int) error {
	if err := b.request.checkCurrent(); err != nil {
		b.err, b.rest = err, nil
		return err
	}
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		b.request.release(b.next - 1)
	}
	return nil
}

// Close makes Read return an error, also a Read that waits. The server learns that nobody
// wants the rest when the handler returns.
func (b *requestBody) Close() error {
	b.request.reading.Lock()
	defer b.request.reading.Unlock()
	b.err, b.rest = errBodyClosed, nil
	if b.request.waiting > 0 {
		signal(b.request.more)
	}
	return nil
}
