package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
	"golang.org/x/net/http2"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// testKey is a Sec-WebSocket-Key, and testAccept what answers it.
const (
	testKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	testAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 section 1.3
)

// peer is a client of a WebSocket that says what it is told to, frame for frame.
type peer struct {
	v      *visitor
	r      *bufio.Reader
	w      io.Writer
	leave  func() // without a Close
	header http.Header
}

// openWebSocket opens a WebSocket, or returns the response that refuses it.
func (v *visitor) openWebSocket(path string, fields ...string) (*peer, *http.Response) {
	v.Helper()
	r := v.request("GET", path, nil)
	r.Header.Set("Sec-Websocket-Version", "13")
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	switch v.major {
	case 2:
		return v.connectHTTP2(r)
	case 3:
		return v.connectHTTP3(r)
	}
	return v.upgrade(r)
}

// mustOpen is openWebSocket that has to succeed.
func (v *visitor) mustOpen(path string, fields ...string) *peer {
	v.Helper()
	p, response := v.openWebSocket(path, fields...)
	if p == nil {
		v.Fatalf("%s: %s", path, response.Status)
	}
	return p
}

// dialDoor connects to the door's port.
func (v *visitor) dialDoor(protocols ...string) net.Conn {
	v.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimPrefix(v.url, "https://"), "http://"))
	harness.Check(v, err)
	v.Cleanup(func() { _ = conn.Close() })
	harness.Check(v, conn.SetDeadline(time.Now().Add(2*harness.Patience)))
	if !v.secure {
		return conn
	}
	return tls.Client(conn, &tls.Config{RootCAs: v.safe.Roots, ServerName: "localhost", NextProtos: protocols})
}

func (v *visitor) upgrade(r *http.Request) (*peer, *http.Response) {
	v.Helper()
	conn := v.dialDoor()
	for name, value := range map[string]string{"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-Websocket-Key": testKey} {
		if r.Header[name] == nil {
			r.Header.Set(name, value)
		}
	}
	harness.Check(v, r.Write(conn))
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, r)
	harness.Check(v, err)
	if response.StatusCode != http.StatusSwitchingProtocols {
		return nil, response
	}
	if got := response.Header.Get("Sec-Websocket-Accept"); got != testAccept {
		v.Errorf("Sec-WebSocket-Accept: %q", got)
	}
	return &peer{v, reader, conn, func() { _ = conn.Close() }, response.Header}, nil
}

func (v *visitor) connectHTTP2(r *http.Request) (*peer, *http.Response) {
	v.Helper()
	body, upload := io.Pipe()
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(context.Context, string, string, *tls.Config) (net.Conn, error) {
			return v.dialDoor("h2"), nil
		},
	}
	v.Cleanup(transport.CloseIdleConnections)
	ctx, cancel := context.WithCancel(context.Background())
	v.Cleanup(cancel)
	r.Method, r.Body, r.ContentLength = http.MethodConnect, body, -1
	r.Header[":protocol"] = []string{"websocket"}
	response, err := transport.RoundTrip(r.WithContext(ctx))
	harness.Check(v, err)
	v.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK {
		return nil, response
	}
	leave := func() {
		cancel()
		_ = upload.CloseWithError(io.ErrUnexpectedEOF)
	}
	return &peer{v, bufio.NewReader(response.Body), upload, leave, response.Header}, nil
}

func (v *visitor) connectHTTP3(r *http.Request) (*peer, *http.Response) {
	v.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	v.Cleanup(cancel)
	conn, err := quic.DialAddr(ctx, r.URL.Host, &tls.Config{RootCAs: v.safe.Roots, NextProtos: []string{http3.NextProtoH3}}, &quic.Config{})
	harness.Check(v, err)
	v.Cleanup(func() { _ = conn.CloseWithError(0, "") })
	client := (&http3.Transport{}).NewClientConn(conn)
	select {
	case <-client.ReceivedSettings():
	case <-ctx.Done():
		v.Fatal("no settings")
	}
	stream, err := client.OpenRequestStream(ctx)
	harness.Check(v, err)
	r.Method, r.Proto = http.MethodConnect, "websocket"
	harness.Check(v, stream.SendRequestHeader(r))
	response, err := stream.ReadResponse()
	harness.Check(v, err)
	harness.Check(v, stream.SetDeadline(time.Now().Add(2*harness.Patience)))
	if response.StatusCode != http.StatusOK {
		return nil, response
	}
	leave := func() {
		stream.CancelRead(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
		stream.CancelWrite(quic.StreamErrorCode(http3.ErrCodeRequestCanceled))
	}
	return &peer{v, bufio.NewReader(stream), stream, leave, response.Header}, nil
}

// say sends a frame.
func (p *peer) say(op ws.OpCode, final bool, payload string) {
	p.v.Helper()
	p.sayFrame(ws.NewFrame(op, final, []byte(payload)))
}

func (p *peer) sayFrame(f ws.Frame) {
	p.v.Helper()
	harness.Check(p.v, p.trySay(f))
}

func (p *peer) trySay(f ws.Frame) error {
	return ws.WriteFrame(p.w, ws.MaskFrameInPlaceWith(f, [4]byte{1, 2, 3, 4}))
}

func (p *peer) text(message string) { p.say(ws.OpText, true, message) }

// close sends a Close.
func (p *peer) close(code ws.StatusCode) {
	p.v.Helper()
	p.say(ws.OpClose, true, string(ws.NewCloseFrameBody(code, "")))
}

// hear returns the next frame.
func (p *peer) hear() ws.Frame {
	p.v.Helper()
	f, err := ws.ReadFrame(p.r)
	if err != nil {
		p.v.Fatalf("frame: %v", err)
	}
	if f.Header.Masked {
		p.v.Errorf("a masked frame")
	}
	return f
}

// want takes the next frame, which has to be this one.
func (p *peer) want(op ws.OpCode, final bool, payload string) {
	p.v.Helper()
	if f := p.hear(); f.Header.OpCode != op || f.Header.Fin != final || string(f.Payload) != payload {
		p.v.Fatalf("a frame of kind %d (final: %v) with %.100q, want kind %d (%v) with %.100q", f.Header.OpCode, f.Header.Fin, f.Payload, op, final, payload)
	}
}

// message returns the next message, whatever its fragments.
func (p *peer) message() string {
	p.v.Helper()
	var message []byte
	for {
		f := p.hear()
		if f.Header.OpCode.IsControl() {
			p.v.Fatalf("a frame of kind %d with %q, want a message", f.Header.OpCode, f.Payload)
		}
		message = append(message, f.Payload...)
		if f.Header.Fin {
			return string(message)
		}
	}
}

// closeCode takes a Close, and returns its code; 0 is a Close without a code.
func (p *peer) closeCode() ws.StatusCode {
	p.v.Helper()
	f := p.hear()
	if f.Header.OpCode != ws.OpClose {
		p.v.Fatalf("a frame of kind %d with %.100q, want a Close", f.Header.OpCode, f.Payload)
	}
	if len(f.Payload) < 2 {
		return 0
	}
	return ws.StatusCode(binary.BigEndian.Uint16(f.Payload))
}

func (p *peer) wantClose(code ws.StatusCode) {
	p.v.Helper()
	if got := p.closeCode(); got != code {
		p.v.Fatalf("closed with %d, want %d", got, code)
	}
}

// wantOver takes the end of the connection, or of the stream.
func (p *peer) wantOver() {
	p.v.Helper()
	if b, err := p.r.ReadByte(); err == nil || isTimeout(err) {
		p.v.Fatalf("byte %d, %v: want the end", b, err)
	}
}

// refusal returns the status and the body of a refusal.
func refusal(v *visitor, response *http.Response) string {
	v.Helper()
	if response == nil {
		v.Fatal("the WebSocket was opened")
	}
	return fmt.Sprint(response.StatusCode, " ", string(harness.ReadAll(v, response.Body)))
}
