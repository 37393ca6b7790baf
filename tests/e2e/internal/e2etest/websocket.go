package e2etest

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
	"github.com/wavey-ai/upload-response/tests/rawclient"
)

// TestKey is a Sec-WebSocket-Key, and testAccept what answers it.
const (
	TestKey    = "dGhlIHNhbXBsZSBub25jZQ=="
	testAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" // RFC 6455 section 1.3
)

// Socket is a client of a WebSocket that says what it is told to, frame for frame.
type Socket struct {
	v      *Visitor
	In     *bufio.Reader
	Out    io.Writer
	Leave  func() // without a Close
	Header http.Header
}

// OpenWebSocket opens a WebSocket, or returns the response that refuses it.
func (v *Visitor) OpenWebSocket(path string, fields ...string) (*Socket, *http.Response) {
	v.Helper()
	r := v.Request("GET", path, nil)
	r.Header.Set("Sec-Websocket-Version", "13")
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ": ")
		r.Header.Add(name, value)
	}
	switch v.Major {
	case 2:
		return v.connectHTTP2(r)
	case 3:
		return v.connectHTTP3(r)
	}
	return v.upgrade(r)
}

// MustOpen is openWebSocket that has to succeed.
func (v *Visitor) MustOpen(path string, fields ...string) *Socket {
	v.Helper()
	p, response := v.OpenWebSocket(path, fields...)
	if p == nil {
		v.Fatalf("%s: %s", path, response.Status)
	}
	return p
}

// dialDoor connects to the door's port.
func (v *Visitor) dialDoor(protocols ...string) net.Conn {
	v.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimPrefix(v.url, "https://"), "http://"))
	harness.Check(v, err)
	v.Cleanup(func() { _ = conn.Close() })
	harness.Check(v, conn.SetDeadline(time.Now().Add(2*harness.Patience)))
	if !v.Secure {
		return conn
	}
	return tls.Client(conn, &tls.Config{RootCAs: v.TLS.Roots, ServerName: "localhost", NextProtos: protocols})
}

func (v *Visitor) upgrade(r *http.Request) (*Socket, *http.Response) {
	v.Helper()
	conn := v.dialDoor()
	for name, value := range map[string]string{
		"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket", "Sec-Websocket-Key": TestKey,
	} {
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
	return &Socket{v, reader, conn, func() { _ = conn.Close() }, response.Header}, nil
}

//nolint:staticcheck // net/http's own transport sends no :protocol
func (v *Visitor) connectHTTP2(r *http.Request) (*Socket, *http.Response) {
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
	return &Socket{v, bufio.NewReader(response.Body), upload, leave, response.Header}, nil
}

func (v *Visitor) connectHTTP3(r *http.Request) (*Socket, *http.Response) {
	v.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*harness.Patience)
	v.Cleanup(cancel)
	secure := &tls.Config{RootCAs: v.TLS.Roots, NextProtos: []string{http3.NextProtoH3}}
	conn, err := quic.DialAddr(ctx, r.URL.Host, secure, &quic.Config{})
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
	return &Socket{v, bufio.NewReader(stream), stream, leave, response.Header}, nil
}

// Say sends a frame.
func (p *Socket) Say(op ws.OpCode, final bool, payload string) {
	p.v.Helper()
	p.sayFrame(ws.NewFrame(op, final, []byte(payload)))
}

func (p *Socket) sayFrame(f ws.Frame) {
	p.v.Helper()
	harness.Check(p.v, p.TrySay(f))
}

// TrySay sends a frame, and returns why it cannot. It is one write: a stream may be over
// when the header of a Close has come.
func (p *Socket) TrySay(f ws.Frame) error {
	frame, err := ws.CompileFrame(ws.MaskFrameInPlaceWith(f, [4]byte{1, 2, 3, 4}))
	if err != nil {
		return err
	}
	_, err = p.Out.Write(frame)
	return err
}

// Text sends a message of text.
func (p *Socket) Text(message string) { p.Say(ws.OpText, true, message) }

// Close sends a Close.
func (p *Socket) Close(code ws.StatusCode) {
	p.v.Helper()
	p.Say(ws.OpClose, true, string(ws.NewCloseFrameBody(code, "")))
}

// Hear returns the next frame.
func (p *Socket) Hear() ws.Frame {
	p.v.Helper()
	f, err := ws.ReadFrame(p.In) //nolint:staticcheck // the server under test decides how long frames are
	if err != nil {
		p.v.Fatalf("frame: %v", err)
	}
	if f.Header.Masked {
		p.v.Errorf("a masked frame")
	}
	return f
}

// Want takes the next frame, which has to be this one.
func (p *Socket) Want(op ws.OpCode, final bool, payload string) {
	p.v.Helper()
	if f := p.Hear(); f.Header.OpCode != op || f.Header.Fin != final || string(f.Payload) != payload {
		p.v.Fatalf("a frame of kind %d (final: %v) with %.100q, want kind %d (%v) with %.100q",
			f.Header.OpCode, f.Header.Fin, f.Payload, op, final, payload)
	}
}

// Message returns the next message, whatever its fragments.
func (p *Socket) Message() string {
	p.v.Helper()
	var message []byte
	for {
		f := p.Hear()
		if f.Header.OpCode.IsControl() {
			p.v.Fatalf("a frame of kind %d with %q, want a message", f.Header.OpCode, f.Payload)
		}
		message = append(message, f.Payload...)
		if f.Header.Fin {
			return string(message)
		}
	}
}

// CloseCode takes a Close, and returns its code; 0 is a Close without a code.
func (p *Socket) CloseCode() ws.StatusCode {
	p.v.Helper()
	f := p.Hear()
	if f.Header.OpCode != ws.OpClose {
		p.v.Fatalf("a frame of kind %d with %.100q, want a Close", f.Header.OpCode, f.Payload)
	}
	if len(f.Payload) < 2 {
		return 0
	}
	return ws.StatusCode(binary.BigEndian.Uint16(f.Payload))
}

// WantClose takes a Close, which has to have this code.
func (p *Socket) WantClose(code ws.StatusCode) {
	p.v.Helper()
	if got := p.CloseCode(); got != code {
		p.v.Fatalf("closed with %d, want %d", got, code)
	}
}

// WantOver takes the end of the connection, or of the stream.
func (p *Socket) WantOver() {
	p.v.Helper()
	if b, err := p.In.ReadByte(); err == nil || rawclient.IsTimeout(err) {
		p.v.Fatalf("byte %d, %v: want the end", b, err)
	}
}

// Refusal returns the status and the body of a refusal.
func Refusal(v *Visitor, response *http.Response) string {
	v.Helper()
	if response == nil {
		v.Fatal("the WebSocket was opened")
	}
	return fmt.Sprint(response.StatusCode, " ", string(harness.ReadAll(v, response.Body)))
}
