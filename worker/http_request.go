package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// newHTTPRequest makes an http.Request of a request's headers, and releases their
// slot.
func newHTTPRequest(ctx context.Context, r *Request) (*http.Request, *requestBody, error) {
	header, err := r.Header()
	if err != nil {
		return nil, nil, err
	}
	r.Release(1)
	target, err := url.ParseRequestURI(header.Path)
	if err != nil {
		return nil, nil, fmt.Errorf("worker: path: %w", err)
	}
	h := noRequest.WithContext(ctx)
	h.Method, h.URL, h.Host, h.RequestURI = header.Method, target, header.Authority, header.Path
	client, fields := header.Client()
	h.Header, h.RemoteAddr = httpHeader(fields), cmp.Or(client, unnamed)
	h.Proto, h.ProtoMajor, h.ProtoMinor = protocol(header.Version)
	body := &requestBody{request: r, next: 2}
	h.ContentLength = contentLength(h.Header)
	if r.AsksForWebSocket() {
		h.Header["Connection"], h.Header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"} // as handlers know it
		h.ContentLength, h.Body = 0, http.NoBody
	} else if slot, err := r.TryTail(2); err == nil && slot.Kind == End {
		h.ContentLength, h.Body = 0, http.NoBody
	} else {
		h.Body = body
	}
	if h.ContentLength < 0 {
		h.Trailer = make(http.Header) // shared by the copies that middleware makes, which find the trailers in it
	}
	body.http = h
	return h, body, nil
}

// noRequest is what newHTTPRequest starts from: WithContext makes the copy that
// the request then is.
var noRequest http.Request

// httpHeader makes an http.Header of fields, with one array for all the values.
func httpHeader(fields []proto.Field) http.Header {
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

// unnamed is what net/http has for the address of a client without one, such as that of
// a Unix socket.
const unnamed = "@"

// protocol returns what the client spoke, in the form of http.Request.
func protocol(v proto.Version) (name string, major, minor int) {
	switch v {
	case proto.HTTP2:
		return "HTTP/2.0", 2, 0
	case proto.HTTP3:
		return "HTTP/3.0", 3, 0
	}
	return "HTTP/1.1", 1, 1
}

// requestBody is the body of a request as a stream. Read copies out of shared
// memory; WriteTo, which io.Copy prefers, hands the writer views of it.
type requestBody struct {
	request *Request
	http    *http.Request // its Trailer is set at the end
	next    uint64        // slot to read
	rest    []byte        // unread bytes of the slot before it
	err     error         // io.EOF after the end
}

// Read reads from the present slot, waiting for the next one when it is used up.
func (b *requestBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if err := b.fill(); err != nil {
		return 0, err
	}
	n := copy(p, b.rest)
	b.consume(n)
	return n, nil
}

// WriteTo writes the rest of the body to w, slot by slot.
func (b *requestBody) WriteTo(w io.Writer) (total int64, err error) {
	for {
		if err := b.fill(); errors.Is(err, io.EOF) {
			return total, nil
		} else if err != nil {
			return total, err
		}
		n, err := w.Write(b.rest)
		total += int64(n)
		if err == nil && n < len(b.rest) {
			err = io.ErrShortWrite
		}
		if err != nil {
			b.consume(n)
			return total, err
		}
		b.consume(n)
	}
}

// fill makes rest non-empty, or returns why that cannot be.
func (b *requestBody) fill() error {
	for len(b.rest) == 0 {
		if b.err != nil {
			return b.err
		}
		slot, err := b.request.Tail(context.Background(), b.next) // a cancellation ends the wait
		if err != nil {
			b.err = err
			return err
		}
		b.take(slot)
	}
	return nil
}

func (b *requestBody) take(slot Slot) {
	b.next++
	switch slot.Kind {
	case shm.KindBody:
		b.rest = slot.Bytes
	case shm.KindTrailers:
		fields, _, err := proto.ParseFields(slot.Bytes, nil)
		if err != nil {
			b.err = fmt.Errorf("worker: trailers: %w", err)
		}
		if b.http.Trailer == nil {
			b.http.Trailer = make(http.Header, len(fields))
		}
		maps.Copy(b.http.Trailer, httpHeader(fields))
		b.request.Release(slot.Number)
	case shm.KindEnd:
		b.err = io.EOF
		b.request.Release(slot.Number)
	default:
		b.err = io.ErrUnexpectedEOF
	}
}

// consume moves on by n bytes, and releases the slot when it is used up.
func (b *requestBody) consume(n int) {
	b.rest = b.rest[n:]
	if len(b.rest) == 0 {
		b.request.Release(b.next - 1)
	}
}

// errBodyClosed is returned by Read after Close, as in net/http.
var errBodyClosed = http.ErrBodyReadAfterClose

// Close ends the reading. The server learns that the rest is not wanted when the
// handler returns.
func (b *requestBody) Close() error {
	if b.err == nil {
		b.err, b.rest = errBodyClosed, nil
	}
	return nil
}
