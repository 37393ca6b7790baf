package e2e_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"github.com/quic-go/quic-go/quicvarint"

	"github.com/wavey-ai/upload-response/server"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// rawHTTP3 is a client of HTTP/3 that says what it is told to, frame for frame.
type rawHTTP3 struct {
	t    testing.TB
	conn *quic.Conn
}

func dialHTTP3(t testing.TB, e *harness.Secure) *rawHTTP3 {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, e.Addr, &tls.Config{RootCAs: e.Roots, NextProtos: []string{http3.NextProtoH3}}, nil)
	harness.Check(t, err)
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	control, err := conn.OpenUniStream()
	harness.Check(t, err)
	_, err = control.Write([]byte{0, 4, 0}) // a control stream, and SETTINGS without any
	harness.Check(t, err)
	return &rawHTTP3{t, conn}
}

// frame returns a frame of HTTP/3.
func frame(kind uint64, payload []byte) []byte {
	return append(quicvarint.Append(quicvarint.Append(nil, kind), uint64(len(payload))), payload...)
}

// open opens a request's stream.
func (c *rawHTTP3) open() *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	stream, err := c.conn.OpenStreamSync(ctx)
	harness.Check(c.t, err)
	harness.Check(c.t, stream.SetDeadline(time.Now().Add(harness.Patience)))
	return stream
}

// head encodes a request's headers, names and values in turn.
func head(fields ...string) []byte {
	var b bytes.Buffer
	encoder := qpack.NewEncoder(&b)
	for i := 0; i < len(fields); i += 2 {
		_ = encoder.WriteField(qpack.HeaderField{Name: fields[i], Value: fields[i+1]}) // into a buffer
	}
	return frame(1, b.Bytes())
}

// begin sends a request's headers on a stream of its own.
func (c *rawHTTP3) begin(fields ...string) *quic.Stream {
	c.t.Helper()
	stream := c.open()
	_, err := stream.Write(head(fields...))
	harness.Check(c.t, err)
	return stream
}

// outcome returns the status of the response, or why there is none.
func (c *rawHTTP3) outcome(stream *quic.Stream) (status string, err error) {
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
		if kind == 1 {
			first, err := qpack.NewDecoder().Decode(payload)()
			harness.Check(c.t, err)
			status = first.Value
		}
	}
	return status, nil
}

func (c *rawHTTP3) reason(err error) error {
	c.t.Helper()
	if isTimeout(err) && c.conn.Context().Err() == nil {
		c.t.Fatal("the server says nothing")
	}
	return err
}

func TestRequestsOfHTTP3ThatBreakItsRulesReachNoWorker(t *testing.T) {
	s, worker := startBoth(t, nil)
	secure := s.Secure(t)
	for name, fields := range map[string][]string{
		"another Host":         target("GET", "/bad", "host", "other"),
		"two Hosts":            target("GET", "/bad", "host", "test", "host", "test"),
		"no authority":         {":method", "GET", ":scheme", "https", ":path", "/bad", "host", "test"},
		"a space in authority": {":method", "GET", ":scheme", "https", ":authority", "a b", ":path", "/bad"},
		"a path in authority":  {":method", "GET", ":scheme", "https", ":authority", "a/b", ":path", "/bad"},
		"a user in authority":  {":method", "GET", ":scheme", "https", ":authority", "me@a", ":path", "/bad"},
		"two authorities":      {":method", "GET", ":scheme", "https", ":authority", "a", ":authority", "b", ":path", "/bad"},
		"no path":              {":method", "GET", ":scheme", "https", ":authority", "test"},
		"a path without slash": target("GET", "bad"),
		"an absolute path":     target("GET", "http://other/bad"),
		"a star":               target("GET", "*"),
		"Connection":           target("GET", "/bad", "connection", "x-listed"),
		"Transfer-Encoding":    target("POST", "/bad", "transfer-encoding", "chunked"),
		"Upgrade":              target("GET", "/bad", "upgrade", "websocket"),
		"TE":                   target("GET", "/bad", "te", "gzip"),
		"upper case":           target("GET", "/bad", "X-Upper", "1"),
		"a space in a name":    target("GET", "/bad", "x y", "1"),
		"a space in a method":  target("GET /x", "/bad"),
		"a line in a value":    target("GET", "/bad", "x", "1\r\ny: 2"),
		"a late pseudo-field":  append(target("GET", "/bad", "x", "1"), ":path", "/other"),
		"a length of minus 1":  target("POST", "/bad", "content-length", "-1"),
		"two lengths":          target("POST", "/bad", "content-length", "5", "content-length", "6"),
	} {
		t.Run(name, func(t *testing.T) {
			c := dialHTTP3(t, secure)
			stream := c.begin(fields...)
			_ = stream.Close()
			if status, err := c.outcome(stream); err == nil && status != "400" {
				t.Errorf("status %s, want 400, a reset, or the end", status)
			}
		})
	}
	if got := worker.requests(t, s, ""); len(got) != 1 { // the sentinel
		t.Errorf("the worker saw %q", got)
	}
}

func TestAnUploadOverHTTP3OfAnotherLengthThanItSaysNeverLooksComplete(t *testing.T) {
	s, worker := startBoth(t, nil)
	secure := s.Secure(t)
	for id, body := range map[string]string{"short": "12345", "long": strings.Repeat("x", 1001), "none": ""} {
		c := dialHTTP3(t, secure)
		stream := c.begin(target("POST", "/upload?id="+id, "content-length", "1000")...)
		worker.awaitSaid(t, ">> POST /upload?id="+id)
		if body != "" {
			_, err := stream.Write(frame(0, []byte(body)))
			harness.Check(t, err)
		}
		_ = stream.Close()
		if status, _ := c.outcome(stream); status == "200" {
			t.Errorf("%s: status 200", id)
		}
		worker.awaitSaid(t, "upload "+id+": ")
		if strings.Contains(worker.Output(), "bytes, <nil>") {
			t.Errorf("%s: the worker took it for complete", id)
		}
	}
}

// The stream ends in the middle of a frame, and no Content-Length tells.
func TestAnUploadOverHTTP3WithATornFrameNeverLooksComplete(t *testing.T) {
	s, worker := startBoth(t, nil)
	c := dialHTTP3(t, s.Secure(t))
	stream := c.begin(target("POST", "/upload?id=torn")...)
	worker.awaitSaid(t, ">> POST /upload?id=torn")
	_, err := stream.Write(frame(0, []byte("12345"))[:5])
	harness.Check(t, err)
	_ = stream.Close()
	if status, _ := c.outcome(stream); status == "200" {
		t.Error("status 200")
	}
	worker.awaitSaid(t, "upload torn: 3 bytes, worker: request cancelled: client gone")
}

func TestAClientOfHTTP3ThatResetsRequestsRapidlyLosesItsConnectionAndHarmsNobody(t *testing.T) {
	s, worker := startBoth(t, nil)
	secure := s.Secure(t)
	c := dialHTTP3(t, secure)
	other := dial(t, s.Addr)
	sent := 0
	for ; sent < 20000 && c.conn.Context().Err() == nil; sent++ {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
		stream, err := c.conn.OpenStreamSync(ctx)
		cancel()
		if err != nil {
			break
		}
		_, _ = stream.Write(head(target("GET", "/wait?id=rapid")...))
		_ = stream.Close() // and not a reset, which would take the headers back
		stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
	harness.Eventually(t, "the connection to close", func() bool { return c.conn.Context().Err() != nil })
	var closed *quic.ApplicationError
	if cause := context.Cause(c.conn.Context()); !errors.As(cause, &closed) || closed.ErrorCode != quic.ApplicationErrorCode(http3.ErrCodeExcessiveLoad) {
		t.Errorf("after %d requests: %v", sent, cause)
	}
	other.wantOpen()
	s.AwaitRest(t)
	if seen := strings.Count(worker.Output(), "waiting rapid"); seen > 2000 {
		t.Errorf("the worker saw %d of the requests", seen)
	}
}

func TestAConnectionOfHTTP3WithoutARequestIsClosed(t *testing.T) {
	limits := server.DefaultLimits()
	limits.HeaderTime = 200 * time.Millisecond
	s := harness.StartLimited(t, limits, nil)
	startApp(t, s)
	c := dialHTTP3(t, s.Secure(t))
	stream := c.open()
	_, err := stream.Write([]byte{1}) // of the headers, and no more
	harness.Check(t, err)
	harness.Eventually(t, "the connection to close", func() bool { return c.conn.Context().Err() != nil })
	wantStatus(t, get(t, s, "/after"), 200)
}
