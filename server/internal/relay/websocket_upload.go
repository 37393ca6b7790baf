package relay

import (
	"errors"
	"fmt"

	"github.com/gobwas/ws"

	"github.com/wavey-ai/upload-response/server/internal/dispatch"
	"github.com/wavey-ai/upload-response/server/internal/fault"
	"github.com/wavey-ai/upload-response/server/internal/progress"
	"github.com/wavey-ai/upload-response/server/internal/websocket"
	"github.com/wavey-ai/upload-response/shm"
)

// websocketUpload is the client's half of an open WebSocket: it streams the client's messages
// into slots. Their bytes go from the kernel into shared memory, and are unmasked there. It
// answers pings.
type websocketUpload struct {
	lane     dispatch.RequestLane
	stream   *dispatch.Stream
	progress *progress.Exchange // of the stream
	conn     *websocketConn
	frames   websocket.FrameReader
	kind     shm.Kind      // of the message that is being received
	received int64         // bytes of messages
	done     chan struct{} // closed when nothing more is written
}

func (u *websocketUpload) run() {
	defer close(u.done)
	err := u.copyMessages()
	if err != nil && u.conn.leaving.Load() {
		err = u.endMessages(websocket.ClosePayload(ws.StatusGoingAway, shutdownReason))
	}
	if err == nil || errors.Is(err, dispatch.ErrOver) {
		u.discard()
		return
	}
	u.stream.FailUpload(err)
}

// copyMessages moves messages into slots until the client closes.
func (u *websocketUpload) copyMessages() error {
	for {
		frame, err := u.next()
		switch {
		case err != nil:
			return err
		case frame.OpCode == ws.OpClose:
			return u.takeClose()
		case frame.OpCode.IsControl():
			err = u.answer(frame)
		default:
			err = u.message(frame)
		}
		if err != nil {
			return err
		}
	}
}

// next reads the header of the next frame.
func (u *websocketUpload) next() (ws.Header, error) {
	if u.frames.Buffered() == 0 {
		u.lane.Announce()
	}
	frame, err := u.frames.Next()
	switch {
	case u.lane.Stopped():
		return frame, dispatch.ErrOver
	case err != nil:
		return frame, u.readError(err)
	}
	u.conn.heard.Store(true)
	return frame, nil
}

// message moves the payload of a frame into slots: one, if it fits.
func (u *websocketUpload) message(frame ws.Header) error {
	if frame.OpCode != ws.OpContinuation {
		u.kind = kindOf(frame.OpCode)
	}
	for u.frames.Left() > 0 {
		if err := u.part(frame); err != nil {
			return err
		}
	}
	if !frame.Fin || frame.Length > 0 {
		return nil
	}
	if err := u.lane.CommitEmpty(u.kind | shm.Final); err != nil {
		return err
	}
	u.lane.Publish()
	return nil
}

// part moves as much of a payload as fits one slot.
func (u *websocketUpload) part(frame ws.Header) error {
	n := int(min(u.frames.Left(), int64(u.lane.SlotSize())))
	space, err := u.lane.Reserve(n)
	if err != nil {
		return err
	}
	if err := u.fill(space[:n]); err != nil {
		return err
	}
	kind := u.kind
	if frame.Fin && u.frames.Left() == 0 {
		kind |= shm.Final
	}
	u.lane.Commit(n, kind)
	u.lane.Publish()
	return nil
}

// fill reads a part of a message.
func (u *websocketUpload) fill(space []byte) error {
	for at := 0; at < len(space); {
		if u.frames.Buffered() == 0 {
			u.lane.Announce()
		}
		n, err := u.frames.Read(space[at:])
		u.received = u.progress.Receive(n)
		if at += n; err != nil && (at < len(space) || errors.Is(err, fault.ErrWebSocket)) {
			return u.readError(err)
		}
		u.conn.heard.Store(true)
	}
	return nil
}

// answer answers a ping (RFC 6455 section 5.5.2).
func (u *websocketUpload) answer(frame ws.Header) error {
	payload, err := u.frames.Payload()
	if err != nil {
		return u.readError(err)
	}
	if frame.OpCode != ws.OpPing {
		return nil
	}
	return u.conn.control(ws.OpPong, payload)
}

// takeClose takes the client's Close.
func (u *websocketUpload) takeClose() error {
	payload, err := u.frames.Payload()
	if err != nil {
		return u.readError(err)
	}
	if err := websocket.CheckClose(payload); err != nil {
		return err
	}
	return u.endMessages(payload)
}

// endMessages tells the worker that no more messages come.
func (u *websocketUpload) endMessages(payload []byte) error {
	u.conn.clientCloses(payload)
	if len(payload) == 0 {
		if err := u.lane.CommitEmpty(shm.KindClose); err != nil {
			return err
		}
		return u.lane.End()
	}
	space, err := u.lane.Reserve(len(payload))
	if err != nil {
		return err
	}
	u.lane.Commit(copy(space, payload), shm.KindClose)
	return u.lane.End()
}

// discard reads on until the client's Close: the worker wants no more messages.
func (u *websocketUpload) discard() {
	u.conn.resume()
	u.frames.Discard()
}

// readError returns what it means that the next frame, or the rest of one, could not be read.
func (u *websocketUpload) readError(err error) error {
	switch {
	case errors.Is(err, fault.ErrWebSocket):
		return err
	case u.lane.Stopped():
		return dispatch.ErrOver
	case u.progress.ClientSlow():
		return fmt.Errorf("%w: it answers no ping", fault.ErrClientSlow)
	}
	return fmt.Errorf("%w without a Close: %w", fault.ErrClientGone, err)
}

func kindOf(op ws.OpCode) shm.Kind {
	if op == ws.OpText {
		return shm.KindText
	}
	return shm.KindBinary
}
