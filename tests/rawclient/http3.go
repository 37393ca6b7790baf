package rawclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// Types of streams and frames (RFC 9114 sections 6.2 and 7.2, RFC 9204 section 4.2).
const (
	StreamControl = 0
	StreamPush    = 1
	StreamEncoder = 2
	StreamDecoder = 3

	FrameData        = 0
	FrameHeaders     = 1
	FrameCancelPush  = 3
	FrameSettings    = 4
	FramePushPromise = 5
	FrameGoAway      = 7
	FrameMaxPushID   = 13
	FrameReserved    = 0x21 // of those that are there to be ignored
)

// HTTP3 is a client of HTTP/3 that says what it is told to, frame for frame.
type HTTP3 struct {
	t    testing.TB
	Conn *quic.Conn
}

// DialQUIC connects for HTTP/3, and sends nothing. The connection closes when the test ends.
func DialQUIC(t testing.TB, e *harness.Secure) *quic.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.Addr, &tls.Config{RootCAs: e.Roots, NextProtos: []string{http3.NextProtoH3}}, nil)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	return conn
}

// DialHTTP3 connects and opens a control stream with SETTINGS.
func DialHTTP3(t testing.TB, e *harness.Secure) *HTTP3 {
	t.Helper()
	conn := DialQUIC(t, e)
	control, err := conn.OpenUniStream()
	harness.Check(t, err)
	_, err = control.Write([]byte{StreamControl, FrameSettings, 0})
	harness.Check(t, err)
	return &HTTP3{t, conn}
}

// Frame returns a frame of HTTP/3.
func Frame(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

// Head encodes a request's headers, names and values in turn.
func Head(fields ...string) []byte {
	var b bytes.Buffer
	encoder := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into a buffer
	}
	return Frame(FrameHeaders, b.Bytes())
}

// Open opens a request's stream.
func (c *HTTP3) Open() *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	stream, err := c.Conn.OpenStreamSync(ctx)
	harness.Check(c.t, err)
	harness.Check(c.t, stream.SetDeadline(time.Now().Add(harness.Patience)))
	return stream
}

// Begin sends a request's headers on a stream of its own.
func (c *HTTP3) Begin(fields ...string) *quic.Stream {
	c.t.Helper()
	stream := c.Open()
	_, err := stream.Write(Head(fields...))
	harness.Check(c.t, err)
	return stream
}

// Outcome returns the status of the response, or why there is none.
func (c *HTTP3) Outcome(stream *quic.Stream) (status string, err error) {
	c.t.Helper()
	r := quicvarint.NewReader(stream)
	for status == "" || status == "100" {
		kind, err := quicvarint.Read(r)
		if err != nil {
			return "", c.reason(err)
		}
		size, err := quicvarint.Read(r)
		if err != nil {
			return "", c.reason(err)
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(stream, payload); err != nil {
			return "", c.reason(err)
		}
		if kind == FrameHeaders {
			first, err := qpack.NewDecoder().Decode(payload)()
			harness.Check(c.t, err)
			status = first.Value
		}
	}
	return status, nil
}

func (c *HTTP3) reason(err error) error {
	c.t.Helper()
	if IsTimeout(err) && c.Conn.Context().Err() == nil {
		c.t.Fatal("the server says nothing")
	}
	return err
}

// Trailers reads the response to its end, and returns what follows its body.
func (c *HTTP3) Trailers(stream *quic.Stream) http.Header {
	c.t.Helper()
	all, err := io.ReadAll(stream)
	harness.Check(c.t, err)
	trailers := http.Header{}
	for len(all) > 0 {
		kind, n, err := quicvarint.Parse(all)
		harness.Check(c.t, err)
		size, m, err := quicvarint.Parse(all[n:])
		harness.Check(c.t, err)
		payload := all[n+m : n+m+int(size)]
		all = all[n+m+int(size):]
		if kind != FrameHeaders || len(all) > 0 {
			continue
		}
		for next := qpack.NewDecoder().Decode(payload); ; {
			f, err := next()
			if err == io.EOF {
				break
			}
			harness.Check(c.t, err)
			trailers.Add(f.Name, f.Value)
		}
	}
	return trailers
}

// ReadStatus returns the status of a response, and why it broke off, if it did.
func ReadStatus(stream *quic.Stream) (status string, err error) {
	r := quicvarint.NewReader(stream)
	for {
		kind, err := quicvarint.Read(r)
		if errors.Is(err, io.EOF) {
			return status, nil
		}
		if err != nil {
			return status, err
		}
		size, err := quicvarint.Read(r)
		if err != nil {
			return status, err
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(stream, payload); err != nil {
			return status, err
		}
		if kind == FrameHeaders && status == "" {
			field, err := qpack.NewDecoder().Decode(payload)()
			if err != nil {
				return status, err
			}
			status = field.Value
		}
	}
}
