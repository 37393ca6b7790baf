package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"unicode/utf8"

	"github.com/wavey-ai/upload-response/proto"
	"github.com/wavey-ai/upload-response/shm"
)

// MessageType is the type of a message of a WebSocket: Text or Binary.
type MessageType = Kind

// The types of message. Text is UTF-8: the server checks it.
const (
	Text   = shm.KindText
	Binary = shm.KindBinary
)

// Codes for the end of a WebSocket (RFC 6455 section 7.4.1).
const (
	CloseNormal    = 1000
	CloseGoingAway = 1001
	CloseNoCode    = 1005 // the peer gave none; never sent
	CloseTooBig    = 1009
)

// CloseError is returned when the client has closed the WebSocket.
type CloseError struct {
	Code   uint16
	Reason string
}

// Error includes the code and the reason.
func (e *CloseError) Error() string {
	return fmt.Sprintf("worker: WebSocket closed by the client: %d %q", e.Code, e.Reason)
}

// ErrMessageTooLarge is returned when a message is larger than the limit of SetReadLimit.
var ErrMessageTooLarge = errors.New("worker: message too large")

// defaultReadLimit is the read limit in bytes if nobody calls SetReadLimit.
const defaultReadLimit = 16 << 20

// WebSocket is an open WebSocket: a request whose slots are messages in both directions.
// One goroutine reads and one writes; the two may be the same. It ends with the request.
// When an http.Handler returns, it is closed with code 1000.
type WebSocket struct {
	request  *Request
	protocol string
	limit    int

	// The reading goroutine's.
	next uint64 // slot to read
	over error  // what Read returns from now on; nil: messages
}

// AsksForWebSocket reports whether the client asks for a WebSocket. A worker that does not
// accept it answers as it would answer a GET.
func (r *Request) AsksForWebSocket() bool {
	header, err := r.Header()
	return err == nil && (header.Scheme == "ws" || header.Scheme == "wss")
}

var errNoWebSocket = fmt.Errorf("%w: the client asks for no WebSocket", ErrResponse)

// AcceptWebSocket opens the WebSocket that the client asks for. The fields are sent with
// the response. They may have one Sec-WebSocket-Protocol that the client offers.
func (r *Request) AcceptWebSocket(ctx context.Context, fields []proto.Field) (*WebSocket, error) {
	if !r.AsksForWebSocket() {
		return nil, errNoWebSocket
	}
	r.writing.Lock()
	defer r.writing.Unlock()
	return r.acceptWebSocket(ctx, fields)
}

func (r *Request) acceptWebSocket(ctx context.Context, fields []proto.Field) (*WebSocket, error) {
	if err := r.respond(ctx, http.StatusSwitchingProtocols, fields); err != nil {
		return nil, err
	}
	r.websocket = true
	r.publish()
	s := &WebSocket{request: r, limit: defaultReadLimit, next: 2}
	for _, f := range fields {
		if http.CanonicalHeaderKey(f.Name) == "Sec-Websocket-Protocol" {
			s.protocol = f.Value
		}
	}
	return s, nil
}

// AcceptWebSocket opens the WebSocket that the client asks for, in an http.Handler that
// this package serves. Middleware may have wrapped w if the wrappers have Unwrap, as for
// http.ResponseController. The header of w is sent with the response.
func AcceptWebSocket(w http.ResponseWriter, r *http.Request) (*WebSocket, error) {
	own, ok := unwrap(w)
	if !ok {
		return nil, fmt.Errorf("%w: the request is not one of this package", ErrResponse)
	}
	return own.acceptWebSocket(r.Context())
}

// unwrap finds our own writer inside the wrappers of middleware.
func unwrap(w http.ResponseWriter) (*responseWriter, bool) {
	for {
		switch inner := w.(type) {
		case *responseWriter:
			return inner, true
		case interface{ Unwrap() http.ResponseWriter }:
			w = inner.Unwrap()
		default:
			return nil, false
		}
	}
}

func (w *responseWriter) acceptWebSocket(ctx context.Context) (*WebSocket, error) {
	if !w.request.AsksForWebSocket() {
		return nil, errNoWebSocket
	}
	w.request.writing.Lock()
	defer w.request.writing.Unlock()
	if w.status != 0 {
		return nil, fmt.Errorf("%w: the headers are written already", ErrResponse)
	}
	w.status = http.StatusSwitchingProtocols
	w.snapshotHeader()
	s, err := w.request.acceptWebSocket(ctx, w.fields)
	if err != nil {
		w.status = 0
		return nil, err
	}
	w.committed = true
	return s, nil
}

// Protocol returns the subprotocol that was accepted, or "".
func (s *WebSocket) Protocol() string { return s.protocol }

// SetReadLimit sets the most bytes that Read returns; the default is 16 MiB. The server has
// a limit as well. Preconditions: no Read is in progress.
func (s *WebSocket) SetReadLimit(n int) { s.limit = n }

// Read returns the next message. It returns a [*CloseError] when the client has closed the
// WebSocket, [ErrCancelled] when the client is gone or the server has given up the request,
// and [ErrMessageTooLarge].
func (s *WebSocket) Read(ctx context.Context) (MessageType, []byte, error) {
	var message []byte
	for {
		slot, err := s.ReadPart(ctx)
		if err != nil {
			return 0, nil, err
		}
		if len(message)+len(slot.Bytes) > s.limit {
			s.over = fmt.Errorf("%w: over %d bytes", ErrMessageTooLarge, s.limit)
			return 0, nil, s.over
		}
		message = append(message, slot.Bytes...)
		s.request.Release(slot.Number)
		if slot.Final {
			return slot.Kind, message, nil
		}
	}
}

// ReadPart returns the next slot of a message; the last one is Final. The bytes are a view
// of shared memory until [WebSocket.Release]. Errors are those of Read.
func (s *WebSocket) ReadPart(ctx context.Context) (Slot, error) {
	if s.over != nil {
		return Slot{}, s.over
	}
	slot, err := s.request.Tail(ctx, s.next)
	if err != nil {
		return Slot{}, err
	}
	s.next++
	if slot.Kind.Message() {
		return slot, nil
	}
	s.over = closeErrorOf(slot)
	s.request.clientClosed.Store(true)
	s.request.Release(slot.Number)
	return Slot{}, s.over
}

// Release gives the bytes of a part, and of those before it, back to the server.
func (s *WebSocket) Release(part Slot) { s.request.Release(part.Number) }

// closeErrorOf returns the error for a slot that ends the messages.
func closeErrorOf(slot Slot) error {
	if slot.Kind != shm.KindClose || len(slot.Bytes) < 2 {
		return &CloseError{Code: CloseNoCode}
	}
	return &CloseError{Code: binary.BigEndian.Uint16(slot.Bytes), Reason: string(slot.Bytes[2:])}
}

// Write sends a message. It waits while the client is slow.
func (s *WebSocket) Write(ctx context.Context, t MessageType, message []byte) error {
	return s.WritePart(ctx, t, message, true)
}

// WritePart sends a part of a message; final marks the last one. All parts of a message
// have the same type.
func (s *WebSocket) WritePart(ctx context.Context, t MessageType, p []byte, final bool) error {
	r := s.request
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.ended.Load() {
		return ErrEnded
	}
	if !t.Message() || r.part != 0 && r.part != t {
		return fmt.Errorf("%w: a message of type %v", ErrResponse, t)
	}
	for len(p) > r.link.SlotSize() {
		if err := r.writeSlot(ctx, p[:r.link.SlotSize()], t); err != nil {
			return err
		}
		r.part = t
		r.publish()
		p = p[r.link.SlotSize():]
	}
	if err := s.writeLast(ctx, t, p, final); err != nil {
		return err
	}
	switch {
	case final:
		r.part = 0
	case len(p) > 0:
		r.part = t
	}
	return r.flush()
}

func (s *WebSocket) writeLast(ctx context.Context, t MessageType, p []byte, final bool) error {
	switch {
	case final && len(p) == 0:
		if err := s.request.writable(); err != nil {
			return err
		}
		return s.request.waitForRoom(ctx, func() error { return s.request.lane.writer.CommitEmpty(t | shm.Final) })
	case final:
		return s.request.writeSlot(ctx, p, t|shm.Final)
	case len(p) > 0:
		return s.request.writeSlot(ctx, p, t)
	}
	return nil
}

// mayClose reports whether an endpoint may send a code, according to RFC 6455 section 7.4
// and its registry.
func mayClose(code uint16) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// longestReason is the most bytes that fit into a Close beside the code (RFC 6455 section 5.5).
const longestReason = 123

// Close closes the WebSocket and ends the request. RFC 6455 has to allow the code, and the
// reason has at most 123 bytes of UTF-8.
func (s *WebSocket) Close(code uint16, reason string) error {
	r := s.request
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.ended.Load() {
		return ErrEnded
	}
	if !mayClose(code) || len(reason) > longestReason || !utf8.ValidString(reason) {
		return fmt.Errorf("%w: close with %d and a reason of %d bytes", ErrResponse, code, len(reason))
	}
	if r.part != 0 {
		if r.clientClosed.Load() {
			return r.end(context.Background())
		}
		return fmt.Errorf("%w: a close within a message", ErrResponse)
	}
	payload := append(binary.BigEndian.AppendUint16(nil, code), reason...)
	ctx := context.Background() // a cancellation ends the wait
	if err := r.writeSlot(ctx, payload, shm.KindClose); err != nil {
		return err
	}
	return r.end(ctx)
}
