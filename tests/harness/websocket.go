package harness

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// WebSocket is the client's end of a WebSocket over HTTP/1.1. It says and returns frames
// as they are, so that a test decides what is in them.
type WebSocket struct {
	Protocol string      // that the server has chosen
	Header   http.Header // of the answer

	t      testing.TB
	conn   net.Conn
	in     io.Reader
	closed atomic.Bool // by one side
}

// fields are the header fields of a request, each with one value.
type fields = map[string]string

// OpenWebSocket opens a WebSocket and offers subprotocols. It returns nil, and the
// status, if it is refused. What takes longer than [Patience] fails the test.
func (s *Server) OpenWebSocket(t testing.TB, path string, header fields, protocols ...string) (*WebSocket, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	list := ws.HandshakeHeaderHTTP{}
	for name, value := range header {
		list[name] = []string{value}
	}
	answer := http.Header{}
	dialer := ws.Dialer{Protocols: protocols, Header: list, OnHeader: func(name, value []byte) error {
		answer.Add(string(name), string(value))
		return nil
	}}
	conn, early, handshake, err := dialer.Dial(ctx, "ws"+strings.TrimPrefix(s.URL, "http")+path)
	if status := ws.StatusError(0); errors.As(err, &status) {
		return nil, int(status)
	}
	Check(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	Check(t, conn.SetDeadline(time.Now().Add(2*Patience)))
	if early == nil {
		early = bufio.NewReader(conn)
	}
	return &WebSocket{Protocol: handshake.Protocol, Header: answer, t: t, conn: conn, in: early}, 101
}

// MustOpenWebSocket is OpenWebSocket that has to succeed.
func (s *Server) MustOpenWebSocket(t testing.TB, path string, header fields, protocols ...string) *WebSocket {
	t.Helper()
	socket, status := s.OpenWebSocket(t, path, header, protocols...)
	if socket == nil {
		t.Fatalf("%s: status %d", path, status)
	}
	return socket
}

// Say sends a frame.
func (w *WebSocket) Say(op ws.OpCode, final bool, payload []byte) {
	w.t.Helper()
	Check(w.t, w.TrySay(op, final, payload))
	if op == ws.OpClose {
		w.sideClosed()
	}
}

// TrySay is Say that may fail.
func (w *WebSocket) TrySay(op ws.OpCode, final bool, payload []byte) error {
	return ws.WriteFrame(w.conn, ws.MaskFrame(ws.NewFrame(op, final, payload)))
}

// Hear returns the next frame.
func (w *WebSocket) Hear() ws.Frame {
	w.t.Helper()
	f, err := ws.ReadFrame(w.in) //nolint:staticcheck // the server under test decides how long frames are
	if err != nil {
		w.t.Fatalf("frame: %v", err)
	}
	return f
}

// Message returns the next message, whatever its fragments.
func (w *WebSocket) Message() (ws.OpCode, []byte) {
	w.t.Helper()
	var op ws.OpCode
	var message []byte
	for first := true; ; first = false {
		f := w.Hear()
		if f.Header.OpCode.IsControl() || first == (f.Header.OpCode == ws.OpContinuation) {
			w.t.Fatalf("a frame of kind %d with %.100q, want a message", f.Header.OpCode, f.Payload)
		}
		if first {
			op = f.Header.OpCode
		}
		message = append(message, f.Payload...)
		if f.Header.Fin {
			return op, message
		}
	}
}

// Want takes the next message, which has to be this one.
func (w *WebSocket) Want(op ws.OpCode, message string) {
	w.t.Helper()
	if got, b := w.Message(); got != op || string(b) != message {
		w.t.Fatalf("a message of kind %d with %d bytes, %.100q, want kind %d with %d bytes, %.100q", got, len(b), b, op,
			len(message), message)
	}
}

// WantClose takes a Close with this code, 1005 for none, and returns its reason.
func (w *WebSocket) WantClose(code ws.StatusCode) string {
	w.t.Helper()
	f := w.Hear()
	got, reason := ws.StatusNoStatusRcvd, ""
	if len(f.Payload) >= 2 {
		got, reason = ws.StatusCode(binary.BigEndian.Uint16(f.Payload)), string(f.Payload[2:])
	}
	if f.Header.OpCode != ws.OpClose || got != code {
		w.t.Fatalf("a frame of kind %d with %.100q, want a Close with %d", f.Header.OpCode, f.Payload, code)
	}
	w.sideClosed()
	return reason
}

// Close sends a Close.
func (w *WebSocket) Close(code ws.StatusCode, reason string) {
	w.t.Helper()
	w.Say(ws.OpClose, true, ws.NewCloseFrameBody(code, reason))
}

// sideClosed leaves when both sides have closed: the server waits for that.
func (w *WebSocket) sideClosed() {
	if w.closed.Swap(true) {
		w.Leave()
	}
}

// Leave closes the connection without a Close.
func (w *WebSocket) Leave() { _ = w.conn.Close() }
