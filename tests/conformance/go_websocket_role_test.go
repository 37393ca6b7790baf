package conformance_test

import (
	"context"
	"fmt"

	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/worker"
)

// errNoSocket is what the Go SDK lets nobody do: to send where no WebSocket is open.
var errNoSocket = fmt.Errorf("%w: no WebSocket", worker.ErrResponse)

func (t *task) accept() (err error) {
	socket, err := t.AcceptWebSocket(context.Background(), t.gathered())
	if err == nil {
		t.socket = socket
	}
	return err
}

// message sends a message of the pattern, or a part of one, in pieces.
func (t *task) message(kind string, size, piece int, final bool) error {
	if t.socket == nil {
		return errNoSocket
	}
	messages, bytes := worker.Binary, pattern
	if kind == "text" {
		messages, bytes = worker.Text, textPattern
	}
	for first := true; first || size > 0; first = false {
		at := t.offset % patternPeriod
		p := bytes[at : at+min(size, piece, len(bytes)-at)]
		size -= len(p)
		if err := t.socket.WritePart(context.Background(), messages, p, final && size == 0); err != nil {
			return err
		}
		t.offset += len(p)
	}
	return nil
}

// talk sends what it reads, up to the client's close.
func (t *task) talk() error {
	for {
		slot, err := t.take()
		if err != nil || !slot.Kind.Message() {
			return err
		}
		if err := t.socket.WritePart(context.Background(), slot.Kind, slot.Bytes, slot.Final); err != nil {
			return err
		}
		t.Release(slot.Number)
	}
}

func (t *task) close(code int, reason string) error {
	if t.socket == nil {
		return errNoSocket
	}
	return t.socket.Close(uint16(code), unescape(reason))
}

// sayClose prints what a close slot says.
func (t *task) sayClose(s worker.Slot) {
	code, reason := 1005, []byte(nil)
	if len(s.Bytes) >= 2 {
		code, reason = int(s.Bytes[0])<<8|int(s.Bytes[1]), s.Bytes[2:]
	}
	if s.Kind == shm.KindClose {
		print(t.id, "closed %d %x", code, reason)
	}
}
